//! `referral_words`, `referral_token`: what is said in invitations, and the tokens of their links.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{ActiveValue::Set, ConnectionTrait, entity::prelude::*};
use vouch_primitives::ReferralInvitationId;
use vouch_storage::{StorageError, Txn};

use super::super::{ROWS, corrupt, hash_of};
use crate::domain::{TokenHash, Words};

/// What is said in some invitations.
pub type Said = BTreeMap<ReferralInvitationId, Words>;

mod said {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "referral_words")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub invitation_id: Uuid,
        pub email: String,
        pub recipient_name: String,
        pub referrer_name: String,
        pub referrer_contact: String,
        pub job: String,
        pub message: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod token {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "referral_token")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub token_hash: Vec<u8>,
        pub invitation_id: Uuid,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Stores what an invitation says.
///
/// # Errors
/// If the database fails.
pub async fn insert_words(txn: &Txn, id: ReferralInvitationId, said: &Words) -> Result<(), StorageError> {
    let row = said::ActiveModel {
        invitation_id: Set(id.as_uuid()),
        email: Set(said.email.to_string()),
        recipient_name: Set(said.recipient_name.clone()),
        referrer_name: Set(said.referrer_name.clone()),
        referrer_contact: Set(said.referrer_contact.clone()),
        job: Set(said.job.clone()),
        message: Set(said.message.clone()),
    };
    said::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// What these invitations say; nothing of those whose words were erased.
///
/// # Errors
/// If the database fails.
pub async fn words_of(conn: &impl ConnectionTrait, ids: &BTreeSet<ReferralInvitationId>) -> Result<Said, StorageError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    let mut found = Said::new();
    for chunk in ids.chunks(ROWS) {
        let rows = said::Entity::find().filter(said::Column::InvitationId.is_in(chunk.iter().copied()));
        for row in rows.all(conn).await? {
            let said = Words {
                email: row.email.parse().map_err(corrupt)?,
                recipient_name: row.recipient_name,
                referrer_name: row.referrer_name,
                referrer_contact: row.referrer_contact,
                job: row.job,
                message: row.message,
            };
            found.insert(ReferralInvitationId::from_uuid(row.invitation_id), said);
        }
    }
    Ok(found)
}

/// Deletes what these invitations say, for ever.
///
/// # Errors
/// If the database fails.
pub async fn erase_words(txn: &Txn, ids: &BTreeSet<ReferralInvitationId>) -> Result<(), StorageError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    for chunk in ids.chunks(ROWS) {
        said::Entity::delete_many()
            .filter(said::Column::InvitationId.is_in(chunk.iter().copied()))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Adds tokens to invitations; those that they have go on working.
///
/// # Errors
/// If the database fails.
pub async fn add_tokens(txn: &Txn, tokens: &[(TokenHash, ReferralInvitationId)]) -> Result<(), StorageError> {
    for chunk in tokens.chunks(ROWS) {
        let rows = chunk.iter().map(|(hash, invitation)| token::ActiveModel {
            token_hash: Set(hash.0.to_vec()),
            invitation_id: Set(invitation.as_uuid()),
        });
        token::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// Makes the tokens of these invitations worthless.
///
/// # Errors
/// If the database fails.
pub async fn revoke_tokens(txn: &Txn, ids: &BTreeSet<ReferralInvitationId>) -> Result<(), StorageError> {
    let ids: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
    for chunk in ids.chunks(ROWS) {
        token::Entity::delete_many()
            .filter(token::Column::InvitationId.is_in(chunk.iter().copied()))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Which invitations have these tokens.
///
/// # Errors
/// If the database fails.
pub async fn of_tokens(
    conn: &impl ConnectionTrait,
    hashes: &BTreeSet<TokenHash>,
) -> Result<BTreeMap<TokenHash, ReferralInvitationId>, StorageError> {
    let hashes: Vec<_> = hashes.iter().map(|hash| hash.0.to_vec()).collect();
    let mut found = BTreeMap::new();
    for chunk in hashes.chunks(ROWS) {
        let rows = token::Entity::find().filter(token::Column::TokenHash.is_in(chunk.iter().cloned()));
        for row in rows.all(conn).await? {
            let id = ReferralInvitationId::from_uuid(row.invitation_id);
            found.insert(TokenHash(hash_of(row.token_hash)?), id);
        }
    }
    Ok(found)
}
