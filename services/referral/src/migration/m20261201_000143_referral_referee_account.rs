//! The account with which a referee has signed up, to which what the terms give them is paid [R24].

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let account = uuid_null("referee_account_id").to_owned();
        let add = Table::alter().table("attribution").add_column(account).to_owned();
        manager.alter_table(add).await
    }
}
