//! `inbox` remembers which events were applied; `dead_letter` keeps those that could not be.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("inbox")
                    .col(pk_uuid("event_id"))
                    .col(blob("content_hash"))
                    .col(big_integer("received_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("inbox_received_at")
                    .table("inbox")
                    .col("received_at")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("dead_letter")
                    .col(big_pk_auto("id"))
                    .col(text("message_id"))
                    .col(blob("content_hash"))
                    .col(text("stream"))
                    .col(big_integer("sequence"))
                    .col(text("event_type"))
                    .col(text("headers"))
                    .col(blob("payload"))
                    .col(text("reason"))
                    .col(text("error"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .unique()
                    .name("dead_letter_message")
                    .table("dead_letter")
                    .col("message_id")
                    .col("content_hash")
                    .to_owned(),
            )
            .await
    }
}
