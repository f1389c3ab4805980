//! `earning`, one for each approved milestone, paid invoice and bonus payment, and `reversal`, what was taken back of it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(earning()).await?;
        let index = Index::create()
            .name("earning_of_account")
            .table("earning")
            .col("account_id")
            .col("id")
            .to_owned();
        manager.create_index(index).await?;
        manager.create_table(reversal()).await?;
        let index = Index::create()
            .name("reversal_of_earning")
            .table("reversal")
            .col("earning_id")
            .to_owned();
        manager.create_index(index).await
    }
}

fn earning() -> TableCreateStatement {
    Table::create()
        .table("earning")
        .col(pk_uuid("id"))
        .col(uuid("contract_id"))
        .col(text("source"))
        .col(uuid("source_id"))
        .col(uuid("client_id"))
        .col(uuid("person_id"))
        .col(uuid("account_id"))
        .col(string_len("currency", 3))
        .col(big_integer("gross_minor"))
        .col(big_integer("fee_minor"))
        .col(big_integer("refunded_minor"))
        .col(big_integer("disputed_minor"))
        .col(big_integer("held_minor"))
        .col(big_integer("occurred_at"))
        .col(big_integer("approved_at"))
        .col(big_integer("available_at"))
        .col(big_integer_null("settled_at"))
        .foreign_key(
            ForeignKey::create()
                .name("earning_contract")
                .from("earning", ("contract_id", "currency"))
                .to("contract", ("id", "currency")),
        )
        .index(
            Index::create()
                .unique()
                .name("earning_is_made_once")
                .col("source")
                .col("source_id"),
        )
        .index(
            Index::create()
                .unique()
                .name("earning_currency")
                .col("id")
                .col("contract_id")
                .col("currency"),
        )
        .check(Check::named(
            "earning_source_is_known",
            Expr::col("source").is_in(["MILESTONE", "INVOICE", "BONUS"]),
        ))
        .check(Check::named(
            "earning_gross_is_positive",
            Expr::col("gross_minor").gt(0),
        ))
        .check(Check::named(
            "earning_is_refunded_at_most_once",
            Expr::cust(
                "refunded_minor >= 0 AND disputed_minor >= 0 AND refunded_minor + disputed_minor <= gross_minor",
            ),
        ))
        .check(Check::named("earning_holds_no_debt", Expr::col("held_minor").gte(0)))
        .check(Check::named(
            "earning_holds_nothing_once_settled",
            Expr::cust("settled_at IS NULL OR held_minor = 0"),
        ))
        .to_owned()
}

fn reversal() -> TableCreateStatement {
    Table::create()
        .table("reversal")
        .col(pk_uuid("id"))
        .col(uuid("earning_id"))
        .col(big_integer("amount_minor"))
        .col(big_integer("fee_back_minor"))
        .col(big_integer("reversed_at"))
        .foreign_key(
            ForeignKey::create()
                .name("reversal_earning")
                .from("reversal", "earning_id")
                .to("earning", "id"),
        )
        .check(Check::named(
            "reversal_amount_is_positive",
            Expr::col("amount_minor").gt(0),
        ))
        .check(Check::named(
            "reversal_fee_is_a_part",
            Expr::cust("fee_back_minor >= 0 AND fee_back_minor <= amount_minor"),
        ))
        .to_owned()
}
