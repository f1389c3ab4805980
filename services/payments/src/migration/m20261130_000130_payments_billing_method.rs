//! `billing_method`: in what ways clients pay. A client has at most one that is charged, and never a card number.
//! `billing_client` has a row for each client that ever had one, for whoever changes them to lock.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Both engines know indexes on some rows alone; the builder does not.
const INDEXES: &str = "\
    CREATE UNIQUE INDEX billing_method_is_default_once ON billing_method (client_id) WHERE is_default; \
    CREATE UNIQUE INDEX billing_method_is_added_once ON billing_method (client_id, instrument) WHERE removed_at IS NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let clients = Table::create().table("billing_client").col(pk_uuid("id")).to_owned();
        manager.create_table(clients).await?;
        let table = Table::create()
            .table("billing_method")
            .col(pk_uuid("id"))
            .col(uuid("client_id"))
            .col(text("instrument"))
            .col(text("label"))
            .col(boolean("verified"))
            .col(boolean("is_default"))
            .col(big_integer("added_at"))
            .col(big_integer_null("removed_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("billing_method_client")
                    .from("billing_method", "client_id")
                    .to("billing_client", "id"),
            )
            .check((
                "billing_method_that_is_removed_is_not_charged",
                Expr::cust("removed_at IS NULL OR NOT is_default"),
            ))
            .check((
                "billing_method_is_named",
                Expr::cust("length(instrument) BETWEEN 1 AND 200 AND length(label) BETWEEN 1 AND 100"),
            ))
            .to_owned();
        manager.create_table(table).await?;
        manager.get_connection().execute_unprepared(INDEXES).await?;
        Ok(())
    }
}
