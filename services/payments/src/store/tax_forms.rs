//! `tax_form`.

use std::collections::BTreeSet;

use prost::Message;
use sea_orm::{ActiveValue::Set, ConnectionTrait, QueryOrder, QuerySelect, entity::prelude::*};
use vouch_primitives::{AccountId, TaxFormId};
use vouch_proto::common::v1 as common;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity};
use super::{time, unreadable};
use crate::domain::TaxForm;

const TABLE: &str = "tax_form";

/// Keeps a form; one that is kept is left as it is.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, form: &TaxForm, said: &common::TaxForm) -> Result<(), StorageError> {
    let row = ActiveModel {
        id: Set(form.id.as_uuid()),
        account_id: Set(form.account_id.as_uuid()),
        kind: Set(form.kind.as_str().to_owned()),
        tin_last_four: Set(form.tin_last_four.clone()),
        form: Set(said.encode_to_vec()),
        submitted_at: Set(form.submitted_at.as_micros()),
    };
    Entity::insert(row)
        .on_conflict_do_nothing_on([Column::Id])
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

/// The form of an account that counts: the newest. What it says is not read.
///
/// # Errors
/// When the database fails.
pub async fn newest_of(conn: &impl ConnectionTrait, account: AccountId) -> Result<Option<TaxForm>, StorageError> {
    let newest: Option<(Uuid, String, String, i64)> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::Kind, Column::TinLastFour, Column::SubmittedAt])
        .filter(Column::AccountId.eq(account.as_uuid()))
        .order_by_desc(Column::SubmittedAt)
        .order_by_desc(Column::Id)
        .limit(1)
        .into_tuple()
        .one(conn)
        .await?;
    let Some((id, kind, tin_last_four, submitted_at)) = newest else {
        return Ok(None);
    };
    Ok(Some(TaxForm {
        id: TaxFormId::from_uuid(id),
        account_id: account,
        kind: kind.parse().map_err(|error| unreadable(TABLE, error))?,
        tin_last_four,
        submitted_at: time(submitted_at),
    }))
}

/// Which of these accounts have a form.
///
/// # Errors
/// When the database fails.
pub async fn accounts_with_one(
    conn: &impl ConnectionTrait,
    accounts: &[AccountId],
) -> Result<BTreeSet<AccountId>, StorageError> {
    let with_one: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::AccountId)
        .distinct()
        .filter(Column::AccountId.is_in(accounts.iter().map(|account| account.as_uuid())))
        .into_tuple()
        .all(conn)
        .await?;
    Ok(with_one.into_iter().map(AccountId::from_uuid).collect())
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
        pub kind: String,
        pub tin_last_four: String,
        pub form: Vec<u8>,
        pub submitted_at: i64,
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
