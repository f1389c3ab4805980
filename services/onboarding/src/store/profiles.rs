//! Talent profiles.

use prost::Message;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, OnConflict},
};
use vouch_primitives::{AccountId, PersonId, Timestamp};
use vouch_proto::{Violations, onboarding::v1 as pb};
use vouch_storage::{StorageError, Txn};

use super::{agencies, people, search, unreadable};
use crate::domain::{Contents, Profile, ProfileKind, SectionKind, Visibility};

/// Reads the profile of an account; one that was never begun is empty, and a freelancer's private [B18, B41]. Whether
/// there is such an account is not asked.
///
/// # Errors
/// When the database fails.
pub async fn find_or_empty(conn: &impl ConnectionTrait, account: AccountId) -> Result<Profile, StorageError> {
    let row = profile::Entity::find_by_id(account.as_uuid()).one(conn).await?;
    let kind = match row {
        Some(row) => kind(&row)?,
        None if agencies::find(conn, account).await?.is_some() => ProfileKind::Agency,
        None => ProfileKind::Freelancer(Visibility::Private),
    };
    let mut profile = Profile::empty(account, kind);
    let sections = section::Entity::find().filter(section::Column::AccountId.eq(account.as_uuid()));
    for row in sections.all(conn).await? {
        for (bytes, done) in [(row.complete, true), (row.started, false)] {
            if let Some(bytes) = bytes {
                profile.save(read(&row.section, &bytes)?, done);
            }
        }
    }
    Ok(profile)
}

/// Whose account this is: a freelancer's own, or an agency of theirs; `None` if there is none.
///
/// # Errors
/// When the database fails.
pub async fn owner_of(conn: &impl ConnectionTrait, account: AccountId) -> Result<Option<PersonId>, StorageError> {
    if let Some(person) = people::find_by_account(conn, account).await? {
        return Ok(Some(person.id));
    }
    Ok(agencies::find(conn, account).await?.map(|agency| agency.owner))
}

/// Notes what stands in a section.
///
/// # Errors
/// When the database fails.
pub async fn save_section(txn: &Txn, profile: &Profile, kind: SectionKind, now: Timestamp) -> Result<(), StorageError> {
    let (started, complete) = (profile.started(kind), profile.shown(kind));
    if started.is_none() && complete.is_none() {
        let row = (profile.account_id.as_uuid(), kind.name().to_owned());
        section::Entity::delete_by_id(row).exec(txn).await?;
        return Ok(());
    }
    begin(txn, profile).await?;
    let row = section::ActiveModel {
        account_id: Set(profile.account_id.as_uuid()),
        section: Set(kind.name().to_owned()),
        started: Set(started.map(written)),
        complete: Set(complete.map(written)),
        saved_at: Set(now.as_micros()),
    };
    let same = OnConflict::columns([section::Column::AccountId, section::Column::Section])
        .update_columns([
            section::Column::Started,
            section::Column::Complete,
            section::Column::SavedAt,
        ])
        .to_owned();
    section::Entity::insert(row)
        .on_conflict(same)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// Notes who finds the profile of a freelancer, who said so, and when. The account is out of the index afterwards, where
/// the old visibility stands.
///
/// # Errors
/// When the database fails.
pub async fn save_visibility(
    txn: &Txn,
    profile: &Profile,
    visibility: Visibility,
    set_by: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    search::forget(txn, profile.account_id).await?;
    begin(txn, profile).await?;
    profile::Entity::update_many()
        .col_expr(profile::Column::Visibility, Expr::value(name_of(visibility)))
        .col_expr(profile::Column::VisibilitySetAt, Expr::value(now.as_micros()))
        .col_expr(profile::Column::VisibilitySetBy, Expr::value(set_by))
        .filter(profile::Column::AccountId.eq(profile.account_id.as_uuid()))
        .exec(txn)
        .await?;
    Ok(())
}

/// The name of a visibility in the tables.
pub(super) const fn name_of(visibility: Visibility) -> &'static str {
    match visibility {
        Visibility::Public => "PUBLIC",
        Visibility::UsersOnly => "USERS_ONLY",
        Visibility::Private => "PRIVATE",
    }
}

