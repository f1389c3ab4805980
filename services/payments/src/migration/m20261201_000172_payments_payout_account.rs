//! `payout_account` has a row for each account that ever had a payout method, for whoever adds one to lock: what is counted then is how
//! many the account has, however many are added at once.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create().table("payout_account").col(pk_uuid("id")).to_owned();
        manager.create_table(table).await
    }
}
