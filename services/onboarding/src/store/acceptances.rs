//! Acceptances of invitations, from their begin to their end.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, Set,
    sea_query::{Expr, LockType},
};
use vouch_primitives::{InvitationId, PersonId, RequestId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::unreadable;
use crate::domain::{Acceptance, LinkCookieId, Proof, ReferralCode, ReferralEvidence, TokenHash};

/// Adds an acceptance that begins.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, acceptance: &Acceptance) -> Result<(), StorageError> {
    let (token_hash, evidence) = match &acceptance.proof {
        Proof::Token(hash, evidence) => (Some(hash.0.to_vec()), evidence.clone()),
        Proof::VerifiedEmail => (None, ReferralEvidence::default()),
    };
    let row = entity::ActiveModel {
        request_id: Set(acceptance.request_id.as_uuid()),
        invitation_id: Set(acceptance.invitation_id.as_uuid()),
        person_id: Set(acceptance.person_id.as_uuid()),
        token_hash: Set(token_hash),
        agency_name: Set(acceptance.agency_name.clone()),
        referral_code: Set(evidence.code.map(|code| code.as_str().to_owned())),
        link_cookie_id: Set(evidence.link_cookie.map(|id| id.as_str().to_owned())),
        referral_invitation_sha256: Set(evidence.invitation.map(|token| token.0.to_vec())),
        begun_at: Set(acceptance.begun_at.as_micros()),
        finished_at: Set(acceptance.finished_at.map(Timestamp::as_micros)),
    };
    entity::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// Reads the acceptance that a request began.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, request_id: RequestId) -> Result<Option<Acceptance>, StorageError> {
    let row = entity::Entity::find_by_id(request_id.as_uuid()).one(conn).await?;
    row.map(acceptance).transpose()
}

/// Reads the acceptance that a request began, and locks its row: whoever else finishes it comes after.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, request_id: RequestId) -> Result<Option<Acceptance>, StorageError> {
    let row = entity::Entity::find_by_id(request_id.as_uuid())
        .lock(LockType::Update)
        .one(txn)
        .await?;
    row.map(acceptance).transpose()
}

/// Saves that an acceptance has come to its end.
///
/// # Errors
/// When the database fails.
pub async fn save_finished(txn: &Txn, request_id: RequestId, now: Timestamp) -> Result<(), StorageError> {
    entity::Entity::update_many()
        .col_expr(entity::Column::FinishedAt, Expr::value(now.as_micros()))
        .filter(entity::Column::RequestId.eq(request_id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

/// Forgets an acceptance that was refused.
///
/// # Errors
/// When the database fails.
pub async fn delete(txn: &Txn, request_id: RequestId) -> Result<(), StorageError> {
    entity::Entity::delete_by_id(request_id.as_uuid()).exec(txn).await?;
    Ok(())
}

/// Forgets how the person of these acceptances came here.
///
/// # Errors
/// When the database fails.
pub async fn erase_evidence(txn: &Txn, person: PersonId) -> Result<(), StorageError> {
    entity::Entity::update_many()
        .set(entity::ActiveModel {
            referral_code: Set(None),
            link_cookie_id: Set(None),
            referral_invitation_sha256: Set(None),
            agency_name: Set(None),
            ..Default::default()
        })
        .filter(entity::Column::PersonId.eq(person.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

fn acceptance(row: entity::Model) -> Result<Acceptance, StorageError> {
    Ok(Acceptance {
        request_id: RequestId::from_uuid(row.request_id),
        invitation_id: InvitationId::from_uuid(row.invitation_id),
        person_id: PersonId::from_uuid(row.person_id),
        agency_name: row.agency_name.clone(),
        begun_at: Timestamp::from_micros(row.begun_at),
        finished_at: row.finished_at.map(Timestamp::from_micros),
        proof: proof(row)?,
    })
}

fn proof(row: entity::Model) -> Result<Proof, StorageError> {
    let Some(of_invitation) = token(row.token_hash, "acceptance.token_hash")? else {
        return Ok(Proof::VerifiedEmail);
    };
    let code: Option<ReferralCode> = row
        .referral_code
        .map(|code| code.parse())
        .transpose()
        .map_err(|error| unreadable("acceptance.referral_code", error))?;
    let link_cookie: Option<LinkCookieId> = row
        .link_cookie_id
        .map(|id| id.parse())
        .transpose()
        .map_err(|error| unreadable("acceptance.link_cookie_id", error))?;
    let evidence = ReferralEvidence {
        code,
        link_cookie,
        invitation: token(row.referral_invitation_sha256, "acceptance.referral_invitation_sha256")?,
    };
    Ok(Proof::Token(of_invitation, evidence))
}

fn token(hash: Option<Vec<u8>>, column: &str) -> Result<Option<TokenHash>, StorageError> {
    let wrong_length = |hash: Vec<u8>| unreadable(column, format!("{} bytes", hash.len()));
    let hash = hash.map(|hash| hash.try_into().map(TokenHash)).transpose();
    hash.map_err(wrong_length)
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "acceptance")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub request_id: Uuid,
        pub invitation_id: Uuid,
        pub person_id: Uuid,
        pub token_hash: Option<Vec<u8>>,
        pub referral_code: Option<String>,
        pub agency_name: Option<String>,
        pub link_cookie_id: Option<String>,
        pub referral_invitation_sha256: Option<Vec<u8>>,
        pub begun_at: i64,
        pub finished_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
