//! What the streams hold, while the books are computed from it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let told = Table::create()
            .table("told_event")
            .col(uuid("run_id"))
            .col(text("event_type"))
            .col(uuid("subject_id"))
            .col(uuid("person_id"))
            .col(binary("payload"))
            .primary_key(Index::create().col("run_id").col("event_type").col("subject_id"))
            .foreign_key(
                ForeignKey::create()
                    .from("told_event", "run_id")
                    .to("rebuild_run", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(told).await?;
        let by_person = Index::create()
            .name("told_event_person")
            .table("told_event")
            .col("run_id")
            .col("person_id")
            .to_owned();
        manager.create_index(by_person).await
    }
}
