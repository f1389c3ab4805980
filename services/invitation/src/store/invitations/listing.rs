//! A client's invitations, listed and counted.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};
use vouch_primitives::{ClientId, InvitationId};
use vouch_storage::StorageError;

use super::{
    all,
    entity::{Column, Entity},
    row::{name_of, stage_of},
};
use crate::domain::{Filter, Invitation, Order, Stage};

/// A client's invitations, from the one after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn list_of_client(
    conn: &impl ConnectionTrait,
    client: ClientId,
    filter: &Filter,
    order: Order,
    after: Option<InvitationId>,
    limit: u64,
) -> Result<Vec<Invitation>, StorageError> {
    let mut query = which(client, filter);
    query = match (order, after.map(|id| id.as_uuid())) {
        (Order::NewestFirst, None) => query.order_by_desc(Column::Id),
        (Order::NewestFirst, Some(after)) => query.filter(Column::Id.lt(after)).order_by_desc(Column::Id),
        (Order::OldestFirst, None) => query.order_by_asc(Column::Id),
        (Order::OldestFirst, Some(after)) => query.filter(Column::Id.gt(after)).order_by_asc(Column::Id),
    };
    all(conn, query.limit(limit)).await
}

/// How many of a client's invitations stand where, and of how many of these the offer was accepted.
///
/// # Errors
/// When the database fails.
pub async fn count_by_stage(
    conn: &impl ConnectionTrait,
    client: ClientId,
    filter: &Filter,
) -> Result<Vec<(Stage, u64, u64)>, StorageError> {
    let rows: Vec<(String, i64, i64)> = which(client, filter)
        .select_only()
        .column(Column::State)
        .column_as(Column::State.count(), "invitations")
        .column_as(Column::HiredAt.count(), "hired")
        .group_by(Column::State)
        .into_tuple()
        .all(conn)
        .await?;
    let counted = rows
        .into_iter()
        .map(|(state, invitations, hired)| Ok((stage_of(&state)?, invitations.unsigned_abs(), hired.unsigned_abs())));
    counted.collect()
}

fn which(client: ClientId, filter: &Filter) -> Select<Entity> {
    let mut query = Entity::find().filter(Column::ClientId.eq(client.as_uuid()));
    if !filter.stages.is_empty() {
        query = query.filter(Column::State.is_in(filter.stages.iter().map(|stage| name_of(*stage))));
    }
    if let Some(recipient) = &filter.recipient {
        query = query.filter(Column::RecipientEmail.eq(recipient.as_str()));
    }
    if let Some(from) = filter.from {
        query = query.filter(Column::SentAt.gte(from.as_micros()));
    }
    if let Some(until) = filter.until {
        query = query.filter(Column::SentAt.lt(until.as_micros()));
    }
    query
}
