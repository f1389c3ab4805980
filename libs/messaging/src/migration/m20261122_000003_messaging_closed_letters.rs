//! Dead letters remember how often they were retried; `dead_letter_closed` keeps those that somebody has dealt with, with
//! who, when, how and why.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column in a statement: SQLite takes no more.
        for column in [integer("retries").default(0), &mut big_integer_null("retried_at")] {
            manager
                .alter_table(Table::alter().table("dead_letter").add_column(column).to_owned())
                .await?;
        }
        manager
            .create_table(
                Table::create()
                    .table("dead_letter_closed")
                    .col(big_integer("id").primary_key())
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
                    .col(integer("retries"))
                    .col(big_integer_null("retried_at"))
                    .col(text("outcome"))
                    .col(text("closed_by"))
                    .col(text("closed_reason"))
                    .col(big_integer("closed_at"))
                    .to_owned(),
            )
            .await?;
        for (name, columns) in [
            ("dead_letter_closed_at", ["closed_at", "id"]),
            ("dead_letter_closed_message", ["message_id", "content_hash"]),
        ] {
            let mut index = Index::create();
            index.name(name).table("dead_letter_closed");
            for column in columns {
                index.col(column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
