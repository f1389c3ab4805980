//! `vouch.onboarding.v1.TaskTemplateService`.

use tonic::{Request, Response, Status};
use vouch_proto::onboarding::v1::{self as pb, task_template_service_server::TaskTemplateService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use crate::{
    app::{
        App,
        task_templates::{CreateTaskTemplate, ListTaskTemplates, RetireTaskTemplate, UpdateTaskTemplate},
    },
    domain::template::Situation,
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct TaskTemplates(pub App);

#[tonic::async_trait]
impl TaskTemplateService for TaskTemplates {
    async fn create_task_template(
        &self,
        request: Request<pb::CreateTaskTemplateRequest>,
    ) -> Result<Response<pb::CreateTaskTemplateResponse>, Status> {
        let (key, command) = parse_mutation::<_, CreateTaskTemplate>(&self.0, request).await?;
        Ok(Response::new(self.0.create_task_template(&key, &command).await?))
    }

    async fn update_task_template(
        &self,
        request: Request<pb::UpdateTaskTemplateRequest>,
    ) -> Result<Response<pb::UpdateTaskTemplateResponse>, Status> {
        let (key, command) = parse_mutation::<_, UpdateTaskTemplate>(&self.0, request).await?;
        Ok(Response::new(self.0.update_task_template(&key, &command).await?))
    }

    async fn retire_task_template(
        &self,
        request: Request<pb::RetireTaskTemplateRequest>,
    ) -> Result<Response<pb::RetireTaskTemplateResponse>, Status> {
        let (key, command) = parse_mutation::<_, RetireTaskTemplate>(&self.0, request).await?;
        Ok(Response::new(self.0.retire_task_template(&key, &command).await?))
    }

    async fn list_task_templates(
        &self,
        request: Request<pb::ListTaskTemplatesRequest>,
    ) -> Result<Response<pb::ListTaskTemplatesResponse>, Status> {
        let query: ListTaskTemplates = parse_query(&self.0, request).await?;
        let listed = self.0.list_task_templates(&query).await?;
        Ok(Response::new(pb::ListTaskTemplatesResponse {
            next_page_token: listed.next_page_token(),
            templates: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn preview_tasks(
        &self,
        request: Request<pb::PreviewTasksRequest>,
    ) -> Result<Response<pb::PreviewTasksResponse>, Status> {
        let case: Situation = parse_query(&self.0, request).await?;
        let templates = self.0.preview_tasks(&case).await?;
        Ok(Response::new(pb::PreviewTasksResponse {
            templates: templates.into_iter().map(Into::into).collect(),
        }))
    }
}
