//! Tasks of cases, and what reviewers have said of them.

mod entity;
mod row;

use std::collections::HashMap;

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, Iterable, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select, Set,
    sea_query::{Expr, ExprTrait, LockType, OnConflict},
};
use vouch_primitives::{CaseId, DocumentId, PersonId, TaskId, Timestamp, Uuid};
use vouch_storage::{StorageError, Txn};

use self::entity::{decision, document, task};
use super::{
    cases,
    task_templates::{find_versions, version_from_row},
    unreadable,
};
use crate::domain::{Task, TaskTemplate, task::Verdict, template::TemplateVersion};

/// What stands where words of an erased person stood.
const ERASED: &str = "erased";

/// Adds the tasks of a case, in this order.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, person: PersonId, tasks: &[Task]) -> Result<(), StorageError> {
    if tasks.is_empty() {
        return Ok(());
    }
    let rows = (1..)
        .zip(tasks)
        .map(|(position, task)| row::to_new_row(task, person, position));
    task::Entity::insert_many(rows).exec_without_returning(txn).await?;
    insert_documents(txn, tasks).await
}

/// Notes which documents were handed in for a task. What was handed in before and rejected stays: it was decided by it.
///
/// # Errors
/// When the database fails.
pub async fn save_documents(txn: &Txn, task: &Task) -> Result<(), StorageError> {
    insert_documents(txn, std::slice::from_ref(task)).await
}

async fn insert_documents(txn: &Txn, tasks: &[Task]) -> Result<(), StorageError> {
    let of_task = |task: &Task| {
        let (task_id, documents) = (task.id.as_uuid(), task.submission.clone().unwrap_or_default().documents);
        documents.into_iter().map(move |document| document::ActiveModel {
            task_id: Set(task_id),
            document_id: Set(document.as_uuid()),
        })
    };
    let rows: Vec<_> = tasks.iter().flat_map(of_task).collect();
    if !rows.is_empty() {
        let handed_in_before = OnConflict::new().do_nothing().to_owned();
        document::Entity::insert_many(rows)
            .on_conflict(handed_in_before)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Whether a document was handed in for a task.
///
/// # Errors
/// When the database fails.
pub async fn rest_on(conn: &impl ConnectionTrait, id: DocumentId) -> Result<bool, StorageError> {
    let handed_in = document::Entity::find().filter(document::Column::DocumentId.eq(id.as_uuid()));
    Ok(handed_in.count(conn).await? > 0)
}

/// The tasks of a case, in their order.
///
/// # Errors
/// When the database fails.
pub async fn of_case(conn: &impl ConnectionTrait, case: CaseId) -> Result<Vec<Task>, StorageError> {
    let wanted = task::Entity::find()
        .filter(task::Column::CaseId.eq(case.as_uuid()))
        .order_by_asc(task::Column::Position);
    load(conn, wanted).await
}

/// How the tasks of several cases stand, in their order. What was handed in for them is left out: of a hundred cases it could
/// be more than memory holds.
///
/// # Errors
/// When the database fails.
pub async fn of_cases(
    conn: &impl ConnectionTrait,
    cases: &[CaseId],
) -> Result<HashMap<CaseId, Vec<Task>>, StorageError> {
    let others = task::Column::iter().filter(|column| !matches!(column, task::Column::Submission));
    let wanted = task::Entity::find()
        .select_only()
        .columns(others)
        .column_as(Expr::value(None::<Vec<u8>>), task::Column::Submission)
        .filter(task::Column::CaseId.is_in(cases.iter().map(|id| id.as_uuid())))
        .order_by_asc(task::Column::CaseId)
        .order_by_asc(task::Column::Position);
    let mut sorted: HashMap<CaseId, Vec<Task>> = HashMap::new();
    for task in load(conn, wanted).await? {
        sorted.entry(task.case_id).or_default().push(task);
    }
    Ok(sorted)
}

/// Reads a task.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: TaskId) -> Result<Option<Task>, StorageError> {
    Ok(load(conn, task::Entity::find_by_id(id.as_uuid())).await?.pop())
}

/// Of which case a task is.
///
/// # Errors
/// When the database fails.
pub async fn case_of(conn: &impl ConnectionTrait, id: TaskId) -> Result<Option<CaseId>, StorageError> {
    let found: Option<Uuid> = task::Entity::find_by_id(id.as_uuid())
        .select_only()
        .column(task::Column::CaseId)
        .into_tuple()
        .one(conn)
        .await?;
    Ok(found.map(CaseId::from_uuid))
}

/// Reads a task and locks it.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: TaskId) -> Result<Option<Task>, StorageError> {
    let wanted = task::Entity::find_by_id(id.as_uuid()).lock(LockType::Update);
    Ok(load(txn, wanted).await?.pop())
}

