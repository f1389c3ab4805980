//! The accounts of a person are found when the person is erased.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let by_person = Index::create()
            .name("account_person")
            .table("account")
            .col("person_id")
            .to_owned();
        manager.create_index(by_person).await
    }
}
