//! `bonus_payment`: what clients give beside what was agreed. It is in the currency of its contract, and is one earning at
//! most.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("bonus_payment")
            .col(pk_uuid("id"))
            .col(uuid("contract_id"))
            .col(string_len("currency", 3))
            .col(big_integer("amount_minor"))
            .col(text("message"))
            .col(big_integer("given_at"))
            .col(uuid_null("earning_id").unique_key())
            .foreign_key(
                ForeignKey::create()
                    .name("bonus_payment_contract")
                    .from("bonus_payment", ("contract_id", "currency"))
                    .to("contract", ("id", "currency")),
            )
            .foreign_key(
                ForeignKey::create()
                    .name("bonus_payment_earning")
                    .from("bonus_payment", "earning_id")
                    .to("earning", "id"),
            )
            .check(("bonus_payment_amount_is_positive", Expr::col("amount_minor").gt(0)))
            .check((
                "bonus_payment_says_something",
                Expr::cust("length(message) BETWEEN 1 AND 5000"),
            ))
            .to_owned();
        manager.create_table(table).await?;
        let index = Index::create()
            .name("bonus_payment_of_contract")
            .table("bonus_payment")
            .col("contract_id")
            .col("id")
            .to_owned();
        manager.create_index(index).await
    }
}