/// Saves how a task stands.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, task: &Task) -> Result<(), StorageError> {
    task::Entity::update(row::to_row(task)).exec(txn).await?;
    Ok(())
}

/// Keeps what a reviewer has said of what was handed in.
///
/// # Errors
/// When the database fails.
pub async fn insert_decision(
    txn: &Txn,
    task: &Task,
    reviewer: &str,
    verdict: &Verdict,
    now: Timestamp,
) -> Result<(), StorageError> {
    let earlier = decision::Entity::find().filter(decision::Column::TaskId.eq(task.id.as_uuid()));
    let number = i32::try_from(earlier.count(txn).await?).unwrap_or(i32::MAX);
    let (verdict, reason) = match verdict {
        Verdict::Approve => ("APPROVE", ""),
        Verdict::Reject(reason) => ("REJECT", reason.as_str()),
    };
    let row = decision::ActiveModel {
        task_id: Set(task.id.as_uuid()),
        number: Set(number.saturating_add(1)),
        reviewer: Set(reviewer.to_owned()),
        verdict: Set(verdict.to_owned()),
        reason: Set(reason.to_owned()),
        decided_at: Set(now.as_micros()),
        submission: Set(task.submission.as_ref().map(row::encode).unwrap_or_default()),
    };
    decision::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// The answers of a person that could be reused: their confirmed tasks of these templates, the newest answer first.
///
/// # Errors
/// When the database fails.
pub async fn confirmed_of_person(
    conn: &impl ConnectionTrait,
    person: PersonId,
    templates: &[TaskTemplate],
) -> Result<Vec<Task>, StorageError> {
    let wanted = task::Entity::find()
        .filter(task::Column::PersonId.eq(person.as_uuid()))
        .filter(task::Column::TemplateId.is_in(templates.iter().map(|template| template.version.id.as_uuid())))
        .filter(task::Column::State.eq(row::APPROVED))
        .order_by_desc(task::Column::SubmittedAt)
        .order_by_desc(task::Column::Id);
    load(conn, wanted).await
}

/// The moment from which on a person may be classified again, if that is still to come: the latest that a failed
/// classification has set.
///
/// # Errors
/// When the database fails.
pub async fn next_classification(
    conn: &impl ConnectionTrait,
    person: PersonId,
    now: Timestamp,
) -> Result<Option<Timestamp>, StorageError> {
    let latest = task::Entity::find()
        .filter(task::Column::PersonId.eq(person.as_uuid()))
        .filter(task::Column::NotBefore.gt(now.as_micros()))
        .order_by_desc(task::Column::NotBefore)
        .one(conn)
        .await?;
    Ok(latest.and_then(|row| row.not_before).map(Timestamp::from_micros))
}

/// At most `limit` tasks that wait for review and come after `after`, those first that have waited longest; with
/// `free_at` only those that nobody has claimed at that moment.
///
/// # Errors
/// When the database fails.
pub async fn list_waiting(
    conn: &impl ConnectionTrait,
    after: Option<TaskId>,
    free_at: Option<Timestamp>,
    limit: u64,
) -> Result<Vec<Task>, StorageError> {
    let mut wanted = task::Entity::find()
        .filter(task::Column::State.eq(row::SUBMITTED))
        .filter(task::Column::CaseId.in_subquery(cases::open_ones()));
    if let Some(after) = after {
        let Some(last) = task::Entity::find_by_id(after.as_uuid()).one(conn).await? else {
            return Ok(vec![]);
        };
        // What was the last of a page may be decided meanwhile; since when it had waited, it still tells.
        let moment = last.submitted_at.unwrap_or(last.since);
        let later = task::Column::SubmittedAt.gt(moment);
        let same = task::Column::SubmittedAt.eq(moment).and(task::Column::Id.gt(last.id));
        wanted = wanted.filter(later.or(same));
    }
    if let Some(now) = free_at {
        let unclaimed = task::Column::ClaimedUntil.is_null();
        wanted = wanted.filter(unclaimed.or(task::Column::ClaimedUntil.lte(now.as_micros())));
    }
    let wanted = wanted
        .order_by_asc(task::Column::SubmittedAt)
        .order_by_asc(task::Column::Id);
    load(conn, wanted.limit(limit)).await
}

/// Forgets what a person has handed in, and what was said of it; that it was handed in and how it was decided stays.
///
/// # Errors
/// When the database fails.
pub async fn erase_of(txn: &Txn, person: PersonId) -> Result<(), StorageError> {
    let own = || task::Entity::find().filter(task::Column::PersonId.eq(person.as_uuid()));
    let ids = own().select_only().column(task::Column::Id).into_query();
    document::Entity::delete_many()
        .filter(document::Column::TaskId.in_subquery(ids.clone()))
        .exec(txn)
        .await?;
    decision::Entity::update_many()
        .col_expr(decision::Column::Submission, Expr::value(Vec::<u8>::new()))
        .filter(decision::Column::TaskId.in_subquery(ids.clone()))
        .exec(txn)
        .await?;
    decision::Entity::update_many()
        .col_expr(decision::Column::Reason, Expr::value(ERASED))
        .filter(decision::Column::TaskId.in_subquery(ids))
        .filter(decision::Column::Reason.ne(""))
        .exec(txn)
        .await?;
    task::Entity::update_many()
        .col_expr(task::Column::Submission, Expr::value(Vec::<u8>::new()))
        .filter(task::Column::PersonId.eq(person.as_uuid()))
        .filter(task::Column::Submission.is_not_null())
        .exec(txn)
        .await?;
    // Nobody reviews what is gone.
    task::Entity::update_many()
        .col_expr(task::Column::State, Expr::value(row::REJECTED))
        .col_expr(task::Column::RejectReason, Expr::value(ERASED))
        .col_expr(task::Column::ClaimedUntil, Expr::value(None::<i64>))
        .filter(task::Column::PersonId.eq(person.as_uuid()))
        .filter(task::Column::State.eq(row::SUBMITTED))
        .exec(txn)
        .await?;
    task::Entity::update_many()
        .col_expr(task::Column::RejectReason, Expr::value(ERASED))
        .filter(task::Column::PersonId.eq(person.as_uuid()))
        .filter(task::Column::RejectReason.is_not_null())
        .exec(txn)
        .await?;
    Ok(())
}

async fn load(conn: &impl ConnectionTrait, wanted: Select<task::Entity>) -> Result<Vec<Task>, StorageError> {
    let rows = wanted.all(conn).await?;
    let version = |row: &task::Model| version_from_row(row.template_id, row.template_version);
    let mut versions = Vec::with_capacity(rows.len());
    for row in &rows {
        versions.push(version(row)?);
    }
    versions.sort_unstable_by_key(|version| (version.id, version.version));
    versions.dedup();
    let templates: HashMap<TemplateVersion, TaskTemplate> = find_versions(conn, versions).await?;
    rows.into_iter()
        .map(|row| {
            let template = templates.get(&version(&row)?);
            let template = template.ok_or_else(|| unreadable("task.template_id", "there is no such version"))?;
            row::from_row(row, template)
        })
        .collect()
}
