//! `timer.traceparent`: the trace in which the timer was set, so that what it does belongs to it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = Table::alter()
            .table("timer")
            .add_column(text_null("traceparent"))
            .to_owned();
        manager.alter_table(column).await
    }
}
