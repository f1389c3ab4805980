//! Tasks, and what is handed in for them.

use std::{collections::BTreeMap, sync::Arc};

use vouch_primitives::TaskId;
use vouch_proto::{Fields, Violations, convert::to_wire_time, onboarding::v1 as pb};

use super::{Id, all_unless};
use crate::{
    app::tasks::{ApproveTask, ClaimTask, ListReviewQueue, ListTasks, RejectTask, StartTask, SubmitTask},
    domain::{
        Answer, Owner, Submission, Task, TaskState,
        form::{ANSWER_LENGTH, MAX_DOCUMENTS, MAX_QUESTIONS, Signature},
        person::NAME_LENGTH,
        task::{Approval, REJECTION_LENGTH},
    },
};

/// How long the name of a question may be, and the version of a text.
const SHORT: std::ops::RangeInclusive<usize> = 1..=50;

impl TryFrom<pb::ListTasksRequest> for ListTasks {
    type Error = Violations;

    fn try_from(request: pb::ListTasksRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let case_id = fields.id("case_id", &request.case_id);
        let page = fields.page(all_unless(request.page_size), &request.page_token);
        let (Some(case_id), Some(page)) = (case_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { case_id, page })
    }
}

impl TryFrom<pb::GetTaskRequest> for Id<TaskId> {
    type Error = Violations;

    fn try_from(request: pb::GetTaskRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("task_id", &request.task_id);
        id.map(Id).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::StartTaskRequest> for StartTask {
    type Error = Violations;

    fn try_from(request: pb::StartTaskRequest) -> Result<Self, Violations> {
        task_id(&request.task_id).map(|task_id| Self { task_id })
    }
}

impl TryFrom<pb::ClaimTaskRequest> for ClaimTask {
    type Error = Violations;

    fn try_from(request: pb::ClaimTaskRequest) -> Result<Self, Violations> {
        task_id(&request.task_id).map(|task_id| Self { task_id })
    }
}

impl TryFrom<pb::ApproveTaskRequest> for ApproveTask {
    type Error = Violations;

    fn try_from(request: pb::ApproveTaskRequest) -> Result<Self, Violations> {
        task_id(&request.task_id).map(|task_id| Self { task_id })
    }
}

impl TryFrom<pb::RejectTaskRequest> for RejectTask {
    type Error = Violations;

    fn try_from(request: pb::RejectTaskRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let task_id = fields.id("task_id", &request.task_id);
        let reason = fields.text("reason", &request.reason, REJECTION_LENGTH);
        let (Some(task_id), Some(reason)) = (task_id, reason) else {
            return Err(fields.into());
        };
        fields.finish(Self { task_id, reason })
    }
}

impl TryFrom<pb::SubmitTaskRequest> for SubmitTask {
    type Error = Violations;

    fn try_from(request: pb::SubmitTaskRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let task_id = fields.id("task_id", &request.task_id);
        let submission = match request.submission {
            Some(wire) => fields.within("submission", |fields| submission(fields, wire)),
            None => {
                fields.refuse("submission", "REQUIRED", "is required");
                None
            }
        };
        let (Some(task_id), Some(submission)) = (task_id, submission) else {
            return Err(fields.into());
        };
        fields.finish(Self { task_id, submission })
    }
}

impl TryFrom<pb::ListReviewQueueRequest> for ListReviewQueue {
    type Error = Violations;

    fn try_from(request: pb::ListReviewQueueRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(page) = fields.page(request.page_size, &request.page_token) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            unclaimed_only: request.unclaimed_only,
            page,
        })
    }
}

impl TryFrom<pb::TaskSubmission> for Submission {
    type Error = Violations;

    fn try_from(wire: pb::TaskSubmission) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let read = submission(&mut fields, wire);
        let Some(read) = read else { return Err(fields.into()) };
        fields.finish(read)
    }
}

impl From<Submission> for pb::TaskSubmission {
    fn from(submission: Submission) -> Self {
        let answer = |(name, answer)| pb::TaskAnswer {
            name,
            answer: Some(match answer {
                Answer::YesOrNo(yes) => pb::task_answer::Answer::Yes(yes),
                Answer::Text(text) => pb::task_answer::Answer::Text(text),
            }),
        };
        Self {
            document_ids: submission.documents.iter().map(ToString::to_string).collect(),
            answers: submission.answers.into_iter().map(answer).collect(),
            signature: submission.signature.map(|signature| pb::TaskSignature {
                name: signature.name,
                text_version: signature.text_version,
            }),
        }
    }
}

