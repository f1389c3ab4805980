//! Tasks: begun and handed in by their owners, confirmed or rejected by reviewers [B20-B25, F16].

use vouch_primitives::{CaseId, TaskId, Timestamp};
use vouch_proto::{Listed, Page, onboarding::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{
    App,
    cases::{CaseFile, lock},
    letter,
};
use crate::{
    domain::{
        DocumentRefusal, DocumentState, Owner, Person, State, Step, Submission, Task, TaskRefusal,
        form::{Flaw, FlawKind},
        task::Verdict,
    },
    error::Error,
    store::{documents, tasks as store},
};

/// Begins a task, or begins again what was rejected [B22].
#[derive(Clone, Copy, Debug)]
pub struct StartTask {
    /// Which.
    pub task_id: TaskId,
}

/// Hands in what a task asks for.
#[derive(Clone, Debug)]
pub struct SubmitTask {
    /// Which.
    pub task_id: TaskId,
    /// What is handed in.
    pub submission: Submission,
}

/// Takes a task for review.
#[derive(Clone, Copy, Debug)]
pub struct ClaimTask {
    /// Which.
    pub task_id: TaskId,
}

/// Confirms what was handed in.
#[derive(Clone, Copy, Debug)]
pub struct ApproveTask {
    /// Which.
    pub task_id: TaskId,
}

/// Has a task done again.
#[derive(Clone, Debug)]
pub struct RejectTask {
    /// Which.
    pub task_id: TaskId,
    /// Why.
    pub reason: String,
}

/// Lists the tasks of a case.
#[derive(Clone, Debug)]
pub struct ListTasks {
    /// Of which case.
    pub case_id: CaseId,
    /// Which page.
    pub page: Page<TaskId>,
}

/// Lists what waits for review.
#[derive(Clone, Debug)]
pub struct ListReviewQueue {
    /// Whether those are left out that a reviewer has.
    pub unclaimed_only: bool,
    /// Which page.
    pub page: Page<TaskId>,
}

impl App {
    /// Reads a task.
    ///
    /// # Errors
    /// If there is none, or the database fails.
    pub async fn get_task(&self, id: TaskId) -> Result<Task, Error> {
        let found = store::find(self.db().reader(), id).await?;
        found.ok_or_else(|| Error::not_found("task", id))
    }

    /// Lists the tasks of a case, in their order.
    ///
    /// # Errors
    /// If there is no such case, or the database fails.
    pub async fn list_tasks(&self, query: &ListTasks) -> Result<Listed<Task, TaskId>, Error> {
        let tasks = self.get_case(query.case_id).await?.tasks;
        Ok(query.page.of(tasks, |task| task.id))
    }

    /// Lists what waits for review, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_review_queue(&self, query: &ListReviewQueue) -> Result<Listed<Task, TaskId>, Error> {
        let free_at = query.unclaimed_only.then(|| self.now());
        let conn = self.db().reader();
        let tasks = store::list_waiting(conn, query.page.after, free_at, query.page.limit()).await?;
        Ok(query.page.cut(tasks, |task| task.id))
    }

    /// Begins a task, as its owner [B22]. Beginning again is a normal outcome.
    ///
    /// # Errors
    /// If there is no such task, it is somebody else's to do, its state or its case does not allow it, or the database
    /// fails.
    pub async fn start_task(
        &self,
        key: &RequestKey,
        command: &StartTask,
        by: Owner,
    ) -> Result<pb::StartTaskResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut work = Work::lock(&txn, command.task_id).await?;
                work.expect_open(by, now)?;
                if work.task().form.is_classification() {
                    // Another case may have failed since this one was opened.
                    let next = store::next_classification(&*txn, work.person.id, now).await?;
                    work.task().not_before = next.max(work.task().not_before);
                }
                work.task().start(by, now)?;
                store::save(&txn, work.task()).await?;
                let task = Some(work.task().clone().into());
                Ok(pb::StartTaskResponse { task })
            })
            .await
    }

    /// Hands in what a task asks for, as its owner. Without a review it is confirmed at once.
    ///
    /// # Errors
    /// If there is no such task, it is somebody else's to do, its state or its case does not allow it, what is handed in is
    /// not what it asks for, or the database fails.
    pub async fn submit_task(
        &self,
        key: &RequestKey,
        command: &SubmitTask,
        by: Owner,
    ) -> Result<pb::SubmitTaskResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut work = Work::lock(&txn, command.task_id).await?;
                work.expect_open(by, now)?;
                work.task().submit(by, command.submission.clone(), now)?;
                expect_documents(&txn, &work.person, &command.submission).await?;
                store::save(&txn, work.task()).await?;
                store::save_documents(&txn, work.task()).await?;
                self.go_on_confirmed(&txn, now, &mut work).await?;
                let task = Some(work.task().clone().into());
                Ok(pb::SubmitTaskResponse { task })
            })
            .await
    }

    /// Takes a task for review.
    ///
    /// # Errors
    /// If there is no such task, it does not wait for review, another reviewer has it, or the database fails.
    pub async fn claim_task(
        &self,
        key: &RequestKey,
        command: &ClaimTask,
        reviewer: &str,
    ) -> Result<pb::ClaimTaskResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut work = Work::lock(&txn, command.task_id).await?;
                work.expect_case_open(now)?;
                work.task().claim(reviewer, now)?;
                store::save(&txn, work.task()).await?;
                let task = Some(work.task().clone().into());
                Ok(pb::ClaimTaskResponse { task })
            })
            .await
    }

    /// Confirms what was handed in [B24].
    ///
    /// # Errors
    /// If there is no such task, it does not wait for review, this reviewer has not claimed it, or the database fails.
    pub async fn approve_task(
        &self,
        key: &RequestKey,
        command: &ApproveTask,
        reviewer: &str,
    ) -> Result<pb::ApproveTaskResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut work = Work::lock(&txn, command.task_id).await?;
                work.expect_case_open(now)?;
                decide(&txn, now, work.task(), reviewer, Verdict::Approve).await?;
                release(&txn, now, work.task()).await?;
                self.go_on_confirmed(&txn, now, &mut work).await?;
                let task = Some(work.task().clone().into());
                Ok(pb::ApproveTaskResponse { task })
            })
            .await
    }

    /// Has a task done again, for a reason; the talent is told by e-mail if it is theirs.
    ///
    /// # Errors
    /// As [`approve_task`](Self::approve_task).
    pub async fn reject_task(
        &self,
        key: &RequestKey,
        command: &RejectTask,
        reviewer: &str,
    ) -> Result<pb::RejectTaskResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut work = Work::lock(&txn, command.task_id).await?;
                work.expect_case_open(now)?;
                decide(
                    &txn,
                    now,
                    work.task(),
                    reviewer,
                    Verdict::Reject(command.reason.clone()),
                )
                .await?;
                if work.task().owner == Owner::Talent {
                    let task = work.task().clone();
                    let letter = letter::of_rejection(&work.file.case, &work.person, &task, &command.reason);
                    let about = ("task_rejected", task.case_id.as_uuid());
                    letter::send(&txn, now, about, &work.person, letter).await?;
                }
                let task = Some(work.task().clone().into());
                Ok(pb::RejectTaskResponse { task })
            })
            .await
    }

    /// When the last task of a case is confirmed, the talent is told and the case goes on [B24].
    async fn go_on_confirmed(&self, txn: &Txn, now: Timestamp, work: &mut Work) -> Result<(), Error> {
        let left = work.person.expect_open().is_err();
        if left || !work.file.tasks.iter().all(Task::is_confirmed) || !work.file.case.is_open(now) {
            return Ok(());
        }
        self.go_on(txn, now, &mut work.file, &work.person).await?;
        // The final agency invitation says as much.
        if work.file.case.state != State::At(Step::ConfirmListing) {
            let letter = letter::of_confirmation(&work.file.case, &work.person);
            let about = ("tasks_confirmed", work.file.case.id.as_uuid());
            letter::send(txn, now, about, &work.person, letter).await?;
        }
        Ok(())
    }
}

