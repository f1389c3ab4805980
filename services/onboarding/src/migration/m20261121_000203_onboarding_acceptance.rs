//! `acceptance`: acceptances of invitations that were begun. A row without `finished_at` is still under way, and its
//! timer will finish it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("acceptance")
            .col(pk_uuid("request_id"))
            .col(uuid("invitation_id"))
            .col(uuid("person_id"))
            .col(blob_null("token_hash"))
            .col(text_null("referral_code"))
            .col(text_null("agency_name"))
            .col(text_null("link_cookie_id"))
            .col(blob_null("referral_invitation_sha256"))
            .col(big_integer("begun_at"))
            .col(big_integer_null("finished_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("acceptance_person")
                    .from("acceptance", "person_id")
                    .to("person", "id"),
            )
            .check((
                "acceptance_token_hash_is_sha256",
                Expr::cust("token_hash IS NULL OR length(token_hash) = 32"),
            ))
            .check((
                "acceptance_referral_invitation_is_sha256",
                Expr::cust("referral_invitation_sha256 IS NULL OR length(referral_invitation_sha256) = 32"),
            ))
            .check((
                "acceptance_referral_of_new_person",
                Expr::cust(
                    "token_hash IS NOT NULL OR (referral_code IS NULL AND link_cookie_id IS NULL \
                     AND referral_invitation_sha256 IS NULL)",
                ),
            ))
            .to_owned();
        manager.create_table(table).await?;
        let of_person = Index::create()
            .name("acceptance_of_person")
            .table("acceptance")
            .col("person_id")
            .to_owned();
        manager.create_index(of_person).await
    }
}
