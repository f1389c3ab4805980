//! How much of the day's quotas is used up. There is one row for each that anything is counted for: a new day begins in the
//! row of the last one.

use sea_orm::{
    EntityTrait, Set,
    sea_query::{CaseStatement, Expr, ExprTrait, OnConflict},
};
use vouch_primitives::Timestamp;
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity};
use crate::domain::Counted;

/// Counts one more in the day of `now`, unless there were as many as there may be; tells whether it was counted. Others for
/// whom the same is counted wait until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn take(txn: &Txn, now: Timestamp, what: Counted) -> Result<bool, StorageError> {
    let today = now.start_of_day().as_micros();
    let row = ActiveModel {
        kind: Set(what.kind().to_owned()),
        holder: Set(what.holder()),
        begun: Set(today),
        used: Set(1),
    };
    let begun = || Expr::col((Entity, Column::Begun));
    let used = || Expr::col((Entity, Column::Used));
    // A replica whose clock is behind counts into the day that another one has begun.
    let is_over = || begun().lt(today);
    let one_more = OnConflict::columns([Column::Kind, Column::Holder])
        .value(
            Column::Begun,
            CaseStatement::new().case(is_over(), today).finally(begun()),
        )
        .value(
            Column::Used,
            CaseStatement::new().case(is_over(), 1).finally(used().add(1)),
        )
        .action_and_where(is_over().or(used().lt(i64::from(what.a_day()))))
        .to_owned();
    let counted = Entity::insert_many([row])
        .on_conflict(one_more)
        .exec_with_returning(txn)
        .await?;
    Ok(!counted.is_empty())
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "quota")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub holder: Vec<u8>,
        pub begun: i64,
        pub used: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
