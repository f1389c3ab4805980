//! `vouch.invitation.v1.TalentCloudService`.

use tonic::{Request, Response, Status};
use vouch_primitives::TalentCloudId;
use vouch_proto::invitation::v1::{self as pb, talent_cloud_service_server::TalentCloudService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::{FindTalent, Id};
use crate::app::{
    App,
    clouds::{CreateTalentCloud, ListMembers, ListTalentClouds, RenameTalentCloud},
    members::{AddMember, MemberOf, SetPriority},
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct TalentClouds(pub App);

#[tonic::async_trait]
impl TalentCloudService for TalentClouds {
    async fn create_talent_cloud(
        &self,
        request: Request<pb::CreateTalentCloudRequest>,
    ) -> Result<Response<pb::CreateTalentCloudResponse>, Status> {
        let (key, command) = parse_mutation::<_, CreateTalentCloud>(&self.0, request).await?;
        Ok(Response::new(self.0.create_talent_cloud(&key, &command).await?))
    }

    async fn get_talent_cloud(
        &self,
        request: Request<pb::GetTalentCloudRequest>,
    ) -> Result<Response<pb::GetTalentCloudResponse>, Status> {
        let Id::<TalentCloudId>(id) = parse_query(&self.0, request).await?;
        let talent_cloud = Some(self.0.get_talent_cloud(id).await?.into());
        Ok(Response::new(pb::GetTalentCloudResponse { talent_cloud }))
    }

    async fn list_talent_clouds(
        &self,
        request: Request<pb::ListTalentCloudsRequest>,
    ) -> Result<Response<pb::ListTalentCloudsResponse>, Status> {
        let query: ListTalentClouds = parse_query(&self.0, request).await?;
        let listed = self.0.list_talent_clouds(&query).await?;
        Ok(Response::new(pb::ListTalentCloudsResponse {
            next_page_token: listed.next_page_token(),
            talent_clouds: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn rename_talent_cloud(
        &self,
        request: Request<pb::RenameTalentCloudRequest>,
    ) -> Result<Response<pb::RenameTalentCloudResponse>, Status> {
        let (key, command) = parse_mutation::<_, RenameTalentCloud>(&self.0, request).await?;
        Ok(Response::new(self.0.rename_talent_cloud(&key, &command).await?))
    }

    async fn archive_talent_cloud(
        &self,
        request: Request<pb::ArchiveTalentCloudRequest>,
    ) -> Result<Response<pb::ArchiveTalentCloudResponse>, Status> {
        let (key, Id::<TalentCloudId>(id)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.archive_talent_cloud(&key, id).await?))
    }

    async fn add_talent_cloud_member(
        &self,
        request: Request<pb::AddTalentCloudMemberRequest>,
    ) -> Result<Response<pb::AddTalentCloudMemberResponse>, Status> {
        let (key, command) = parse_mutation::<_, AddMember>(&self.0, request).await?;
        Ok(Response::new(self.0.add_member(&key, command).await?))
    }

    async fn set_talent_cloud_member_priority(
        &self,
        request: Request<pb::SetTalentCloudMemberPriorityRequest>,
    ) -> Result<Response<pb::SetTalentCloudMemberPriorityResponse>, Status> {
        let (key, command) = parse_mutation::<_, SetPriority>(&self.0, request).await?;
        Ok(Response::new(self.0.set_priority(&key, command).await?))
    }

    async fn remove_talent_cloud_member(
        &self,
        request: Request<pb::RemoveTalentCloudMemberRequest>,
    ) -> Result<Response<pb::RemoveTalentCloudMemberResponse>, Status> {
        let (key, command) = parse_mutation::<_, MemberOf>(&self.0, request).await?;
        Ok(Response::new(self.0.remove_member(&key, command).await?))
    }

    async fn list_talent_cloud_members(
        &self,
        request: Request<pb::ListTalentCloudMembersRequest>,
    ) -> Result<Response<pb::ListTalentCloudMembersResponse>, Status> {
        let query: ListMembers = parse_query(&self.0, request).await?;
        let listed = self.0.list_members(&query).await?;
        Ok(Response::new(pb::ListTalentCloudMembersResponse {
            next_page_token: listed.next_page_token(),
            members: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn find_talent(
        &self,
        request: Request<pb::FindTalentRequest>,
    ) -> Result<Response<pb::FindTalentResponse>, Status> {
        let FindTalent { client_id, limit } = parse_query(&self.0, request).await?;
        let found = self.0.find_talent(client_id, limit).await?;
        let members = found.into_iter().map(Into::into).collect();
        Ok(Response::new(pb::FindTalentResponse { members }))
    }
}
