//! `request`: which mutating requests were carried out, and what was answered.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("request")
            .col(pk_uuid("id"))
            .col(text("method"))
            .col(blob("hash"))
            .col(blob_null("answer"))
            .col(big_integer("created_at"))
            .to_owned();
        manager.create_table(table).await?;
        let by_age = Index::create()
            .name("request_created_at")
            .table("request")
            .col("created_at")
            .to_owned();
        manager.create_index(by_age).await
    }
}
