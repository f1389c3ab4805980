//! `client_refund`, what a client gets back of a charge; all of them together are at most the charge.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const COLUMNS: &str = "\
    ALTER TABLE charge ADD COLUMN refunded_minor bigint NOT NULL DEFAULT 0 \
        CONSTRAINT charge_is_refunded_at_most_once CHECK (refunded_minor >= 0 AND refunded_minor <= amount_minor)";

const INDEX: &str = "CREATE INDEX client_refund_that_was_refused ON client_refund (id) WHERE state = 'refused'";

/// What holds of each.
const RULES: [(&str, &str); 6] = [
    ("client_refund_amount_is_positive", "amount_minor > 0"),
    (
        "client_refund_state_is_known",
        "state IN ('pending', 'succeeded', 'refused')",
    ),
    ("client_refund_attempts_count_from_1", "attempt >= 1 AND tries >= 0"),
    (
        "client_refund_that_waits_says_until_when",
        "(state = 'pending') = (next_at IS NOT NULL)",
    ),
    (
        "client_refund_that_was_refused_says_why",
        "(state = 'refused') = (reason IS NOT NULL)",
    ),
    (
        "client_refund_that_succeeded_is_told",
        "(state = 'succeeded') = (succeeded_at IS NOT NULL) AND (state = 'succeeded') = (reference IS NOT NULL)",
    ),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        for (name, rule) in RULES {
            table.check((name, Expr::cust(rule)));
        }
        let mut charge = ForeignKey::create()
            .name("client_refund_charge")
            .from("client_refund", "charge_id")
            .to("charge", "id")
            .to_owned();
        let table = table
            .table("client_refund")
            .col(pk_uuid("id"))
            .col(uuid("charge_id"))
            .col(uuid("client_id"))
            .col(string_len("currency", 3))
            .col(big_integer("amount_minor"))
            .col(big_integer("created_at"))
            .col(text("state"))
            .col(big_integer_null("next_at"))
            .col(text_null("reason"))
            .col(big_integer_null("succeeded_at"))
            .col(text_null("reference"))
            .col(integer("attempt"))
            .col(big_integer("begun_at"))
            .col(integer("tries"))
            .col(boolean("asks"))
            .foreign_key(&mut charge)
            .to_owned();
        manager.create_table(table).await?;
        for column in ["charge_id", "client_id"] {
            let index = Index::create()
                .name(format!("client_refund_by_{column}"))
                .table("client_refund")
                .col(column)
                .col("id")
                .to_owned();
            manager.create_index(index).await?;
        }
        let conn = manager.get_connection();
        conn.execute_unprepared(COLUMNS).await?;
        conn.execute_unprepared(INDEX).await?;
        Ok(())
    }
}
