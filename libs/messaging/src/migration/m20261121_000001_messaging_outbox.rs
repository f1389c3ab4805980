//! `outbox` is the archive: append-only, kept so that events can be published again. `outbox_pending` is the small
//! hot table beside it: one row for each event that the bus has not acknowledged.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("outbox")
                    .col(pk_uuid("event_id"))
                    .col(text("event_type"))
                    .col(uuid("aggregate_id"))
                    .col(blob("payload"))
                    .col(text_null("traceparent"))
                    .col(big_integer("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("outbox_created_at")
                    .table("outbox")
                    .col("created_at")
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("outbox_pending")
                    .col(pk_uuid("event_id"))
                    .col(integer("attempts").default(0))
                    .col(big_integer("next_at").default(0))
                    .col(text_null("last_error"))
                    .to_owned(),
            )
            .await
    }
}
