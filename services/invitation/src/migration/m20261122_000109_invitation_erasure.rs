//! `erased_person`: who was erased, so that what is heard of them later is erased, too.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let erased = Table::create()
            .table("erased_person")
            .col(pk_uuid("person_id"))
            .col(big_integer("erased_at"))
            .to_owned();
        manager.create_table(erased).await
    }
}
