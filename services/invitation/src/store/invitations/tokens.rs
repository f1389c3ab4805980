//! The tokens that were e-mailed, as hashes.

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr};
use vouch_primitives::InvitationId;
use vouch_storage::{StorageError, Txn};

use super::super::{ROWS, unreadable};
use crate::domain::TokenHash;

/// Adds tokens to invitations; those that they have go on working.
///
/// # Errors
/// When the database fails.
pub async fn add_tokens(txn: &Txn, tokens: &[(InvitationId, TokenHash)]) -> Result<(), StorageError> {
    for chunk in tokens.chunks(ROWS) {
        let rows = chunk.iter().map(|(invitation, TokenHash(hash))| entity::ActiveModel {
            token_hash: Set(hash.to_vec()),
            invitation_id: Set(invitation.as_uuid()),
        });
        entity::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// The tokens of an invitation.
///
/// # Errors
/// When the database fails.
pub async fn tokens_of(txn: &Txn, invitation: InvitationId) -> Result<Vec<TokenHash>, StorageError> {
    let rows = entity::Entity::find()
        .filter(entity::Column::InvitationId.eq(invitation.as_uuid()))
        .all(txn)
        .await?;
    let read = |row: entity::Model| {
        let hash = row.token_hash.try_into();
        hash.map(TokenHash)
            .map_err(|_| unreadable("invitation_token.token_hash", "not 32 bytes"))
    };
    rows.into_iter().map(read).collect()
}

/// Makes the tokens of an invitation worthless.
///
/// # Errors
/// When the database fails.
pub async fn revoke_tokens(txn: &Txn, invitation: InvitationId) -> Result<(), StorageError> {
    entity::Entity::delete_many()
        .filter(entity::Column::InvitationId.eq(invitation.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

/// The condition of being this token.
pub(super) fn is(token: &TokenHash) -> Expr {
    entity::Column::TokenHash.eq(token.0.as_slice())
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "invitation_token")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: Vec<u8>,
        pub invitation_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
