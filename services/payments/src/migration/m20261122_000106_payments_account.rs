//! `account`: whose an account is, as onboarding told.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("account")
            .col(pk_uuid("id"))
            .col(uuid("person_id"))
            .to_owned();
        manager.create_table(table).await
    }
}
