//! `vouch.invitation.v1.ProjectService`.

use tonic::{Request, Response, Status};
use vouch_primitives::ProjectId;
use vouch_proto::invitation::v1::{self as pb, project_service_server::ProjectService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::Id;
use crate::app::{
    App,
    projects::{CreateProject, FindWork, ListProjects, UpdateProject},
    recommending::{ListRecommendations, RecommendTalent, ShareProject},
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Projects(pub App);

#[tonic::async_trait]
impl ProjectService for Projects {
    async fn create_project(
        &self,
        request: Request<pb::CreateProjectRequest>,
    ) -> Result<Response<pb::CreateProjectResponse>, Status> {
        let (key, command) = parse_mutation::<_, CreateProject>(&self.0, request).await?;
        Ok(Response::new(self.0.create_project(&key, &command).await?))
    }

    async fn update_project(
        &self,
        request: Request<pb::UpdateProjectRequest>,
    ) -> Result<Response<pb::UpdateProjectResponse>, Status> {
        let (key, command) = parse_mutation::<_, UpdateProject>(&self.0, request).await?;
        Ok(Response::new(self.0.update_project(&key, &command).await?))
    }

    async fn publish_project(
        &self,
        request: Request<pb::PublishProjectRequest>,
    ) -> Result<Response<pb::PublishProjectResponse>, Status> {
        let (key, Id::<ProjectId>(id)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.publish_project(&key, id).await?))
    }

    async fn close_project(
        &self,
        request: Request<pb::CloseProjectRequest>,
    ) -> Result<Response<pb::CloseProjectResponse>, Status> {
        let (key, Id::<ProjectId>(id)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.close_project(&key, id).await?))
    }

    async fn get_project(
        &self,
        request: Request<pb::GetProjectRequest>,
    ) -> Result<Response<pb::GetProjectResponse>, Status> {
        let Id::<ProjectId>(id) = parse_query(&self.0, request).await?;
        let project = Some(self.0.get_project(id).await?.into());
        Ok(Response::new(pb::GetProjectResponse { project }))
    }

    async fn list_projects(
        &self,
        request: Request<pb::ListProjectsRequest>,
    ) -> Result<Response<pb::ListProjectsResponse>, Status> {
        let query: ListProjects = parse_query(&self.0, request).await?;
        let listed = self.0.list_projects(&query).await?;
        Ok(Response::new(pb::ListProjectsResponse {
            next_page_token: listed.next_page_token(),
            projects: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn find_work(&self, request: Request<pb::FindWorkRequest>) -> Result<Response<pb::FindWorkResponse>, Status> {
        let query: FindWork = parse_query(&self.0, request).await?;
        let listed = self.0.find_work(&query).await?;
        Ok(Response::new(pb::FindWorkResponse {
            next_page_token: listed.next_page_token(),
            projects: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn view_project(
        &self,
        request: Request<pb::ViewProjectRequest>,
    ) -> Result<Response<pb::ViewProjectResponse>, Status> {
        let Id::<ProjectId>(id) = parse_query(&self.0, request).await?;
        let project = Some(self.0.view_project(id).await?.into());
        Ok(Response::new(pb::ViewProjectResponse { project }))
    }

    async fn share_project(
        &self,
        request: Request<pb::ShareProjectRequest>,
    ) -> Result<Response<pb::ShareProjectResponse>, Status> {
        let (key, command) = parse_mutation::<_, ShareProject>(&self.0, request).await?;
        Ok(Response::new(self.0.share_project(&key, &command).await?))
    }

    async fn recommend_talent(
        &self,
        request: Request<pb::RecommendTalentRequest>,
    ) -> Result<Response<pb::RecommendTalentResponse>, Status> {
        let (key, command) = parse_mutation::<_, RecommendTalent>(&self.0, request).await?;
        Ok(Response::new(self.0.recommend_talent(&key, &command).await?))
    }

    async fn list_recommendations(
        &self,
        request: Request<pb::ListRecommendationsRequest>,
    ) -> Result<Response<pb::ListRecommendationsResponse>, Status> {
        let query: ListRecommendations = parse_query(&self.0, request).await?;
        let listed = self.0.list_recommendations(&query).await?;
        Ok(Response::new(pb::ListRecommendationsResponse {
            next_page_token: listed.next_page_token(),
            recommendations: listed.items.into_iter().map(Into::into).collect(),
        }))
    }
}
