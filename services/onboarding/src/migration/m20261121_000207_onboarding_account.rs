//! `offer.contract_ended_at`: when the contract of an accepted offer ended, as payments tells; an account is not closed
//! before.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let after_its_start = Expr::cust("contract_ended_at IS NULL OR contract_started_at IS NOT NULL");
        let ended_at = big_integer_null("contract_ended_at")
            .check(("offer_started_before_ended", after_its_start))
            .to_owned();
        let column = Table::alter().table("offer").add_column(ended_at).to_owned();
        manager.alter_table(column).await
    }
}
