//! `vouch.onboarding.v1.TaskTemplateService`.

use tonic::{Request, Response, Status};
use vouch_proto::onboarding::v1::{self as pb, task_template_service_server::TaskTemplateService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use crate::app::{
    App,
    task_templates::{CreateTaskTemplate, ListTaskTemplates, PreviewTasks, RetireTaskTemplate, UpdateTaskTemplate},
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
        let (templates, next_page_token) = listed.messages(|template| template.version.id, pb::TaskTemplate::from);
        Ok(Response::new(pb::ListTaskTemplatesResponse {
            templates,
            next_page_token,
        }))
    }

    async fn preview_tasks(
        &self,
        request: Request<pb::PreviewTasksRequest>,
    ) -> Result<Response<pb::PreviewTasksResponse>, Status> {
        let query: PreviewTasks = parse_query(&self.0, request).await?;
        let listed = self.0.preview_tasks(&query).await?;
        let (templates, next_page_token) = listed.messages(|template| template.version.id, pb::TaskTemplate::from);
        Ok(Response::new(pb::PreviewTasksResponse {
            templates,
            next_page_token,
        }))
    }
}
