//! The public keys by which statements are checked, for ever.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("statement_key")
            .col(text("key_id").primary_key())
            .col(blob("public_key"))
            .col(big_integer("first_used_at"))
            .to_owned();
        manager.create_table(table).await
    }
}
