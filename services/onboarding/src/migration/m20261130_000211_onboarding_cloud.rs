//! `talent_cloud_member` and `archived_talent_cloud`: what invitation tells of the talent clouds that cases are about. Who was
//! taken out of one, or was in one that is archived, is read by its client no longer.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let member = Table::create()
            .table("talent_cloud_member")
            .col(uuid("talent_cloud_id"))
            .col(uuid("person_id"))
            .col(boolean("is_removed"))
            .col(big_integer("changed_at"))
            .primary_key(Index::create().col("talent_cloud_id").col("person_id"))
            .to_owned();
        manager.create_table(member).await?;
        let archived = Table::create()
            .table("archived_talent_cloud")
            .col(pk_uuid("talent_cloud_id"))
            .col(big_integer("archived_at"))
            .to_owned();
        manager.create_table(archived).await
    }
}
