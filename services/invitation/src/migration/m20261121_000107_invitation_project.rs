//! `project`: work that clients have to give. `project_share`: links to it, and who shares them.

use sea_orm_migration::{prelude::*, schema::*};

use super::unique;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(project()).await?;
        manager.create_table(share()).await?;
        let index = |name| Index::create().name(name).table("project").to_owned();
        let of_client = index("project_of_client").col("client_id").col("id").to_owned();
        manager.create_index(of_client).await?;
        let found = index("project_found").col("state").col("id").to_owned();
        manager.create_index(found).await
    }
}

fn project() -> TableCreateStatement {
    Table::create()
        .table("project")
        .col(pk_uuid("id"))
        .col(uuid("client_id"))
        .col(uuid_null("talent_cloud_id"))
        .col(blob("contract_terms"))
        .col(text("pay_kind"))
        // Each between line breaks, so that one can be looked for: "\ncad\nink\n".
        .col(text("skills"))
        // All that it can be found by, in lower case.
        .col(text("words"))
        .col(text("state"))
        .col(big_integer("created_at"))
        .col(big_integer_null("published_at"))
        .col(big_integer_null("closed_at"))
        .foreign_key(
            ForeignKey::create()
                .name("project_client")
                .from("project", "client_id")
                .to("client", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("project_talent_cloud")
                .from("project", ("client_id", "talent_cloud_id"))
                .to("talent_cloud", ("client_id", "id")),
        )
        .check((
            "project_pay_kind_is_known",
            Expr::col("pay_kind").is_in(["HOURLY", "FIXED"]),
        ))
        .check((
            "project_state_is_known",
            Expr::col("state").is_in(["DRAFT", "PUBLISHED", "CLOSED"]),
        ))
        .check((
            "project_published_at_some_time",
            Expr::cust("state = 'CLOSED' OR (state = 'PUBLISHED') = (published_at IS NOT NULL)"),
        ))
        .check((
            "project_closed_at_some_time",
            Expr::cust("(state = 'CLOSED') = (closed_at IS NOT NULL)"),
        ))
        // An application names both, so that it cannot be for another client's project.
        .index(unique("project_of_its_client").col("client_id").col("id"))
        .to_owned()
}

fn share() -> TableCreateStatement {
    Table::create()
        .table("project_share")
        .col(pk_uuid("id"))
        .col(uuid("project_id"))
        .col(uuid("person_id"))
        .col(text("source"))
        .col(text("code"))
        .foreign_key(
            ForeignKey::create()
                .name("project_share_project")
                .from("project_share", "project_id")
                .to("project", "id"),
        )
        .index(
            unique("project_share_once")
                .col("project_id")
                .col("person_id")
                .col("source"),
        )
        .to_owned()
}