/// Forgets the profile of an account.
///
/// # Errors
/// When the database fails.
pub async fn erase(txn: &Txn, account: AccountId) -> Result<(), StorageError> {
    let sections = section::Entity::delete_many().filter(section::Column::AccountId.eq(account.as_uuid()));
    sections.exec(txn).await?;
    profile::Entity::delete_by_id(account.as_uuid()).exec(txn).await?;
    Ok(())
}

/// Makes the row of the profile, if it is not there.
async fn begin(txn: &Txn, profile: &Profile) -> Result<(), StorageError> {
    let account = profile.account_id.as_uuid();
    let freelancer = matches!(profile.kind, ProfileKind::Freelancer(_));
    let row = profile::ActiveModel {
        account_id: Set(account),
        freelancer_id: Set(freelancer.then_some(account)),
        agency_id: Set((!freelancer).then_some(account)),
        visibility: Set(freelancer.then(|| name_of(Visibility::Private).to_owned())),
        visibility_set_at: Set(None),
        visibility_set_by: Set(None),
    };
    let there = OnConflict::column(profile::Column::AccountId).do_nothing().to_owned();
    profile::Entity::insert(row)
        .on_conflict(there)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

fn kind(row: &profile::Model) -> Result<ProfileKind, StorageError> {
    let visibilities = [Visibility::Public, Visibility::UsersOnly, Visibility::Private];
    let Some(name) = &row.visibility else {
        return Ok(ProfileKind::Agency);
    };
    let visibility = visibilities.into_iter().find(|visibility| name_of(*visibility) == name);
    let visibility = visibility.ok_or_else(|| unreadable("talent_profile.visibility", name))?;
    Ok(ProfileKind::Freelancer(visibility))
}

/// The contents of a section as a column holds them: the message of their kind.
fn written(contents: &Contents) -> Vec<u8> {
    match contents {
        Contents::Headline(headline) => pb::Headline::from(headline).encode_to_vec(),
        Contents::Skills(skills) => pb::Skills::from(skills).encode_to_vec(),
        Contents::Experience(experience) => pb::Experience::from(experience).encode_to_vec(),
        Contents::Rate(rate) => pb::Rate::from(rate).encode_to_vec(),
        Contents::Portfolio(portfolio) => pb::Portfolio::from(portfolio).encode_to_vec(),
    }
}

fn read(name: &str, bytes: &[u8]) -> Result<Contents, StorageError> {
    let kind = SectionKind::ALL.into_iter().find(|kind| kind.name() == name);
    match kind.ok_or_else(|| unreadable("profile_section.section", name))? {
        SectionKind::Headline => decoded::<pb::Headline, _>(bytes).map(Contents::Headline),
        SectionKind::Skills => decoded::<pb::Skills, _>(bytes).map(Contents::Skills),
        SectionKind::Experience => decoded::<pb::Experience, _>(bytes).map(Contents::Experience),
        SectionKind::Rate => decoded::<pb::Rate, _>(bytes).map(Contents::Rate),
        SectionKind::Portfolio => decoded::<pb::Portfolio, _>(bytes).map(Contents::Portfolio),
    }
}

fn decoded<M: Message + Default, T: TryFrom<M, Error = Violations>>(bytes: &[u8]) -> Result<T, StorageError> {
    let message = M::decode(bytes).map_err(|error| unreadable("profile_section", error))?;
    T::try_from(message).map_err(|error| unreadable("profile_section", error))
}

mod profile {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "talent_profile")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account_id: Uuid,
        pub freelancer_id: Option<Uuid>,
        pub agency_id: Option<Uuid>,
        pub visibility: Option<String>,
        pub visibility_set_at: Option<i64>,
        pub visibility_set_by: Option<String>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod section {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "profile_section")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub account_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub section: String,
        pub started: Option<Vec<u8>>,
        pub complete: Option<Vec<u8>>,
        pub saved_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
