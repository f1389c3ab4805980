//! `sign_up`: what people had when they signed up. `person_address`: by which hashes they are known.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::{
    ActiveValue::Set, ConnectionTrait, FromQueryResult, Statement, entity::prelude::*, sea_query::OnConflict,
};
use vouch_primitives::{AccountId, PersonId, RequestId};
use vouch_storage::{StorageError, Txn};

use super::{ROWS, hash_of, marks};
use crate::domain::{AddressHash, TokenHash};

/// What somebody had when they signed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignUp {
    /// With which account.
    pub account: AccountId,
    /// The id that the site's cookie had for them.
    pub link_cookie: Option<String>,
    /// The token of a referral invitation.
    pub invitation: Option<TokenHash>,
    /// The domain of their address.
    pub domain: Option<[u8; 32]>,
}

/// An address of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonAddress {
    /// Whose.
    pub person: PersonId,
    /// The address.
    pub email: AddressHash,
    /// The mailbox that mails to it come into.
    pub mailbox: AddressHash,
}

mod sign_up {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "sign_up")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account_id: Uuid,
        pub link_cookie_id: Option<String>,
        pub invitation_sha256: Option<Vec<u8>>,
        pub domain_sha256: Option<Vec<u8>>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod address {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "person_address")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub person_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub email_sha256: Vec<u8>,
        pub mailbox_sha256: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[derive(FromQueryResult)]
struct Waiting {
    account_id: Uuid,
}

/// Stores sign-ups; those that are known stay as they are.
///
/// # Errors
/// If the database fails.
pub async fn insert(txn: &Txn, sign_ups: &[SignUp]) -> Result<(), StorageError> {
    for chunk in sign_ups.chunks(ROWS) {
        let rows = chunk.iter().map(|sign_up| sign_up::ActiveModel {
            account_id: Set(sign_up.account.as_uuid()),
            link_cookie_id: Set(sign_up.link_cookie.clone()),
            invitation_sha256: Set(sign_up.invitation.map(|TokenHash(hash)| hash.to_vec())),
            domain_sha256: Set(sign_up.domain.map(Vec::from)),
        });
        let known = OnConflict::column(sign_up::Column::AccountId).do_nothing().to_owned();
        sign_up::Entity::insert_many(rows)
            .on_conflict(known)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// What people had when they signed up with these accounts.
///
/// # Errors
/// If the database fails.
pub async fn of_accounts(conn: &impl ConnectionTrait, accounts: &[AccountId]) -> Result<Vec<SignUp>, StorageError> {
    let mut found = Vec::new();
    for chunk in accounts.chunks(ROWS) {
        let ids = chunk.iter().map(|id| id.as_uuid());
        let rows = sign_up::Entity::find().filter(sign_up::Column::AccountId.is_in(ids));
        for row in rows.all(conn).await? {
            found.push(SignUp {
                account: AccountId::from_uuid(row.account_id),
                link_cookie: row.link_cookie_id,
                invitation: row
                    .invitation_sha256
                    .map(|hash| hash_of(hash).map(TokenHash))
                    .transpose()?,
                domain: row.domain_sha256.map(hash_of).transpose()?,
            });
        }
    }
    Ok(found)
}

/// The accounts of those who have signed up with one of these clicks behind them and were attributed to nobody.
///
/// # Errors
/// If the database fails.
pub async fn unattributed(
    conn: &impl ConnectionTrait,
    clicks: &[RequestId],
) -> Result<BTreeSet<AccountId>, StorageError> {
    let backend = conn.get_database_backend();
    let mut found = BTreeSet::new();
    for chunk in clicks.chunks(ROWS) {
        let sql = format!(
            "SELECT s.account_id FROM touch t JOIN sign_up s ON s.link_cookie_id = t.visitor_id \
             JOIN account a ON a.id = s.account_id AND a.registered_at >= t.clicked_at WHERE t.id IN ({}) \
             AND NOT EXISTS (SELECT 1 FROM attribution o WHERE o.referee_person_id = a.person_id)",
            marks(backend, 1, chunk.len())
        );
        let values = chunk.iter().map(|id| id.as_uuid().into());
        let rows = Waiting::find_by_statement(Statement::from_sql_and_values(backend, sql, values));
        let rows = rows.all(conn).await?;
        found.extend(rows.into_iter().map(|row| AccountId::from_uuid(row.account_id)));
    }
    Ok(found)
}

/// Notes addresses of people.
///
/// # Errors
/// If the database fails.
pub async fn add_addresses(txn: &Txn, addresses: &BTreeSet<PersonAddress>) -> Result<(), StorageError> {
    let addresses: Vec<_> = addresses.iter().collect();
    for chunk in addresses.chunks(ROWS) {
        let rows = chunk.iter().map(|known| address::ActiveModel {
            person_id: Set(known.person.as_uuid()),
            email_sha256: Set(known.email.0.to_vec()),
            mailbox_sha256: Set(known.mailbox.0.to_vec()),
        });
        let known = [address::Column::PersonId, address::Column::EmailSha256];
        address::Entity::insert_many(rows)
            .on_conflict(OnConflict::columns(known).do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// The addresses of these people.
///
/// # Errors
/// If the database fails.
pub async fn addresses(
    conn: &impl ConnectionTrait,
    people: &BTreeSet<PersonId>,
) -> Result<BTreeMap<PersonId, Vec<PersonAddress>>, StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for chunk in people.chunks(ROWS) {
        let rows = address::Entity::find().filter(address::Column::PersonId.is_in(chunk.iter().copied()));
        for row in rows.all(conn).await? {
            let known = PersonAddress {
                person: PersonId::from_uuid(row.person_id),
                email: AddressHash(hash_of(row.email_sha256)?),
                mailbox: AddressHash(hash_of(row.mailbox_sha256)?),
            };
            found.entry(known.person).or_default().push(known);
        }
    }
    Ok(found)
}

/// The people who are known by these addresses.
///
/// # Errors
/// If the database fails.
pub async fn known_by(
    conn: &impl ConnectionTrait,
    emails: &BTreeSet<AddressHash>,
) -> Result<BTreeSet<PersonId>, StorageError> {
    let emails: Vec<_> = emails.iter().map(|hash| hash.0.to_vec()).collect();
    let mut found = BTreeSet::new();
    for chunk in emails.chunks(ROWS) {
        let rows = address::Entity::find().filter(address::Column::EmailSha256.is_in(chunk.iter().cloned()));
        found.extend(
            rows.all(conn)
                .await?
                .into_iter()
                .map(|row| PersonId::from_uuid(row.person_id)),
        );
    }
    Ok(found)
}

/// Forgets the addresses of these people.
///
/// # Errors
/// If the database fails.
pub async fn forget_addresses(txn: &Txn, people: &BTreeSet<PersonId>) -> Result<(), StorageError> {
    let people: Vec<_> = people.iter().map(|id| id.as_uuid()).collect();
    for chunk in people.chunks(ROWS) {
        address::Entity::delete_many()
            .filter(address::Column::PersonId.is_in(chunk.iter().copied()))
            .exec(txn)
            .await?;
    }
    Ok(())
}
