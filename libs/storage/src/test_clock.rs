//! Where the test clock stands, so that a restarted service goes on from there. Production never writes it.

use sea_orm::{ConnectionTrait, EntityTrait, Set, sea_query::OnConflict};
use vouch_primitives::Timestamp;

use crate::{StorageError, Txn};

/// The moment that was saved last; `None` if no test clock was ever moved here.
///
/// # Errors
/// When the database fails.
pub async fn load(conn: &impl ConnectionTrait) -> Result<Option<Timestamp>, StorageError> {
    let row = entity::Entity::find_by_id(entity::ONLY_ROW).one(conn).await?;
    Ok(row.map(|row| Timestamp::from_micros(row.now_at)))
}

/// Remembers `now`.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, now: Timestamp) -> Result<(), StorageError> {
    let row = entity::ActiveModel {
        id: Set(entity::ONLY_ROW),
        now_at: Set(now.as_micros()),
    };
    let replace = OnConflict::column(entity::Column::Id)
        .update_column(entity::Column::NowAt)
        .to_owned();
    entity::Entity::insert(row)
        .on_conflict(replace)
        .exec_without_returning(txn)
        .await?;
    Ok(())
}

mod entity {
    use sea_orm::entity::prelude::*;

    pub(super) const ONLY_ROW: i32 = 1;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "test_clock")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub now_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
