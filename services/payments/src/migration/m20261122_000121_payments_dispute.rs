//! `dispute`, one of which may be open about an earning, `dispute_note`, what was said about it, and `chargeback`, the
//! payments that providers have taken back. Contract and currency are those of the earning.

use sea_orm_migration::{prelude::*, schema::*};

use super::m20261121_000105_payments_append_only::make_append_only;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Both engines know indexes on some rows alone; the builder does not.
const OPEN_ONCE: &str = "CREATE UNIQUE INDEX dispute_is_open_once ON dispute (earning_id) WHERE state = 'OPEN'";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(dispute()).await?;
        manager.get_connection().execute_unprepared(OPEN_ONCE).await?;
        manager.create_table(dispute_note()).await?;
        manager.create_table(chargeback()).await?;
        for (table, column) in [
            ("dispute", "contract_id"),
            ("dispute", "state"),
            ("dispute_note", "dispute_id"),
        ] {
            let index = Index::create()
                .name(format!("{table}_by_{column}"))
                .table(table)
                .col(column)
                .col("id")
                .to_owned();
            manager.create_index(index).await?;
        }
        make_append_only(manager, &["dispute_note"]).await
    }
}

fn of_earning(table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(format!("{table}_earning"))
        .from(table, ("earning_id", "contract_id", "currency"))
        .to("earning", ("id", "contract_id", "currency"))
        .to_owned()
}

fn dispute() -> TableCreateStatement {
    Table::create()
        .table("dispute")
        .col(pk_uuid("id"))
        .col(uuid("earning_id"))
        .col(uuid("contract_id"))
        .col(string_len("currency", 3))
        .col(big_integer("amount_minor"))
        .col(big_integer("held_minor"))
        .col(text("reason"))
        .col(text("description"))
        .col(text("state"))
        .col(big_integer("opened_at"))
        .col(big_integer_null("closed_at"))
        .col(big_integer_null("refunded_minor"))
        .col(text_null("explanation"))
        .foreign_key(&mut of_earning("dispute"))
        .check(("dispute_amount_is_positive", Expr::col("amount_minor").gt(0)))
        .check((
            "dispute_holds_a_part",
            Expr::cust("held_minor >= 0 AND held_minor <= amount_minor"),
        ))
        .check((
            "dispute_reason_is_known",
            Expr::col("reason").is_in([
                "NOT_DELIVERED",
                "NOT_AS_AGREED",
                "HOURS_NOT_WORKED",
                "PAID_BY_MISTAKE",
                "OTHER",
            ]),
        ))
        .check((
            "dispute_state_is_known",
            Expr::col("state").is_in(["OPEN", "RESOLVED", "WITHDRAWN", "SUPERSEDED"]),
        ))
        .check((
            "dispute_end_is_told",
            Expr::cust("(state = 'OPEN') = (closed_at IS NULL)"),
        ))
        .check((
            "dispute_resolution_is_told",
            Expr::cust(
                "(state = 'RESOLVED') = (refunded_minor IS NOT NULL) AND (state = 'RESOLVED') = (explanation IS NOT NULL)",
            ),
        ))
        .check((
            "dispute_refunds_a_part",
            Expr::cust("refunded_minor >= 0 AND refunded_minor <= amount_minor"),
        ))
        .to_owned()
}

fn dispute_note() -> TableCreateStatement {
    Table::create()
        .table("dispute_note")
        .col(pk_uuid("id"))
        .col(uuid("dispute_id"))
        .col(text("author"))
        .col(text("text"))
        .col(big_integer("written_at"))
        .foreign_key(
            ForeignKey::create()
                .name("dispute_note_dispute")
                .from("dispute_note", "dispute_id")
                .to("dispute", "id"),
        )
        .check((
            "dispute_note_author_is_known",
            Expr::col("author").is_in(["CLIENT", "TALENT", "OPERATOR"]),
        ))
        .to_owned()
}

fn chargeback() -> TableCreateStatement {
    Table::create()
        .table("chargeback")
        .col(pk_uuid("id"))
        .col(text("payment"))
        .col(uuid("payment_id"))
        .col(uuid("contract_id"))
        .col(string_len("currency", 3))
        .col(big_integer("amount_minor"))
        .col(uuid_null("earning_id"))
        .col(text("provider_reference").unique_key())
        .col(big_integer("charged_back_at"))
        .col(uuid_null("reinstatement_id").unique_key())
        .col(big_integer_null("won_back_at"))
        .foreign_key(
            ForeignKey::create()
                .name("chargeback_contract")
                .from("chargeback", ("contract_id", "currency"))
                .to("contract", ("id", "currency")),
        )
        .foreign_key(&mut of_earning("chargeback"))
        .check(("chargeback_amount_is_positive", Expr::col("amount_minor").gt(0)))
        .check((
            "chargeback_payment_is_known",
            Expr::col("payment").is_in(["MILESTONE", "INVOICE", "BONUS"]),
        ))
        .check((
            "chargeback_of_escrow_is_of_a_milestone",
            Expr::cust("earning_id IS NOT NULL OR payment = 'MILESTONE'"),
        ))
        .check((
            "chargeback_reversal_is_told",
            Expr::cust("(reinstatement_id IS NULL) = (won_back_at IS NULL)"),
        ))
        .to_owned()
}
