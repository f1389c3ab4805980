//! `vouch.onboarding.v1.TaskService`.

use tonic::{Request, Response, Status};
use vouch_primitives::{CaseId, TaskId};
use vouch_proto::onboarding::v1::{self as pb, task_service_server::TaskService};
use vouch_runtime::{
    access::Caller,
    grpc::{parse_mutation, parse_query},
};

use super::convert::Id;
use crate::{
    app::{
        App,
        tasks::{ApproveTask, ClaimTask, ListReviewQueue, ListTasks, RejectTask, StartTask, SubmitTask},
    },
    domain::{Owner, Task},
    error::Error,
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Tasks(pub App);

#[tonic::async_trait]
impl TaskService for Tasks {
    async fn list_tasks(
        &self,
        request: Request<pb::ListTasksRequest>,
    ) -> Result<Response<pb::ListTasksResponse>, Status> {
        let caller = Caller::of(&request);
        let query: ListTasks = parse_query(&self.0, request).await?;
        let listed = self.0.list_tasks(&query).await?;
        let seer = self.seer(caller, query.case_id).await?;
        let (tasks, next_page_token) = listed.messages(|task| task.id, |task| seer.sees(task));
        Ok(Response::new(pb::ListTasksResponse { tasks, next_page_token }))
    }

    async fn get_task(&self, request: Request<pb::GetTaskRequest>) -> Result<Response<pb::GetTaskResponse>, Status> {
        let caller = Caller::of(&request);
        let Id::<TaskId>(id) = parse_query(&self.0, request).await?;
        let task = self.0.get_task(id).await?;
        let seer = self.seer(caller, task.case_id).await?;
        let task = Some(seer.sees(task));
        Ok(Response::new(pb::GetTaskResponse { task }))
    }

    async fn start_task(
        &self,
        request: Request<pb::StartTaskRequest>,
    ) -> Result<Response<pb::StartTaskResponse>, Status> {
        let by = owner(&Caller::of(&request));
        let (key, command) = parse_mutation::<_, StartTask>(&self.0, request).await?;
        Ok(Response::new(self.0.start_task(&key, &command, by).await?))
    }

    async fn submit_task(
        &self,
        request: Request<pb::SubmitTaskRequest>,
    ) -> Result<Response<pb::SubmitTaskResponse>, Status> {
        let by = owner(&Caller::of(&request));
        let (key, command) = parse_mutation::<_, SubmitTask>(&self.0, request).await?;
        Ok(Response::new(self.0.submit_task(&key, &command, by).await?))
    }

    async fn list_review_queue(
        &self,
        request: Request<pb::ListReviewQueueRequest>,
    ) -> Result<Response<pb::ListReviewQueueResponse>, Status> {
        let query: ListReviewQueue = parse_query(&self.0, request).await?;
        let listed = self.0.list_review_queue(&query).await?;
        let (tasks, next_page_token) = listed.messages(|task| task.id, pb::Task::from);
        Ok(Response::new(pb::ListReviewQueueResponse { tasks, next_page_token }))
    }

    async fn claim_task(
        &self,
        request: Request<pb::ClaimTaskRequest>,
    ) -> Result<Response<pb::ClaimTaskResponse>, Status> {
        let reviewer = Caller::of(&request).to_string();
        let (key, command) = parse_mutation::<_, ClaimTask>(&self.0, request).await?;
        Ok(Response::new(self.0.claim_task(&key, &command, &reviewer).await?))
    }

    async fn approve_task(
        &self,
        request: Request<pb::ApproveTaskRequest>,
    ) -> Result<Response<pb::ApproveTaskResponse>, Status> {
        let reviewer = Caller::of(&request).to_string();
        let (key, command) = parse_mutation::<_, ApproveTask>(&self.0, request).await?;
        Ok(Response::new(self.0.approve_task(&key, &command, &reviewer).await?))
    }

    async fn reject_task(
        &self,
        request: Request<pb::RejectTaskRequest>,
    ) -> Result<Response<pb::RejectTaskResponse>, Status> {
        let reviewer = Caller::of(&request).to_string();
        let (key, command) = parse_mutation::<_, RejectTask>(&self.0, request).await?;
        Ok(Response::new(self.0.reject_task(&key, &command, &reviewer).await?))
    }
}

/// As whom a caller does tasks.
fn owner(caller: &Caller) -> Owner {
    match caller {
        Caller::Person(_) => Owner::Talent,
        Caller::Client(_) => Owner::Client,
        Caller::Operator(_) | Caller::Service(_) | Caller::Anybody => Owner::Platform,
    }
}

/// Somebody who reads tasks of a case.
struct Seer {
    caller: Caller,
    /// It is a client that has let go of the talent.
    has_let_go: bool,
}

impl Tasks {
    async fn seer(&self, caller: Caller, case: CaseId) -> Result<Seer, Error> {
        let has_let_go = matches!(caller, Caller::Client(_)) && self.0.is_left(case).await?;
        Ok(Seer { caller, has_let_go })
    }
}

impl Seer {
    /// What a caller may see of a task that they read: who reviews it, operators alone; why it was rejected, its owner; what
    /// was handed in, its owner, and a client what it is shown of the talent's. Who starts or hands in a task is its owner.
    fn sees(&self, task: Task) -> pb::Task {
        if matches!(self.caller, Caller::Operator(_)) {
            return task.into();
        }
        let is_own = task.owner == owner(&self.caller);
        let is_clients = matches!(self.caller, Caller::Client(_)) && !self.has_let_go;
        let is_shown = is_own || (is_clients && task.is_shown_to_client());
        let mut task = pb::Task::from(task);
        task.reviewer.clear();
        task.claim_end_time = None;
        if !is_shown {
            task.submission = None;
        }
        if !is_own {
            task.reject_reason.clear();
        }
        task
    }
}
