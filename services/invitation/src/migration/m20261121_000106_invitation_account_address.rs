//! `account_address`: which addresses belong to accounts, as onboarding has told; of each only its SHA-256. One that was
//! given up has nobody: the row stays, so that older news do not bring it back.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let address = Table::create()
            .table("account_address")
            .col(blob("email_sha256").primary_key())
            .col(uuid_null("person_id"))
            .col(big_integer("since"))
            .check(("account_address_is_sha256", Expr::cust("length(email_sha256) = 32")))
            .to_owned();
        manager.create_table(address).await
    }
}
