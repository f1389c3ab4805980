//! `payout_method`, where talent's money goes; `payout_schedule`, when it goes by itself; `payout_run`, one day's payouts,
//! with `payout_skip`, whom it passed over; and `payout`. A payout and a schedule have the account and the currency of
//! their method, and a run makes one payout for a schedule.

use sea_orm_migration::{prelude::*, schema::*};

use super::m20261121_000105_payments_append_only::make_append_only;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Both engines know indexes on some rows alone; the builder does not.
const ADDED_ONCE: &str = "CREATE UNIQUE INDEX payout_method_is_added_once \
     ON payout_method (account_id, kind, currency, fingerprint_hash) WHERE removed_at IS NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            payout_method(),
            payout_schedule(),
            payout_run(),
            payout_skip(),
            payout(),
        ] {
            manager.create_table(table).await?;
        }
        manager.get_connection().execute_unprepared(ADDED_ONCE).await?;
        for (name, table, columns) in [
            ("payout_method_of_account", "payout_method", ["account_id", "id"]),
            ("payout_schedule_by_moment", "payout_schedule", ["next_at", "id"]),
            ("payout_skip_of_schedule", "payout_skip", ["schedule_id", "skipped_at"]),
            ("payout_of_account", "payout", ["account_id", "id"]),
            ("payout_of_dispatch", "payout", ["dispatch_id", "id"]),
            ("payout_of_run", "payout", ["run_id", "state"]),
        ] {
            let mut index = Index::create().name(name).table(table).to_owned();
            for column in columns {
                index.col(column);
            }
            manager.create_index(index).await?;
        }
        make_append_only(manager, &["payout_skip"]).await
    }
}

fn payout_method() -> TableCreateStatement {
    let mut table = with_rules(&[
        (
            "payout_method_kind_is_known",
            "kind IN ('BANK_TRANSFER', 'WIRE', 'WALLET', 'INSTANT')",
        ),
        ("payout_method_fingerprint_is_a_hash", "length(fingerprint_hash) = 32"),
        ("payout_method_is_removed_after_it_was_added", "removed_at >= added_at"),
        (
            "payout_method_leads_somewhere",
            "removed_at IS NOT NULL OR length(provider_token) > 0",
        ),
    ]);
    table
        .table("payout_method")
        .col(pk_uuid("id"))
        .col(uuid("account_id"))
        .col(text("kind"))
        .col(string_len("currency", 3))
        .col(text("provider_token"))
        .col(text("label"))
        .col(blob("fingerprint_hash"))
        .col(big_integer("added_at"))
        .col(big_integer_null("removed_at"))
        .index(
            Index::create()
                .unique()
                .name("payout_method_account_and_currency")
                .col("id")
                .col("account_id")
                .col("currency"),
        )
        .to_owned()
}

fn payout_schedule() -> TableCreateStatement {
    let mut table = with_rules(&[
        (
            "payout_schedule_frequency_is_known",
            "frequency IN ('ON_DEMAND', 'WEEKLY', 'MONTHLY', 'QUARTERLY')",
        ),
        (
            "payout_schedule_has_a_next_moment",
            "(frequency = 'ON_DEMAND') = (next_at IS NULL)",
        ),
        ("payout_schedule_minimum_is_positive", "minimum_minor > 0"),
    ]);
    table
        .table("payout_schedule")
        .col(pk_uuid("id"))
        .col(uuid("account_id"))
        .col(string_len("currency", 3))
        .col(uuid("method_id"))
        .col(text("frequency"))
        .col(big_integer("minimum_minor"))
        .col(big_integer_null("next_at"))
        .foreign_key(&mut of_method("payout_schedule"))
        .index(
            Index::create()
                .unique()
                .name("payout_schedule_is_one_for_each_currency")
                .col("account_id")
                .col("currency"),
        )
        .to_owned()
}

fn payout_run() -> TableCreateStatement {
    let mut table = with_rules(&[
        (
            "payout_run_counts_are_not_negative",
            "due >= 0 AND made >= 0 AND skipped >= 0",
        ),
        ("payout_run_is_not_early", "started_at >= due_at"),
        ("payout_run_ends_after_it_began", "finished_at >= started_at"),
    ]);
    table
        .table("payout_run")
        .col(pk_uuid("id"))
        .col(big_integer_uniq("due_at"))
        .col(big_integer("started_at"))
        .col(big_integer_null("finished_at"))
        .col(big_integer("due"))
        .col(big_integer("made"))
        .col(big_integer("skipped"))
        .to_owned()
}

fn payout_skip() -> TableCreateStatement {
    let mut table = with_rules(&[(
        "payout_skip_reason_is_known",
        "reason IN ('NO_ACTIVE_PAYOUT_METHOD', 'TAX_FORM_REQUIRED', 'BELOW_MINIMUM', 'PAYOUT_NOT_OFFERED')",
    )]);
    table
        .table("payout_skip")
        .col(uuid("run_id"))
        .col(uuid("schedule_id"))
        .col(uuid("account_id"))
        .col(string_len("currency", 3))
        .col(text("reason"))
        .col(big_integer("available_minor"))
        .col(big_integer("skipped_at"))
        .primary_key(Index::create().col("run_id").col("schedule_id"))
        .foreign_key(&mut of_run("payout_skip"))
        .to_owned()
}

fn payout() -> TableCreateStatement {
    let mut table = with_rules(&[
        (
            "payout_sends_something",
            "amount_minor > 0 AND fee_minor >= 0 AND fee_minor < amount_minor",
        ),
        (
            "payout_state_is_known",
            "state IN ('REQUESTED', 'DISPATCHED', 'PAID', 'FAILED', 'CANCELLED', 'RETURNED')",
        ),
        ("payout_state_is_told", "(state = 'REQUESTED') = (state_at IS NULL)"),
        (
            "payout_reason_is_told",
            "(state IN ('FAILED', 'RETURNED')) = (reason IS NOT NULL)",
        ),
    ]);
    table
        .table("payout")
        .col(pk_uuid("id"))
        .col(uuid("account_id"))
        .col(string_len("currency", 3))
        .col(uuid("method_id"))
        .col(big_integer("amount_minor"))
        .col(big_integer("fee_minor"))
        .col(uuid_null("run_id"))
        .col(uuid("dispatch_id"))
        .col(big_integer("requested_at"))
        .col(text("state"))
        .col(big_integer_null("state_at"))
        .col(text_null("reason"))
        .foreign_key(&mut of_method("payout"))
        .foreign_key(&mut of_run("payout"))
        .index(
            Index::create()
                .unique()
                .name("payout_of_a_run_is_made_once")
                .col("run_id")
                .col("account_id")
                .col("currency"),
        )
        .to_owned()
}

fn with_rules(rules: &[(&'static str, &'static str)]) -> TableCreateStatement {
    let mut table = Table::create();
    for (name, rule) in rules {
        table.check((*name, Expr::cust(*rule)));
    }
    table
}

/// A method of the same account and currency.
fn of_method(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_method"))
        .from(table, ("method_id", "account_id", "currency"))
        .to("payout_method", ("id", "account_id", "currency"))
        .to_owned()
}

fn of_run(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_run"))
        .from(table, "run_id")
        .to("payout_run", "id")
        .to_owned()
}
