//! Talent, clients and reviewers, each with a token of their own, and what they do.

use tonic::Status;
use vouch_proto::{
    invitation::v1::Plan,
    onboarding::v1::{
        self as pb, case_service_client::CaseServiceClient, task_form::Form, task_service_client::TaskServiceClient,
        task_template_service_client::TaskTemplateServiceClient,
    },
};
use vouch_runtime::access::{Caller, Signed};

use crate::{example::request_id, world::World};

/// The token's subject of this person.
pub fn person(id: &str) -> Caller {
    Caller::Person(id.parse().expect("an id"))
}

/// The token's subject of Acme.
pub fn acme() -> Caller {
    Caller::Client("019c0000-0000-7000-8000-00000000acae".parse().expect("an id"))
}

/// The token's subject of an operator.
pub fn operator(name: &str) -> Caller {
    Caller::Operator(name.to_owned())
}

/// A template of Acme's: an NDA.
pub fn nda() -> pb::TaskTemplateContent {
    pb::TaskTemplateContent {
        owner: pb::TaskOwner::Talent.into(),
        title: "NDA".to_owned(),
        why: "Acme keeps its plans to itself.".to_owned(),
        form: Some(pb::TaskForm {
            form: Some(Form::Agreement(pb::AgreementForm {
                text_version: "2026-01".to_owned(),
                text: "I say nothing to anybody.".to_owned(),
            })),
        }),
        without_review: true,
        ..Default::default()
    }
}

/// A template that asks one question, good for a year.
pub fn questionnaire() -> pb::TaskTemplateContent {
    let question = pb::Question {
        name: "own_tools".to_owned(),
        text: "Do you work with tools of your own?".to_owned(),
        wants: Some(pb::question::Wants::YesOrNo(pb::YesOrNo {})),
        ..Default::default()
    };
    pb::TaskTemplateContent {
        title: "How you work".to_owned(),
        why: "The law asks for it.".to_owned(),
        form: Some(pb::TaskForm {
            form: Some(Form::Questionnaire(pb::QuestionnaireForm {
                questions: vec![question],
            })),
        }),
        without_review: false,
        valid_days: 365,
        ..nda()
    }
}

/// A template by which somebody is classified.
pub fn classification() -> pb::TaskTemplateContent {
    let Some(Form::Questionnaire(form)) = questionnaire().form.and_then(|form| form.form) else {
        panic!("a questionnaire")
    };
    let form = pb::ClassificationForm {
        questions: form.questions,
        documents: None,
    };
    pb::TaskTemplateContent {
        title: "Independent contractor".to_owned(),
        form: Some(pb::TaskForm {
            form: Some(Form::Classification(form)),
        }),
        valid_days: 0,
        ..questionnaire()
    }
}

/// A template that asks for one or two documents.
pub fn certificate() -> pb::TaskTemplateContent {
    pb::TaskTemplateContent {
        title: "Insurance".to_owned(),
        form: Some(pb::TaskForm {
            form: Some(Form::DocumentUpload(pb::DocumentsForm {
                min_count: 1,
                max_count: 2,
            })),
        }),
        valid_days: 0,
        ..questionnaire()
    }
}

/// A signature under the NDA.
pub fn signed() -> pb::TaskSubmission {
    pb::TaskSubmission {
        signature: Some(pb::TaskSignature {
            name: "Ada Lovelace".to_owned(),
            text_version: "2026-01".to_owned(),
        }),
        ..Default::default()
    }
}

/// An answer to the question.
pub fn answered(yes: bool) -> pb::TaskSubmission {
    let answer = pb::TaskAnswer {
        name: "own_tools".to_owned(),
        answer: Some(pb::task_answer::Answer::Yes(yes)),
    };
    pb::TaskSubmission {
        answers: vec![answer],
        ..Default::default()
    }
}

impl World {
    pub fn tasks(&self, caller: Caller) -> TaskServiceClient<Signed> {
        TaskServiceClient::new(self.signed(caller))
    }

    pub fn templates(&self, caller: Caller) -> TaskTemplateServiceClient<Signed> {
        TaskTemplateServiceClient::new(self.signed(caller))
    }

    pub fn cases_of(&self, caller: Caller) -> CaseServiceClient<Signed> {
        CaseServiceClient::new(self.signed(caller))
    }

    /// Acme requires this from now on.
    pub async fn require(&self, content: pb::TaskTemplateContent) -> pb::TaskTemplate {
        self.template("019c0000-0000-7000-8000-00000000acae", content)
            .await
            .expect("a template")
    }

