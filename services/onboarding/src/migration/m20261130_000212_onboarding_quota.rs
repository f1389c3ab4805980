//! `quota` counts more kinds of things: mails to an address that people ask for who are signed in, and versions of task
//! templates; notes are counted by author and room. SQLite changes no rule of a table, so that the table is made anew.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const KINDS: [&str; 8] = [
    "MAILS_ASKED_BY",
    "MAILS_TO",
    "MAILS_ASKED_TO",
    "LETTERS_OF_CHANGES",
    "NOTES_OF_TALENT",
    "NOTES_OF_CLIENT",
    "TAX_FORMS_OF",
    "TEMPLATES_OF",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let quota = Table::create()
            .table("quota_of_more")
            .col(text("kind"))
            .col(blob("holder"))
            .col(big_integer("begun"))
            .col(big_integer("used"))
            .primary_key(Index::create().col("kind").col("holder"))
            .check(("quota_kind_is_known", Expr::col("kind").is_in(KINDS)))
            .check((
                "quota_holder_is_ids_or_sha256",
                Expr::cust("length(holder) IN (16, 32)"),
            ))
            .check(("quota_is_used", Expr::cust("used > 0")))
            .to_owned();
        manager.create_table(quota).await?;
        let copy = "INSERT INTO quota_of_more (kind, holder, begun, used) SELECT kind, holder, begun, used FROM quota";
        manager.get_connection().execute_unprepared(copy).await?;
        manager.drop_table(Table::drop().table("quota").to_owned()).await?;
        let rename = Table::rename().table("quota_of_more", "quota").to_owned();
        manager.rename_table(rename).await
    }
}