/// A task that is being worked on, with its case and person, all locked.
struct Work {
    file: CaseFile,
    person: Person,
    at: usize,
}

impl Work {
    async fn lock(txn: &Txn, id: TaskId) -> Result<Self, Error> {
        let unknown = || Error::not_found("task", id);
        let case = store::case_of(txn, id).await?.ok_or_else(unknown)?;
        // The lock on the case is that of its tasks, too.
        let (file, person) = lock(txn, case).await?;
        let at = file.tasks.iter().position(|task| task.id == id);
        let at = at.ok_or_else(unknown)?;
        Ok(Self { file, person, at })
    }

    fn task(&mut self) -> &mut Task {
        &mut self.file.tasks[self.at]
    }

    /// Tasks are done in open cases; the talent's when the steps before are done.
    fn expect_open(&self, by: Owner, now: Timestamp) -> Result<(), Error> {
        if by == Owner::Talent {
            self.person.expect_open()?;
        }
        self.expect_case_open(now)?;
        match self.file.case.state {
            State::At(Step::ReviewContract | Step::BuildProfile) if by == Owner::Talent => Err(Error::NotYetAtTasks),
            _ => Ok(()),
        }
    }

    fn expect_case_open(&self, now: Timestamp) -> Result<(), Error> {
        if self.file.case.is_open(now) {
            Ok(())
        } else {
            Err(Error::CaseClosed)
        }
    }
}

async fn decide(txn: &Txn, now: Timestamp, task: &mut Task, reviewer: &str, verdict: Verdict) -> Result<(), Error> {
    task.decide(reviewer, verdict.clone(), now)?;
    store::insert_decision(txn, task, reviewer, &verdict, now).await?;
    store::save(txn, task).await?;
    Ok(())
}

/// Documents are handed in by whom they belong to, unless they were rejected. They are locked, so that none is deleted meanwhile.
async fn expect_documents(txn: &Txn, person: &Person, submission: &Submission) -> Result<(), Error> {
    let mut flaws = Vec::new();
    for (at, id) in submission.documents.iter().enumerate() {
        let document = documents::lock(txn, *id).await?;
        let own = document.filter(|document| document.person_id == person.id);
        if own.is_none_or(|document| matches!(document.state, DocumentState::Rejected { .. })) {
            let field = format!("document_ids[{at}]");
            let why = FlawKind::Unknown;
            flaws.push(Flaw { field, why });
        }
    }
    if flaws.is_empty() {
        Ok(())
    } else {
        Err(TaskRefusal::Flawed(flaws).into())
    }
}

/// What is confirmed leaves the quarantine.
async fn release(txn: &Txn, now: Timestamp, task: &Task) -> Result<(), Error> {
    for id in task.submission.iter().flat_map(|submission| &submission.documents) {
        let found = documents::lock(txn, *id).await?;
        let mut document = found.ok_or_else(|| Error::not_found("document", id))?;
        match document.state {
            DocumentState::Rejected { .. } => return Err(DocumentRefusal::Rejected.into()),
            DocumentState::Quarantined => {
                document.release(now)?;
                documents::save(txn, &document).await?;
            }
            DocumentState::Released { .. } | DocumentState::Uploading => {}
        }
    }
    Ok(())
}