    /// A template of this client, or of the platform.
    pub async fn template(&self, client: &str, content: pb::TaskTemplateContent) -> Result<pb::TaskTemplate, Status> {
        let request = pb::CreateTaskTemplateRequest {
            request_id: request_id(),
            client_id: client.to_owned(),
            content: Some(content),
        };
        let answer = self.templates(operator("test")).create_task_template(request).await?;
        Ok(answer.into_inner().template.expect("a template"))
    }

    pub async fn tasks_of(&self, case_id: &str) -> Vec<pb::Task> {
        let (mut tasks, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListTasksRequest {
                case_id: case_id.to_owned(),
                page_size: 0,
                page_token,
            };
            let answer = self.tasks(operator("test")).list_tasks(request).await;
            let page = answer.expect("tasks").into_inner();
            tasks.extend(page.tasks);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return tasks;
            }
        }
    }

    pub async fn start(&self, caller: &Caller, task: &pb::Task) -> Result<pb::Task, Status> {
        let request = pb::StartTaskRequest {
            request_id: request_id(),
            task_id: task.id.clone(),
        };
        let answer = self.tasks(caller.clone()).start_task(request).await?;
        Ok(answer.into_inner().task.expect("a task"))
    }

    pub async fn submit(
        &self,
        caller: &Caller,
        task: &pb::Task,
        submission: pb::TaskSubmission,
    ) -> Result<pb::Task, Status> {
        let request = pb::SubmitTaskRequest {
            request_id: request_id(),
            task_id: task.id.clone(),
            submission: Some(submission),
        };
        let answer = self.tasks(caller.clone()).submit_task(request).await?;
        Ok(answer.into_inner().task.expect("a task"))
    }

    pub async fn claim(&self, reviewer: &str, task: &pb::Task) -> Result<pb::Task, Status> {
        let request = pb::ClaimTaskRequest {
            request_id: request_id(),
            task_id: task.id.clone(),
        };
        let answer = self.tasks(operator(reviewer)).claim_task(request).await?;
        Ok(answer.into_inner().task.expect("a task"))
    }

    pub async fn approve(&self, reviewer: &str, task: &pb::Task) -> Result<pb::Task, Status> {
        let request = pb::ApproveTaskRequest {
            request_id: request_id(),
            task_id: task.id.clone(),
        };
        let answer = self.tasks(operator(reviewer)).approve_task(request).await?;
        Ok(answer.into_inner().task.expect("a task"))
    }

    pub async fn reject(&self, reviewer: &str, task: &pb::Task, reason: &str) -> Result<pb::Task, Status> {
        let request = pb::RejectTaskRequest {
            request_id: request_id(),
            task_id: task.id.clone(),
            reason: reason.to_owned(),
        };
        let answer = self.tasks(operator(reviewer)).reject_task(request).await?;
        Ok(answer.into_inner().task.expect("a task"))
    }

    pub async fn leave_profile(&self, case: &pb::Case) -> Result<pb::Case, Status> {
        let request = pb::LeaveProfileRequest {
            request_id: request_id(),
            case_id: case.id.clone(),
        };
        let answer = self.cases_of(person(&case.person_id)).leave_profile(request).await?;
        Ok(answer.into_inner().case.expect("a case"))
    }

    /// The token in the final agency invitation to `recipient`, once that is there.
    pub async fn agency_token(&self, recipient: &str) -> String {
        let mail = self.mail_to(recipient).await;
        let (_, rest) = mail.split_once("https://vouch.example/agency#token=").expect("a link");
        let fits = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
        rest.chars().take_while(fits).collect()
    }

    pub async fn accept_agency(&self, token: &str) -> Result<pb::Case, Status> {
        let request = pb::AcceptAgencyInvitationRequest {
            request_id: request_id(),
            token: token.to_owned(),
        };
        let answer = self.cases.clone().accept_agency_invitation(request).await?;
        Ok(answer.into_inner().case.expect("a case"))
    }

    pub async fn accounts_of(&self, person_id: &str) -> Vec<pb::Account> {
        let request = pb::ListAccountsRequest {
            person_id: person_id.to_owned(),
        };
        let answer = self.accounts.clone().list_accounts(request).await;
        answer.expect("accounts").into_inner().accounts
    }

    pub fn enterprise(&self) {
        self.invitations.set_plan(Plan::Enterprise);
    }
}
