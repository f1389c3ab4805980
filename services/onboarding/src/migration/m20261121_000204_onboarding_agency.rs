//! `agency`: agencies, by the account that their money belongs to. A listing is provisional or public, never private.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("agency")
            .col(pk_uuid("id"))
            .col(uuid("person_id"))
            .col(text("name"))
            .col(text("listing"))
            .col(big_integer("created_at"))
            .col(big_integer_null("confirmed_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("agency_person")
                    .from("agency", "person_id")
                    .to("person", "id"),
            )
            .check((
                "agency_listing_is_known",
                Expr::col("listing").is_in(["PROVISIONAL", "PUBLIC"]),
            ))
            .index(
                Index::create()
                    .name("agency_of_listing")
                    .unique()
                    .col("id")
                    .col("listing"),
            )
            .to_owned();
        manager.create_table(table).await
    }
}
