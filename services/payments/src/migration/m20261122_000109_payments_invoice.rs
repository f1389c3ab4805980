//! `invoice`, one for each contract and week, and `invoice_line`, one for each time entry of it. What a line was made of can
//! no longer be changed: its entry and the times of that are a foreign key. The amount follows from minutes and rate.

use sea_orm_migration::{prelude::*, schema::*};

use super::{m20261121_000105_payments_append_only::make_append_only, m20261122_000108_payments_time::IS_MONDAY};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(invoice()).await?;
        for (name, column) in [("invoice_of_account", "account_id"), ("invoice_of_client", "client_id")] {
            let index = Index::create()
                .name(name)
                .table("invoice")
                .col(column)
                .col("week")
                .col("id")
                .to_owned();
            manager.create_index(index).await?;
        }
        manager.create_table(invoice_line()).await?;
        make_append_only(manager, &["invoice_line"]).await
    }
}

fn invoice() -> TableCreateStatement {
    let mut table = Table::create();
    for (name, rule) in [
        ("invoice_week_begins_on_monday", IS_MONDAY),
        (
            "invoice_minutes_are_within_the_limit",
            "minutes > 0 AND minutes_over >= 0 AND minutes <= limit_minutes",
        ),
        (
            "invoice_leaves_out_what_is_over_the_limit",
            "minutes_over = 0 OR minutes = limit_minutes",
        ),
        (
            "invoice_amount_is_positive_and_rounded_down",
            "amount_minor > 0 AND amount_minor = CAST(minutes AS bigint) * rate_minor / 60",
        ),
        ("invoice_state_is_known", "state IN ('OPEN', 'PAID', 'UNPAID')"),
        ("invoice_payment_is_told", "(state = 'PAID') = (paid_at IS NOT NULL)"),
    ] {
        table.check((name, Expr::cust(rule)));
    }
    table
        .table("invoice")
        .col(pk_uuid("id"))
        .col(uuid("contract_id"))
        .col(uuid("client_id"))
        .col(uuid("person_id"))
        .col(uuid("account_id"))
        .col(string_len("currency", 3))
        .col(big_integer("week"))
        .col(big_integer("rate_minor"))
        .col(integer("limit_minutes"))
        .col(integer("minutes"))
        .col(integer("minutes_over"))
        .col(big_integer("amount_minor"))
        .col(text("state"))
        .col(big_integer_null("paid_at"))
        .foreign_key(
            ForeignKey::create()
                .name("invoice_contract")
                .from("invoice", ("contract_id", "currency"))
                .to("contract", ("id", "currency")),
        )
        .index(
            Index::create()
                .unique()
                .name("invoice_is_made_once")
                .col("contract_id")
                .col("week"),
        )
        .to_owned()
}

fn invoice_line() -> TableCreateStatement {
    Table::create()
        .table("invoice_line")
        .col(pk_uuid("time_entry_id"))
        .col(uuid("invoice_id"))
        .col(big_integer("start_at"))
        .col(big_integer("end_at"))
        .col(text("description"))
        .col(integer("minutes"))
        .col(integer("minutes_over"))
        .col(big_integer("amount_minor"))
        .col(boolean("tracked"))
        .foreign_key(
            ForeignKey::create()
                .name("invoice_line_invoice")
                .from("invoice_line", "invoice_id")
                .to("invoice", "id"),
        )
        .foreign_key(&mut as_invoiced())
        .index(
            Index::create()
                .unique()
                .name("invoice_line_order")
                .col("invoice_id")
                .col("start_at"),
        )
        .check((
            "invoice_line_minutes_are_those_of_its_entry",
            Expr::cust("minutes >= 0 AND minutes_over >= 0 AND CAST(minutes + minutes_over AS bigint) * 60000000 = end_at - start_at"),
        ))
        .check((
            "invoice_line_amount_is_not_negative",
            Expr::cust("amount_minor >= 0 AND (minutes > 0 OR amount_minor = 0)"),
        ))
        .to_owned()
}

/// An entry of the same invoice, at the same time.
fn as_invoiced() -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.name("invoice_line_time_entry")
        .from_tbl("invoice_line")
        .from_col("time_entry_id")
        .to_tbl("time_entry")
        .to_col("id");
    for column in ["invoice_id", "start_at", "end_at"] {
        key.from_col(column).to_col(column);
    }
    key
}
