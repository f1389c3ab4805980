//! Between the rows and the values. What a task asks for stands in its template; here is how it stands.

use prost::Message;
use sea_orm::{NotSet, Set};
use vouch_primitives::{CaseId, PersonId, TaskId, Timestamp};
use vouch_proto::onboarding::v1 as pb;
use vouch_storage::StorageError;

use super::entity::task;
use crate::{
    domain::{
        Submission, Task, TaskState, TaskTemplate,
        task::{Approval, Claim},
    },
    store::{task_templates::version_to_row, unreadable},
};

pub const SUBMITTED: &str = "SUBMITTED";
pub const APPROVED: &str = "APPROVED";

const TODO: &str = "TODO";
const STARTED: &str = "STARTED";
pub const REJECTED: &str = "REJECTED";
const AUTOMATIC: &str = "AUTOMATIC";
const REVIEWER: &str = "REVIEWER";
const REUSED: &str = "REUSED";

/// The row of a new task at this place of its case.
pub fn to_new_row(task: &Task, person: PersonId, position: i32) -> task::ActiveModel {
    task::ActiveModel {
        case_id: Set(task.case_id.as_uuid()),
        person_id: Set(person.as_uuid()),
        position: Set(position),
        template_id: Set(task.template.id.as_uuid()),
        template_version: Set(version_to_row(task.template.version)),
        kind: Set(task.form.kind().to_owned()),
        ..to_row(task)
    }
}

/// How a task stands, for its row.
pub fn to_row(task: &Task) -> task::ActiveModel {
    let (mut reviewer, mut claimed_until, mut approval, mut reused, mut reason) = (None, None, None, None, None);
    let state = match &task.state {
        TaskState::Todo => TODO,
        TaskState::Started => STARTED,
        TaskState::Submitted(claim) => {
            reviewer = claim.as_ref().map(|claim| claim.reviewer.clone());
            claimed_until = claim.as_ref().map(|claim| claim.until.as_micros());
            SUBMITTED
        }
        TaskState::Approved(how) => {
            approval = Some(match how {
                Approval::Automatic => AUTOMATIC,
                Approval::Reviewer(name) => {
                    reviewer = Some(name.clone());
                    REVIEWER
                }
                Approval::Reused(earlier) => {
                    reused = Some(earlier.as_uuid());
                    REUSED
                }
            });
            APPROVED
        }
        TaskState::Rejected(why) => {
            reason = Some(why.clone());
            REJECTED
        }
    };
    task::ActiveModel {
        id: Set(task.id.as_uuid()),
        case_id: NotSet,
        person_id: NotSet,
        position: NotSet,
        template_id: NotSet,
        template_version: NotSet,
        kind: NotSet,
        state: Set(state.to_owned()),
        since: Set(task.since.as_micros()),
        not_before: Set(task.not_before.map(Timestamp::as_micros)),
        submission: Set(task.submission.as_ref().map(encode)),
        submitted_at: Set(task.submitted_at.map(Timestamp::as_micros)),
        reviewer: Set(reviewer),
        claimed_until: Set(claimed_until),
        approval: Set(approval.map(str::to_owned)),
        reused_task_id: Set(reused),
        reject_reason: Set(reason),
    }
}

/// What was handed in, as a row holds it.
pub fn encode(submission: &Submission) -> Vec<u8> {
    pb::TaskSubmission::from(submission.clone()).encode_to_vec()
}

pub fn from_row(row: task::Model, template: &TaskTemplate) -> Result<Task, StorageError> {
    let state = state(&row)?;
    let submission = row.submission.map(|bytes| decode(&bytes)).transpose()?;
    Ok(Task {
        id: TaskId::from_uuid(row.id),
        case_id: CaseId::from_uuid(row.case_id),
        template: template.version,
        owner: template.owner,
        title: template.title.clone(),
        why: template.why.clone(),
        form: template.form.clone(),
        reviewed: template.reviewed,
        not_before: row.not_before.map(Timestamp::from_micros),
        state,
        since: Timestamp::from_micros(row.since),
        submission,
        submitted_at: row.submitted_at.map(Timestamp::from_micros),
    })
}

fn decode(bytes: &[u8]) -> Result<Submission, StorageError> {
    let submission = pb::TaskSubmission::decode(bytes);
    let submission = submission.map_err(|error| unreadable("task.submission", error))?;
    Submission::try_from(submission).map_err(|error| unreadable("task.submission", error))
}

fn state(row: &task::Model) -> Result<TaskState, StorageError> {
    let state = match row.state.as_str() {
        TODO => Some(TaskState::Todo),
        STARTED => Some(TaskState::Started),
        SUBMITTED => {
            let claim = row.reviewer.clone().zip(row.claimed_until);
            Some(TaskState::Submitted(claim.map(|(reviewer, until)| Claim {
                reviewer,
                until: Timestamp::from_micros(until),
            })))
        }
        APPROVED => approval(row).map(TaskState::Approved),
        REJECTED => row.reject_reason.clone().map(TaskState::Rejected),
        _ => None,
    };
    state.ok_or_else(|| unreadable("task.state", &row.state))
}

fn approval(row: &task::Model) -> Option<Approval> {
    match (row.approval.as_deref()?, &row.reviewer, row.reused_task_id) {
        (AUTOMATIC, None, None) => Some(Approval::Automatic),
        (REVIEWER, Some(name), None) => Some(Approval::Reviewer(name.clone())),
        (REUSED, None, Some(earlier)) => Some(Approval::Reused(TaskId::from_uuid(earlier))),
        _ => None,
    }
}
