//! Tax forms: what they say only until payments has it, that there were some for ever.

use prost::Message;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, Set, sea_query::ExprTrait};
use vouch_primitives::{AccountId, PersonId, TaxFormId, Timestamp};
use vouch_proto::common::v1::TaxForm;
use vouch_storage::{StorageError, Txn};

use super::unreadable;
use crate::domain::TaxInformation;

/// Adds a form that waits to be passed on.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, information: &TaxInformation, form: &TaxForm) -> Result<(), StorageError> {
    let row = entity::ActiveModel {
        id: Set(information.id.as_uuid()),
        account_id: Set(information.account_id.as_uuid()),
        person_id: Set(information.person_id.as_uuid()),
        kind: Set(information.kind.as_str().to_owned()),
        submitted_at: Set(information.submitted_at.as_micros()),
        recorded_at: Set(None),
        form: Set(Some(form.encode_to_vec())),
    };
    entity::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// A form that waits to be passed on; `None` if there is none, or payments has it.
///
/// # Errors
/// When the database fails.
pub async fn find_waiting(
    conn: &impl ConnectionTrait,
    id: TaxFormId,
) -> Result<Option<(TaxInformation, TaxForm)>, StorageError> {
    let row = entity::Entity::find_by_id(id.as_uuid()).one(conn).await?;
    let Some((row, form)) = row.and_then(|mut row| row.form.take().map(|form| (row, form))) else {
        return Ok(None);
    };
    let form = TaxForm::decode(form.as_slice()).map_err(|error| unreadable("tax_form.form", error))?;
    Ok(Some((information(row)?, form)))
}

/// The newest form of an account.
///
/// # Errors
/// When the database fails.
pub async fn find_newest(
    conn: &impl ConnectionTrait,
    account: AccountId,
) -> Result<Option<TaxInformation>, StorageError> {
    let row = entity::Entity::find()
        .filter(entity::Column::AccountId.eq(account.as_uuid()))
        .order_by_desc(entity::Column::SubmittedAt)
        .order_by_desc(entity::Column::Id)
        .one(conn)
        .await?;
    row.map(information).transpose()
}

/// Deletes the forms of a person that payments does not have, and returns which.
///
/// # Errors
/// When the database fails.
pub async fn delete_waiting_of(txn: &Txn, person: PersonId) -> Result<Vec<TaxFormId>, StorageError> {
    let waiting = entity::Column::PersonId
        .eq(person.as_uuid())
        .and(entity::Column::RecordedAt.is_null());
    let rows = entity::Entity::find().filter(waiting.clone()).all(txn).await?;
    entity::Entity::delete_many().filter(waiting).exec(txn).await?;
    Ok(rows.into_iter().map(|row| TaxFormId::from_uuid(row.id)).collect())
}

/// Saves that payments has a form, and forgets what it says.
///
/// # Errors
/// When the database fails.
pub async fn save_recorded(txn: &Txn, id: TaxFormId, now: Timestamp) -> Result<(), StorageError> {
    entity::Entity::update_many()
        .set(entity::ActiveModel {
            recorded_at: Set(Some(now.as_micros())),
            form: Set(None),
            ..Default::default()
        })
        .filter(entity::Column::Id.eq(id.as_uuid()))
        .filter(entity::Column::RecordedAt.is_null())
        .exec(txn)
        .await?;
    Ok(())
}

fn information(row: entity::Model) -> Result<TaxInformation, StorageError> {
    Ok(TaxInformation {
        id: TaxFormId::from_uuid(row.id),
        account_id: AccountId::from_uuid(row.account_id),
        person_id: PersonId::from_uuid(row.person_id),
        kind: row.kind.parse().map_err(|error| unreadable("tax_form.kind", error))?,
        submitted_at: Timestamp::from_micros(row.submitted_at),
        recorded_at: row.recorded_at.map(Timestamp::from_micros),
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    // No `Debug` that could show a form.
    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "tax_form")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub account_id: Uuid,
        pub person_id: Uuid,
        pub kind: String,
        pub submitted_at: i64,
        pub recorded_at: Option<i64>,
        pub form: Option<Vec<u8>>,
    }

    impl std::fmt::Debug for Model {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Model").field("id", &self.id).finish_non_exhaustive()
        }
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
