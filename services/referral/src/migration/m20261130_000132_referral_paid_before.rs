//! What was paid elsewhere before the books were kept here.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = big_integer("paid_before_minor")
            .default(0)
            .check(Expr::col("paid_before_minor").gte(0))
            .to_owned();
        let add = Table::alter().table("reward_total").add_column(column).to_owned();
        manager.alter_table(add).await
    }
}
