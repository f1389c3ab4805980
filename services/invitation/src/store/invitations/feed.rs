//! What has changed, in order: every change of an invitation gets it a number that is larger than all that its client's
//! invitations have had.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, OnConflict},
};
use vouch_primitives::{ClientId, InvitationId, Uuid};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, all, among, entity::Column};
use crate::domain::{Change, Invitation};

/// Numbers a change of these invitations. It comes after everything that a transaction may have to wait for: who changes
/// others of the same client waits until it ends, so that nobody ever reads a number before a lower one.
///
/// # Errors
/// When the database fails.
pub async fn number(txn: &Txn, changed: &[(ClientId, InvitationId)]) -> Result<(), StorageError> {
    let mut by_client = BTreeMap::<ClientId, Vec<InvitationId>>::new();
    for (client, id) in changed {
        by_client.entry(*client).or_default().push(*id);
    }
    for (client, ids) in by_client {
        let first = entity::ActiveModel {
            client_id: Set(client.as_uuid()),
            change: Set(1),
        };
        let one_more = OnConflict::column(entity::Column::ClientId)
            .value(
                entity::Column::Change,
                Expr::col((entity::Entity, entity::Column::Change)).add(1),
            )
            .to_owned();
        let numbered = entity::Entity::insert(first)
            .on_conflict(one_more)
            .exec_with_returning(txn)
            .await?;
        for chunk in ids.chunks(ROWS) {
            super::Entity::update_many()
                .col_expr(Column::Change, Expr::value(numbered.change))
                .filter(among(chunk))
                .exec(txn)
                .await?;
        }
    }
    Ok(())
}

/// A client's invitations that have changed since `seen`, in the order of their last changes.
///
/// # Errors
/// When the database fails.
pub async fn changed_since(
    conn: &impl ConnectionTrait,
    client: ClientId,
    seen: Change,
    limit: u64,
) -> Result<Vec<(Change, Invitation)>, StorageError> {
    let Change { number, id } = seen;
    // The first half alone would do to say it; both engines find the place in the index by the second.
    let later = Condition::all()
        .add(
            Condition::any()
                .add(Column::Change.gt(number))
                .add(Column::Id.gt(id.as_uuid())),
        )
        .add(Column::Change.gte(number));
    let of_client = super::Entity::find().filter(Column::ClientId.eq(client.as_uuid()));
    let ids: Vec<(Uuid, i64)> = of_client
        .filter(later)
        .order_by_asc(Column::Change)
        .order_by_asc(Column::Id)
        .limit(limit)
        .select_only()
        .columns([Column::Id, Column::Change])
        .into_tuple()
        .all(conn)
        .await?;
    let wanted: Vec<_> = ids.iter().map(|(id, _)| InvitationId::from_uuid(*id)).collect();
    let found = all(conn, super::Entity::find().filter(among(&wanted))).await?;
    let mut found: BTreeMap<_, _> = found
        .into_iter()
        .map(|invitation| (invitation.id, invitation))
        .collect();
    let changed = ids.into_iter().filter_map(|(id, number)| {
        let id = InvitationId::from_uuid(id);
        found.remove(&id).map(|invitation| (Change { number, id }, invitation))
    });
    Ok(changed.collect())
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invitation_feed")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub client_id: Uuid,
        pub change: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
