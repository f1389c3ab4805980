//! `charge`, one of which may be alive for what is paid for, and `charge_attempt`, what became of each attempt. With them come
//! milestones that are being funded, contracts and bonus payments that wait for money, lines under a verified billing method,
//! and what clients owe in the ledger.

use sea_orm_migration::{prelude::*, schema::*};

use super::{m20261121_000105_payments_append_only::make_append_only, widen::widen};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Both engines know indexes on some rows alone; the builder does not.
const INDEXES: &str = "\
    CREATE UNIQUE INDEX charge_is_alive_once ON charge (purpose, purpose_id) WHERE state <> 'GIVEN_UP'; \
    CREATE UNIQUE INDEX charge_attempt_succeeds_once ON charge_attempt (charge_id) WHERE reference IS NOT NULL; \
    CREATE INDEX charge_that_failed ON charge (contract_id) WHERE first_failed_at IS NOT NULL AND state <> 'SUCCEEDED'";

const COLUMNS: &str = "\
    ALTER TABLE contract ADD COLUMN unpaid_since bigint; \
    ALTER TABLE bonus_payment ADD COLUMN unpaid_since bigint \
        CONSTRAINT bonus_payment_is_paid_or_not CHECK (unpaid_since IS NULL OR earning_id IS NULL); \
    ALTER TABLE invoice_line ADD COLUMN billing_verified boolean NOT NULL DEFAULT FALSE";

/// What holds of each charge.
const RULES: [(&str, &str); 10] = [
    ("charge_amount_is_positive", "amount_minor > 0"),
    (
        "charge_purpose_is_known",
        "purpose IN ('MILESTONE', 'INVOICE', 'BONUS')",
    ),
    (
        "charge_state_is_known",
        "state IN ('PENDING', 'SUCCEEDED', 'FAILED', 'GIVEN_UP')",
    ),
    ("charge_attempts_count_from_1", "attempt >= 1 AND tries >= 0"),
    (
        "charge_that_waits_says_until_when",
        "(state IN ('PENDING', 'FAILED')) = (next_at IS NOT NULL)",
    ),
    (
        "charge_that_failed_says_why",
        "(state IN ('FAILED', 'GIVEN_UP')) = (reason IS NOT NULL)",
    ),
    (
        "charge_that_failed_says_when",
        "state NOT IN ('FAILED', 'GIVEN_UP') OR first_failed_at IS NOT NULL",
    ),
    (
        "charge_that_was_given_up_says_when",
        "state <> 'GIVEN_UP' OR given_up_at IS NOT NULL",
    ),
    (
        "charge_that_succeeded_is_told",
        "(state = 'SUCCEEDED') = (succeeded_at IS NOT NULL) AND (state = 'SUCCEEDED') = (reference IS NOT NULL)",
    ),
    (
        "charge_of_a_method_names_its_instrument",
        "billing_method_id IS NULL OR instrument IS NOT NULL",
    ),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(charge()).await?;
        manager.create_table(attempt()).await?;
        for column in ["client_id", "contract_id", "purpose_id"] {
            let index = Index::create()
                .name(format!("charge_by_{column}"))
                .table("charge")
                .col(column)
                .col("id")
                .to_owned();
            manager.create_index(index).await?;
        }
        let conn = manager.get_connection();
        conn.execute_unprepared(INDEXES).await?;
        conn.execute_unprepared(COLUMNS).await?;
        make_append_only(manager, &["charge_attempt"]).await?;
        widen(manager, "milestone", "milestone_state_is_known", "state = 'FUNDING'").await?;
        let kinds = "kind IN ('UNPAID', 'CLIENT_RECEIVABLE')";
        widen(manager, "ledger_account", "ledger_account_kind_is_known", kinds).await
    }
}

fn billing_method(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_billing_method"))
        .from(table, "billing_method_id")
        .to("billing_method", "id")
        .to_owned()
}

fn charge() -> TableCreateStatement {
    let mut table = Table::create();
    for (name, rule) in RULES {
        table.check((name, Expr::cust(rule)));
    }
    table
        .table("charge")
        .col(pk_uuid("id"))
        .col(uuid("contract_id"))
        .col(uuid("client_id"))
        .col(text("purpose"))
        .col(uuid("purpose_id"))
        .col(string_len("currency", 3))
        .col(big_integer("amount_minor"))
        .col(big_integer("created_at"))
        .col(text("state"))
        .col(big_integer_null("next_at"))
        .col(text_null("reason"))
        .col(big_integer_null("first_failed_at"))
        .col(big_integer_null("given_up_at"))
        .col(big_integer_null("succeeded_at"))
        .col(text_null("reference"))
        .col(integer("attempt"))
        .col(uuid_null("billing_method_id"))
        .col(text_null("instrument"))
        .col(boolean("verified"))
        .col(big_integer("begun_at"))
        .col(integer("tries"))
        .col(boolean("asks"))
        .foreign_key(
            ForeignKey::create()
                .name("charge_contract")
                .from("charge", ("contract_id", "currency"))
                .to("contract", ("id", "currency")),
        )
        .foreign_key(&mut billing_method("charge"))
        .to_owned()
}

fn attempt() -> TableCreateStatement {
    Table::create()
        .table("charge_attempt")
        .col(pk_uuid("order_id"))
        .col(uuid("charge_id"))
        .col(integer("number"))
        .col(uuid_null("billing_method_id"))
        .col(text_null("instrument"))
        .col(boolean("verified"))
        .col(big_integer("begun_at"))
        .col(integer("tries"))
        .col(big_integer("ended_at"))
        .col(text_null("reference"))
        .col(text_null("reason"))
        .foreign_key(
            ForeignKey::create()
                .name("charge_attempt_charge")
                .from("charge_attempt", "charge_id")
                .to("charge", "id"),
        )
        .foreign_key(&mut billing_method("charge_attempt"))
        .index(
            Index::create()
                .unique()
                .name("charge_attempt_ends_once")
                .col("charge_id")
                .col("number"),
        )
        .check((
            "charge_attempt_succeeds_or_not",
            Expr::cust("(reference IS NULL) <> (reason IS NULL)"),
        ))
        .to_owned()
}
