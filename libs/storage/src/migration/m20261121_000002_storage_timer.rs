//! `timer`: due moments. `due_at` is the moment that is meant, `next_at` the next try; they part when a try fails.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("timer")
            .col(text("kind"))
            .col(uuid("key"))
            .col(big_integer("due_at"))
            .col(big_integer("next_at"))
            .col(integer("attempts").default(0))
            .col(text_null("last_error"))
            .primary_key(Index::create().col("kind").col("key"))
            .to_owned();
        manager.create_table(table).await?;
        let index = Index::create()
            .name("timer_next_at")
            .table("timer")
            .col("next_at")
            .to_owned();
        manager.create_index(index).await
    }
}
