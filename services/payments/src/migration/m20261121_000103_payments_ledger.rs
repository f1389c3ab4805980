//! The ledger. A transfer is one row with both legs, so that debits and credits cannot part; the currency is part of
//! the keys to both accounts, so that it cannot change on the way; a balance cannot be negative.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(ledger_account()).await?;
        manager.create_table(balance()).await?;
        manager.create_table(journal_entry()).await?;
        manager.create_table(transfer()).await?;
        for (name, column) in [
            ("transfer_of_debit_account", "debit_account_id"),
            ("transfer_of_credit_account", "credit_account_id"),
        ] {
            let index = Index::create()
                .name(name)
                .table("transfer")
                .col(column)
                .col("position")
                .to_owned();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn ledger_account() -> TableCreateStatement {
    Table::create()
        .table("ledger_account")
        .col(pk_uuid("id"))
        .col(uuid("owner_id"))
        .col(text("kind"))
        .col(string_len("currency", 3))
        .index(
            Index::create()
                .unique()
                .name("ledger_account_is_unique")
                .col("owner_id")
                .col("kind")
                .col("currency"),
        )
        .index(
            Index::create()
                .unique()
                .name("ledger_account_currency")
                .col("id")
                .col("currency"),
        )
        .check(Check::named(
            "ledger_account_kind_is_known",
            Expr::col("kind").is_in([
                "CLEARING",
                "FEES",
                "REWARD_EXPENSE",
                "ESCROW",
                "PENDING",
                "HELD",
                "AVAILABLE",
                "RECEIVABLE",
            ]),
        ))
        .to_owned()
}

fn balance() -> TableCreateStatement {
    Table::create()
        .table("balance")
        .col(pk_uuid("account_id"))
        .col(big_integer("amount_minor"))
        .foreign_key(
            ForeignKey::create()
                .name("balance_account")
                .from("balance", "account_id")
                .to("ledger_account", "id"),
        )
        .check(Check::named(
            "balance_is_not_negative",
            Expr::col("amount_minor").gte(0),
        ))
        .to_owned()
}

fn journal_entry() -> TableCreateStatement {
    Table::create()
        .table("journal_entry")
        .col(pk_uuid("id"))
        .col(text("source"))
        .col(text("source_id"))
        .col(uuid("subject_id"))
        .col(big_integer("event_at"))
        .col(big_integer("created_at"))
        .index(
            Index::create()
                .unique()
                .name("journal_entry_is_booked_once")
                .col("source")
                .col("source_id"),
        )
        .to_owned()
}

fn transfer() -> TableCreateStatement {
    let leg = |name: &str, column: &'static str| {
        ForeignKey::create()
            .name(name)
            .from("transfer", (column, "currency"))
            .to("ledger_account", ("id", "currency"))
            .to_owned()
    };
    Table::create()
        .table("transfer")
        .col(big_pk_auto("position"))
        .col(uuid_uniq("id"))
        .col(uuid("entry_id"))
        .col(text("kind"))
        .col(uuid("debit_account_id"))
        .col(uuid("credit_account_id"))
        .col(string_len("currency", 3))
        .col(big_integer("amount_minor"))
        .col(big_integer_null("debit_balance_after"))
        .col(big_integer_null("credit_balance_after"))
        .foreign_key(
            ForeignKey::create()
                .name("transfer_entry")
                .from("transfer", "entry_id")
                .to("journal_entry", "id"),
        )
        .foreign_key(&mut leg("transfer_debit_account", "debit_account_id"))
        .foreign_key(&mut leg("transfer_credit_account", "credit_account_id"))
        .check(Check::named(
            "transfer_amount_is_positive",
            Expr::col("amount_minor").gt(0),
        ))
        .check(Check::named(
            "transfer_has_two_accounts",
            Expr::cust("debit_account_id <> credit_account_id"),
        ))
        .check(Check::named(
            "transfer_leaves_no_negative_balance",
            Expr::cust("debit_balance_after >= 0 AND credit_balance_after >= 0"),
        ))
        .to_owned()
}
