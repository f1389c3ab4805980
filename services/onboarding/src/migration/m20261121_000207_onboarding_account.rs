//! `offer.contract_ended_at`: when the contract of an accepted offer ended, as payments tells; an account is not closed
//! before. `tax_form`: that tax forms were handed in; what they say only until payments has it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let after_its_start = Expr::cust("contract_ended_at IS NULL OR contract_started_at IS NOT NULL");
        let ended_at = big_integer_null("contract_ended_at")
            .check(("offer_started_before_ended", after_its_start))
            .to_owned();
        let column = Table::alter().table("offer").add_column(ended_at).to_owned();
        manager.alter_table(column).await?;
        manager.create_table(tax_form()).await?;
        let of_account = Index::create()
            .name("tax_form_of_account")
            .table("tax_form")
            .col("account_id")
            .col("submitted_at")
            .to_owned();
        manager.create_index(of_account).await
    }
}

fn tax_form() -> TableCreateStatement {
    Table::create()
        .table("tax_form")
        .col(pk_uuid("id"))
        .col(uuid("account_id"))
        .col(uuid("person_id"))
        .col(text("kind"))
        .col(big_integer("submitted_at"))
        .col(big_integer_null("recorded_at"))
        .col(blob_null("form"))
        .foreign_key(
            ForeignKey::create()
                .name("tax_form_person")
                .from("tax_form", "person_id")
                .to("person", "id"),
        )
        .check(("tax_form_kind_is_known", Expr::col("kind").is_in(["W9", "W8BEN"])))
        .check((
            "tax_form_waits_until_recorded",
            Expr::cust("(form IS NULL) = (recorded_at IS NOT NULL)"),
        ))
        .to_owned()
}
