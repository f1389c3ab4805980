//! `client_payment`, what a client pays otherwise than by charges; and the accounts of what clients owe for rewards of their own.
//! What was posted for such rewards before stays in CLIENT_RECEIVABLE: no version that was released has posted any.

use sea_orm_migration::{prelude::*, schema::*};

use super::widen::widen;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("client_payment")
            .col(pk_uuid("id"))
            .col(uuid("client_id"))
            .col(string_len("currency", 3))
            .col(big_integer("amount_minor"))
            .col(text("reference"))
            .col(big_integer("received_at"))
            .col(big_integer("recorded_at"))
            .col(big_integer_null("undone_at"))
            .check(("client_payment_amount_is_positive", Expr::cust("amount_minor > 0")))
            .check(("client_payment_is_named", Expr::cust("reference <> ''")))
            .to_owned();
        manager.create_table(table).await?;
        let once = Index::create()
            .name("client_payment_counts_once")
            .table("client_payment")
            .col("client_id")
            .col("reference")
            .unique()
            .to_owned();
        manager.create_index(once).await?;
        let kinds = "kind IN ('REWARD_RECEIVABLE', 'REWARD_CREDIT')";
        widen(manager, "ledger_account", "ledger_account_kind_is_known", kinds).await
    }
}
