//! `person`: the only table that holds names and addresses of people, with a row for each person and for each who is
//! about to become one by an acceptance that is under way (`registered_at` is empty). `email_verification`: the
//! tokens of verification mails, of which only the SHA-256 is kept. `agency`: companies of several people; a listing is
//! provisional or public, and no third thing [B34, B36].

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let person = Table::create()
            .table("person")
            .col(pk_uuid("id"))
            .col(uuid("account_id"))
            .col(text("legal_name"))
            .col(text("display_name"))
            .col(text("country_code"))
            .col(text("time_zone"))
            .col(text("account_email"))
            .col(big_integer_null("registered_at"))
            .col(big_integer_null("email_verified_at"))
            .index(unique("person_account_id").col("account_id"))
            .check((
                "person_registered_before_verified",
                Expr::cust("email_verified_at IS NULL OR registered_at IS NOT NULL"),
            ))
            .to_owned();
        manager.create_table(person).await?;
        // Whoever has not proved an address keeps nobody from it.
        let verified_email = unique("person_verified_email")
            .table("person")
            .col("account_email")
            .and_where(Expr::col("email_verified_at").is_not_null())
            .to_owned();
        manager.create_index(verified_email).await?;
        let verification = Table::create()
            .table("email_verification")
            .col(blob("token_hash").primary_key())
            .col(uuid("person_id"))
            .col(big_integer("created_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("email_verification_person")
                    .from("email_verification", "person_id")
                    .to("person", "id"),
            )
            .check((
                "email_verification_token_hash_is_sha256",
                Expr::cust("length(token_hash) = 32"),
            ))
            .to_owned();
        manager.create_table(verification).await?;
        let of_person = Index::create()
            .name("email_verification_of_person")
            .table("email_verification")
            .col("person_id")
            .to_owned();
        manager.create_index(of_person).await?;
        manager.create_table(agency()).await
    }
}

fn agency() -> TableCreateStatement {
    Table::create()
        .table("agency")
        .col(pk_uuid("id"))
        .col(uuid("person_id"))
        .col(text("name"))
        .col(text("name_key"))
        .col(text("listing"))
        .col(big_integer("created_at"))
        .col(big_integer_null("confirmed_at"))
        .index(unique("agency_of_person").col("person_id").col("name_key"))
        // What may only hang on a public listing refers to both.
        .index(unique("agency_listing").col("id").col("listing"))
        .foreign_key(
            ForeignKey::create()
                .name("agency_person")
                .from("agency", "person_id")
                .to("person", "id"),
        )
        .check(("agency_has_a_name", Expr::cust("name <> ''")))
        .check((
            "agency_listing_is_known",
            Expr::cust("listing IN ('PROVISIONAL', 'PUBLIC')"),
        ))
        .check((
            "agency_listing_is_public_once_confirmed",
            Expr::cust("(listing = 'PUBLIC') = (confirmed_at IS NOT NULL)"),
        ))
        .to_owned()
}

fn unique(name: &str) -> IndexCreateStatement {
    Index::create().name(name).unique().to_owned()
}
