//! `milestone_event`: what was said with each submission of a milestone, and with each request for changes.

use sea_orm_migration::{prelude::*, schema::*};

use super::m20261121_000105_payments_append_only::make_append_only;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("milestone_event")
            .col(pk_uuid("id"))
            .col(uuid("milestone_id"))
            .col(text("kind"))
            .col(text("message"))
            .col(big_integer("happened_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("milestone_event_milestone")
                    .from("milestone_event", "milestone_id")
                    .to("milestone", "id"),
            )
            .check((
                "milestone_event_kind_is_known",
                Expr::col("kind").is_in(["SUBMITTED", "CHANGES_REQUESTED"]),
            ))
            .check((
                "milestone_event_says_something",
                Expr::cust("length(message) BETWEEN 1 AND 5000"),
            ))
            .to_owned();
        manager.create_table(table).await?;
        let index = Index::create()
            .name("milestone_event_of_milestone")
            .table("milestone_event")
            .col("milestone_id")
            .col("id")
            .to_owned();
        manager.create_index(index).await?;
        make_append_only(manager, &["milestone_event"]).await
    }
}