impl From<Task> for pb::Task {
    fn from(task: Task) -> Self {
        let mut wire = Self {
            id: task.id.to_string(),
            case_id: task.case_id.to_string(),
            task_template_id: task.template.id.to_string(),
            template_version: task.template.version,
            owner: pb::TaskOwner::from(task.owner).into(),
            title: task.title,
            why: task.why,
            form: Some(Arc::unwrap_or_clone(task.form).into()),
            state: pb::task::State::Unspecified.into(),
            state_time: Some(to_wire_time(task.since)),
            submission: task.submission.map(Into::into),
            submit_time: task.submitted_at.map(to_wire_time),
            not_before_time: task.not_before.map(to_wire_time),
            ..Self::default()
        };
        let state = match task.state {
            TaskState::Todo => pb::task::State::Todo,
            TaskState::Started => pb::task::State::Started,
            TaskState::Submitted(claim) => {
                if let Some(claim) = claim {
                    wire.reviewer = claim.reviewer;
                    wire.claim_end_time = Some(to_wire_time(claim.until));
                }
                pb::task::State::Submitted
            }
            TaskState::Approved(how) => {
                match how {
                    Approval::Automatic => {}
                    Approval::Reviewer(name) => wire.reviewer = name,
                    Approval::Reused(earlier) => wire.reused_task_id = earlier.to_string(),
                }
                pb::task::State::Approved
            }
            TaskState::Rejected(reason) => {
                wire.reject_reason = reason;
                pb::task::State::Rejected
            }
        };
        wire.set_state(state);
        wire
    }
}

impl From<Owner> for pb::TaskOwner {
    fn from(owner: Owner) -> Self {
        match owner {
            Owner::Talent => Self::Talent,
            Owner::Client => Self::Client,
            Owner::Platform => Self::Platform,
        }
    }
}

fn task_id(text: &str) -> Result<TaskId, Violations> {
    let mut fields = Fields::new();
    fields.id("task_id", text).ok_or_else(|| fields.into())
}

/// Only the shape is read here; whether it is what the task asks for, the form says.
fn submission(fields: &mut Fields, wire: pb::TaskSubmission) -> Option<Submission> {
    let most = usize::try_from(MAX_DOCUMENTS).unwrap_or(usize::MAX);
    for (field, count, most) in [
        ("document_ids", wire.document_ids.len(), most),
        ("answers", wire.answers.len(), MAX_QUESTIONS),
    ] {
        if count > most {
            fields.refuse(field, "OUT_OF_RANGE", format!("must be at most {most}"));
            return None;
        }
    }
    let mut documents = Vec::new();
    for (at, id) in wire.document_ids.iter().enumerate() {
        documents.push(fields.id(&format!("document_ids[{at}]"), id));
    }
    let mut answers = BTreeMap::new();
    for (at, wire) in wire.answers.into_iter().enumerate() {
        let (name, answer) = fields.within(&format!("answers[{at}]"), |fields| answer(fields, wire))?;
        if answers.insert(name, answer).is_some() {
            fields.refuse(&format!("answers[{at}].name"), "DUPLICATE", "was answered before");
        }
    }
    let signature = match wire.signature {
        Some(wire) => Some(fields.within("signature", |fields| signature(fields, &wire))?),
        None => None,
    };
    Some(Submission {
        documents: documents.into_iter().collect::<Option<_>>()?,
        answers,
        signature,
    })
}

fn answer(fields: &mut Fields, wire: pb::TaskAnswer) -> Option<(String, Answer)> {
    let name = fields.line("name", &wire.name, SHORT);
    let answer = match wire.answer {
        Some(pb::task_answer::Answer::Yes(yes)) => Some(Answer::YesOrNo(yes)),
        Some(pb::task_answer::Answer::Text(text)) => fields.text("text", &text, ANSWER_LENGTH).map(Answer::Text),
        None => {
            fields.refuse("answer", "REQUIRED", "is required");
            None
        }
    };
    name.zip(answer)
}

fn signature(fields: &mut Fields, wire: &pb::TaskSignature) -> Option<Signature> {
    let name = fields.line("name", &wire.name, NAME_LENGTH);
    let text_version = fields.line("text_version", &wire.text_version, SHORT);
    let (name, text_version) = name.zip(text_version)?;
    Some(Signature { name, text_version })
}
