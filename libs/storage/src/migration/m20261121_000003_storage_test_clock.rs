//! `test_clock`: where the test clock stands; empty in production.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let only_row = integer("id").primary_key().check(Expr::col("id").eq(1)).to_owned();
        let table = Table::create()
            .table("test_clock")
            .col(only_row)
            .col(big_integer("now_at"))
            .to_owned();
        manager.create_table(table).await
    }
}
