//! Invitations.

mod entity;
mod erasing;
mod feed;
mod listing;
mod row;
mod tokens;

use std::collections::{HashMap, HashSet};

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{CaseStatement, Expr, Query},
};
use vouch_primitives::{ClientId, EmailAddress, InvitationId, Timestamp, Uuid};
use vouch_storage::{StorageError, Txn};

use self::{
    entity::{Column, Entity, Model},
    row::name_of,
};
use super::{ROWS, clients, clouds};
use crate::domain::{Acceptance, Hire, Invitation, OfferEnd, Stage, TokenHash};

pub use erasing::{About, erase, lock_about};
pub use feed::{changed_since, number};
pub use listing::{count_by_stage, list_of_client};
pub use tokens::{add_tokens, revoke_tokens, tokens_of};

/// What became of news of offers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Those of which nothing was noted yet.
    pub news: Vec<(ClientId, InvitationId)>,
    /// Those that nobody has accepted, of which nothing is noted.
    pub unknown: Vec<InvitationId>,
}

/// An invitation that nobody answered in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// Which.
    pub id: InvitationId,
    /// Who invited.
    pub client_id: ClientId,
    /// When it expired.
    pub expires_at: Timestamp,
}

/// Adds invitations.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, invitations: &[Invitation]) -> Result<(), StorageError> {
    for chunk in invitations.chunks(ROWS) {
        Entity::insert_many(chunk.iter().map(row::to_row))
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Reads an invitation.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: InvitationId) -> Result<Option<Invitation>, StorageError> {
    one(conn, Entity::find_by_id(id.as_uuid())).await
}

/// Who sent an invitation.
///
/// # Errors
/// When the database fails.
pub async fn client_of(conn: &impl ConnectionTrait, id: InvitationId) -> Result<Option<ClientId>, StorageError> {
    let query = Entity::find_by_id(id.as_uuid()).select_only().column(Column::ClientId);
    let client: Option<Uuid> = query.into_tuple().one(conn).await?;
    Ok(client.map(ClientId::from_uuid))
}

/// Reads an invitation that the transaction is going to change: others wait, and read it afterwards.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: InvitationId) -> Result<Option<Invitation>, StorageError> {
    // A statement of its own: one that waits for a lock still sees the other tables as they were before.
    Entity::find_by_id(id.as_uuid()).lock_exclusive().one(txn).await?;
    find(txn, id).await
}

/// Finds the open invitation of a token. Unknown, used, dead and expired ones are the same row that is not there.
///
/// # Errors
/// When the database fails.
pub async fn find_open_by_token(
    conn: &impl ConnectionTrait,
    token: &TokenHash,
    now: Timestamp,
) -> Result<Option<Invitation>, StorageError> {
    let of_token = Query::select()
        .column("invitation_id")
        .from("invitation_token")
        .and_where(tokens::is(token))
        .to_owned();
    one(conn, open(now).filter(Column::Id.in_subquery(of_token))).await
}

/// The open invitations of an address, the oldest first, from the one after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn find_open_by_recipient(
    conn: &impl ConnectionTrait,
    recipient: &EmailAddress,
    now: Timestamp,
    after: Option<InvitationId>,
    limit: u64,
) -> Result<Vec<Invitation>, StorageError> {
    let mut query = open(now).filter(Column::RecipientEmail.eq(recipient.as_str()));
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.as_uuid()));
    }
    all(conn, query.order_by_asc(Column::Id).limit(limit)).await
}

/// Notes who accepted, if it is still pending then and not expired; tells whether it was. This is the fence that makes
/// an invitation single-use.
///
/// # Errors
/// When the database fails.
pub async fn save_acceptance(txn: &Txn, id: InvitationId, acceptance: &Acceptance) -> Result<bool, StorageError> {
    let accepted_at = acceptance.accepted_at.as_micros();
    let updated = Entity::update_many()
        .col_expr(Column::State, Expr::value(name_of(Stage::Accepted)))
        .col_expr(Column::AcceptedAt, Expr::value(accepted_at))
        .col_expr(Column::PersonId, Expr::value(acceptance.person_id.as_uuid()))
        .filter(Column::Id.eq(id.as_uuid()))
        .filter(Column::State.eq(name_of(Stage::Pending)))
        .filter(Column::ExpiresAt.gt(accepted_at))
        .exec(txn)
        .await?;
    Ok(updated.rows_affected == 1)
}

/// Those of `ids` that are open at `now`.
///
/// # Errors
/// When the database fails.
pub async fn find_open(
    conn: &impl ConnectionTrait,
    ids: &[InvitationId],
    now: Timestamp,
) -> Result<Vec<Invitation>, StorageError> {
    let mut found = Vec::new();
    for chunk in ids.chunks(ROWS) {
        found.extend(all(conn, open(now).filter(among(chunk))).await?);
    }
    Ok(found)
}

