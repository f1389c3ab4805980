//! `client` and `hiring_manager`: who hires.

use sea_orm_migration::{prelude::*, schema::*};

use super::unique;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let plans = Expr::col("plan").is_in(["BASIC", "BUSINESS_PLUS", "ENTERPRISE"]);
        let client = Table::create()
            .table("client")
            .col(pk_uuid("id"))
            .col(text("company_name"))
            .col(text("plan"))
            .col(big_integer("created_at"))
            .check(("client_plan_is_known", plans))
            .to_owned();
        manager.create_table(client).await?;
        let hiring_manager = Table::create()
            .table("hiring_manager")
            .col(pk_uuid("id"))
            .col(uuid("client_id"))
            .col(integer("position"))
            .col(text("display_name"))
            .col(text("email"))
            .foreign_key(
                ForeignKey::create()
                    .name("hiring_manager_client")
                    .from("hiring_manager", "client_id")
                    .to("client", "id"),
            )
            // An invitation names both, so that it cannot be sent in the name of another client's manager.
            .index(unique("hiring_manager_of_client").col("client_id").col("id"))
            .index(unique("hiring_manager_position").col("client_id").col("position"))
            .index(unique("hiring_manager_email").col("client_id").col("email"))
            .to_owned();
        manager.create_table(hiring_manager).await
    }
}
