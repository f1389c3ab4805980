//! `tax_form`: the tax forms of accounts, with what they say. A form is never changed; the newest of an account counts.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("tax_form")
            .col(pk_uuid("id"))
            .col(uuid("account_id"))
            .col(text("kind"))
            .col(text("tin_last_four"))
            .col(blob("form"))
            .col(big_integer("submitted_at"))
            .check(("tax_form_kind_is_known", Expr::col("kind").is_in(["W9", "W8BEN"])))
            .check((
                "tax_form_shows_four_characters",
                Expr::cust("length(tin_last_four) <= 4"),
            ))
            .check((
                "tax_form_of_w9_has_a_number",
                Expr::cust("kind <> 'W9' OR length(tin_last_four) = 4"),
            ))
            .to_owned();
        manager.create_table(table).await?;
        let newest = Index::create()
            .name("tax_form_newest")
            .table("tax_form")
            .col("account_id")
            .col("submitted_at")
            .to_owned();
        manager.create_index(newest).await
    }
}
