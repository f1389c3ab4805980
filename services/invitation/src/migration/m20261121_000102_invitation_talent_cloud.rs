//! `talent_cloud`: the private groups of talent that clients have.

use sea_orm_migration::{prelude::*, schema::*};

use super::unique;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let cloud = Table::create()
            .table("talent_cloud")
            .col(pk_uuid("id"))
            .col(uuid("client_id"))
            .col(text("name"))
            .col(big_integer("created_at"))
            .col(big_integer_null("archived_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("talent_cloud_client")
                    .from("talent_cloud", "client_id")
                    .to("client", "id"),
            )
            // An invitation names both, so that nobody can be invited to another client's cloud.
            .index(unique("talent_cloud_of_client").col("client_id").col("id"))
            .index(unique("talent_cloud_name").col("client_id").col("name"))
            .to_owned();
        manager.create_table(cloud).await
    }
}
