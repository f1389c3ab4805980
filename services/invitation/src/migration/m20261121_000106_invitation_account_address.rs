//! `account_address`: which addresses belong to accounts, as onboarding has told; of each only its SHA-256. Of one that was
//! given up the row stays, so that older news do not bring it back, and its last owner can be erased.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let address = Table::create()
            .table("account_address")
            .col(blob("email_sha256").primary_key())
            .col(uuid("person_id"))
            .col(boolean("released"))
            .col(big_integer("since"))
            .check(("account_address_is_sha256", Expr::cust("length(email_sha256) = 32")))
            .to_owned();
        manager.create_table(address).await?;
        let of_person = Index::create()
            .name("account_address_of_person")
            .table("account_address")
            .col("person_id")
            .to_owned();
        manager.create_index(of_person).await
    }
}