/// When those of `ids` were sent, or sent again, that are open at `now`.
///
/// # Errors
/// When the database fails.
pub async fn open_since(
    conn: &impl ConnectionTrait,
    ids: &[InvitationId],
    now: Timestamp,
) -> Result<HashMap<InvitationId, Timestamp>, StorageError> {
    let rows: Vec<(Uuid, i64)> = open(now)
        .filter(among(ids))
        .select_only()
        .columns([Column::Id, Column::SentAt])
        .into_tuple()
        .all(conn)
        .await?;
    let since = rows
        .into_iter()
        .map(|(id, sent_at)| (InvitationId::from_uuid(id), Timestamp::from_micros(sent_at)));
    Ok(since.collect())
}

/// Notes where an invitation stands that the transaction has locked, and until when it is open.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, invitation: &Invitation) -> Result<(), StorageError> {
    row::to_row(invitation).update(txn).await?;
    Ok(())
}

/// Expires those of `ids` that are pending and whose moment has come by `now`, and returns these.
///
/// # Errors
/// When the database fails.
pub async fn expire(txn: &Txn, ids: &[InvitationId], now: Timestamp) -> Result<Vec<Unanswered>, StorageError> {
    let mut expired = Vec::new();
    for chunk in ids.chunks(ROWS) {
        let rows = Entity::update_many()
            .col_expr(Column::State, Expr::value(name_of(Stage::Expired)))
            .filter(among(chunk))
            .filter(Column::State.eq(name_of(Stage::Pending)))
            .filter(Column::ExpiresAt.lte(now.as_micros()))
            .exec_with_returning(txn)
            .await?;
        expired.extend(rows.iter().map(unanswered));
    }
    Ok(expired)
}

/// Notes when the offers that came with these invitations were accepted, where it is not noted yet.
///
/// # Errors
/// When the database fails.
pub async fn save_hires(txn: &Txn, hires: &[Hire]) -> Result<Noted, StorageError> {
    let moments = hires.iter().map(|hire| (hire.invitation_id, hire.hired_at));
    save_moments(txn, Column::HiredAt, &moments.collect::<Vec<_>>()).await
}

/// Notes when the offers that came with these invitations came to nothing, where it is not noted yet.
///
/// # Errors
/// When the database fails.
pub async fn save_ends(txn: &Txn, ends: &[OfferEnd]) -> Result<Noted, StorageError> {
    let moments = ends.iter().map(|end| (end.invitation_id, end.ended_at));
    save_moments(txn, Column::OfferEndedAt, &moments.collect::<Vec<_>>()).await
}

async fn save_moments(txn: &Txn, column: Column, moments: &[(InvitationId, Timestamp)]) -> Result<Noted, StorageError> {
    let mut noted = Noted::default();
    for chunk in moments.chunks(ROWS) {
        let ids: Vec<_> = chunk.iter().map(|(id, _)| *id).collect();
        let accepted: Vec<Model> = Entity::find()
            .filter(among(&ids))
            .filter(Column::State.eq(name_of(Stage::Accepted)))
            .all(txn)
            .await?;
        let news = accepted
            .iter()
            .filter(|row| row.hired_at.is_none() && row.offer_ended_at.is_none());
        noted
            .news
            .extend(news.map(|row| (ClientId::from_uuid(row.client_id), InvitationId::from_uuid(row.id))));
        let accepted: HashSet<_> = accepted.iter().map(|row| row.id).collect();
        noted
            .unknown
            .extend(ids.iter().filter(|id| !accepted.contains(&id.as_uuid())));
        let moment = chunk.iter().fold(CaseStatement::new(), |case, (id, moment)| {
            case.case(Column::Id.eq(id.as_uuid()), moment.as_micros())
        });
        Entity::update_many()
            .col_expr(column, moment.into())
            .filter(among(&ids))
            .filter(Column::State.eq(name_of(Stage::Accepted)))
            .filter(Column::HiredAt.is_null())
            .filter(Column::OfferEndedAt.is_null())
            .exec(txn)
            .await?;
    }
    Ok(noted)
}

fn open(now: Timestamp) -> sea_orm::Select<Entity> {
    Entity::find()
        .filter(Column::State.eq(name_of(Stage::Pending)))
        .filter(Column::ExpiresAt.gt(now.as_micros()))
}

fn among(ids: &[InvitationId]) -> Expr {
    Column::Id.is_in(ids.iter().map(|id| id.as_uuid()))
}

fn unanswered(row: &Model) -> Unanswered {
    Unanswered {
        id: InvitationId::from_uuid(row.id),
        client_id: ClientId::from_uuid(row.client_id),
        expires_at: Timestamp::from_micros(row.expires_at),
    }
}

async fn one(conn: &impl ConnectionTrait, query: sea_orm::Select<Entity>) -> Result<Option<Invitation>, StorageError> {
    Ok(all(conn, query.limit(1)).await?.pop())
}

/// The rows of `query`, each with the names of its client, its hiring manager and its cloud.
async fn all(conn: &impl ConnectionTrait, query: sea_orm::Select<Entity>) -> Result<Vec<Invitation>, StorageError> {
    let rows = query
        .find_also_related(clients::entity::Entity)
        .find_also_related(clients::manager::Entity)
        .find_also(Entity, clouds::entity::Entity)
        .all(conn)
        .await?;
    rows.into_iter().map(row::from_row).collect()
}
