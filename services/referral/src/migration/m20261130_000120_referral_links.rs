//! Agencies and clients may vouch as well as people; codes of one's own choice; links.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(party_of_account()).await?;
        manager.create_table(vanity_code()).await?;
        manager.create_table(referral_link()).await?;
        let by_referrer = Index::create()
            .name("referral_link_referrer")
            .table("referral_link")
            .col("referrer_id")
            .col("id")
            .to_owned();
        manager.create_index(by_referrer).await
    }
}

/// A client has a row in `account` and in `person` under its own id.
fn party_of_account() -> TableAlterStatement {
    let known = Expr::cust("party IN ('PERSON', 'AGENCY', 'CLIENT') AND (party <> 'CLIENT' OR id = person_id)");
    Table::alter()
        .table("account")
        .add_column(text("party").default("PERSON").check(known))
        .to_owned()
}

/// A row is never changed and never deleted: no code comes to anybody else.
fn vanity_code() -> TableCreateStatement {
    Table::create()
        .table("vanity_code")
        .col(text("code").primary_key())
        .col(uuid_uniq("referrer_id"))
        .col(big_integer("claimed_at"))
        .foreign_key(
            ForeignKey::create()
                .from("vanity_code", "referrer_id")
                .to("referrer", "id"),
        )
        .to_owned()
}

fn referral_link() -> TableCreateStatement {
    Table::create()
        .table("referral_link")
        .col(pk_uuid("id"))
        .col(uuid("referrer_id"))
        .col(text("kind").check(Expr::col("kind").is_in(["FRIEND", "FREELANCER", "THIRD_PARTY_SITE", "AFFILIATE"])))
        .col(text("source"))
        .col(text("campaign"))
        .col(uuid_null("project_id"))
        .col(uuid_null("client_id"))
        .col(big_integer("created_at"))
        .check((
            "referral_link_names_its_site",
            Expr::cust("kind <> 'THIRD_PARTY_SITE' OR source <> ''"),
        ))
        .check((
            "referral_link_leads_to_one_place",
            Expr::cust("project_id IS NULL OR client_id IS NULL"),
        ))
        .foreign_key(
            ForeignKey::create()
                .from("referral_link", "referrer_id")
                .to("referrer", "id"),
        )
        .to_owned()
}
