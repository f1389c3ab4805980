//! `invitation`: who was invited by whom, with which offer, and what came of it. `invitation_token`: which e-mailed tokens
//! it has, of each only its SHA-256. `invitation_feed`: how many changes a client's invitations have had.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(table()).await?;
        manager.create_table(tokens()).await?;
        manager.create_table(feed()).await?;
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn table() -> TableCreateStatement {
    let mut table = Table::create()
        .table("invitation")
        .col(pk_uuid("id"))
        .col(uuid("client_id"))
        .col(uuid("hiring_manager_id"))
        .col(text("talent_type"))
        .col(text("recipient_email"))
        .col(blob("recipient_sha256"))
        .col(text("recipient_name"))
        .col(blob_null("contract_terms"))
        .col(uuid_null("talent_cloud_id"))
        .col(text("personal_message"))
        .col(text("branch"))
        .col(text("state"))
        .col(big_integer("sent_at"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("accepted_at"))
        .col(uuid_null("person_id"))
        .col(big_integer_null("hired_at"))
        .col(big_integer_null("offer_ended_at"))
        .col(big_integer_null("declined_at"))
        .col(text("decline_reason").default(""))
        .col(big_integer_null("withdrawn_at"))
        .col(big_integer("change").default(0))
        .foreign_key(
            ForeignKey::create()
                .name("invitation_client")
                .from("invitation", "client_id")
                .to("client", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("invitation_hiring_manager")
                .from("invitation", ("client_id", "hiring_manager_id"))
                .to("hiring_manager", ("client_id", "id")),
        )
        .foreign_key(
            ForeignKey::create()
                .name("invitation_talent_cloud")
                .from("invitation", ("client_id", "talent_cloud_id"))
                .to("talent_cloud", ("client_id", "id")),
        )
        .to_owned();
    for rule in rules() {
        table.check(rule);
    }
    table
}

/// What holds of every invitation, whoever writes it.
fn rules() -> [(&'static str, Expr); 13] {
    [
        (
            "invitation_recipient_is_sha256",
            Expr::cust("length(recipient_sha256) = 32"),
        ),
        (
            "invitation_hires_who_is_known",
            Expr::cust("branch = 'INVITE' OR branch = 'HIRE' AND state = 'ACCEPTED'"),
        ),
        (
            "invitation_talent_type_is_known",
            Expr::col("talent_type").is_in(["FREELANCER", "AGENCY"]),
        ),
        (
            // An invitation to a cloud says nothing of a contract [B15, B16].
            "invitation_brings_one_thing",
            Expr::cust("(contract_terms IS NULL) <> (talent_cloud_id IS NULL)"),
        ),
        (
            "invitation_hires_by_contract",
            Expr::cust("hired_at IS NULL OR contract_terms IS NOT NULL"),
        ),
        (
            "invitation_state_is_known",
            Expr::col("state").is_in(["PENDING", "ACCEPTED", "DECLINED", "WITHDRAWN", "EXPIRED"]),
        ),
        ("invitation_waits_for_an_answer", Expr::cust("expires_at > sent_at")),
        (
            "invitation_accepted_by_somebody",
            Expr::cust(
                "(state = 'ACCEPTED') = (accepted_at IS NOT NULL) \
                 AND (state = 'ACCEPTED') = (person_id IS NOT NULL)",
            ),
        ),
        (
            "invitation_declined_at_some_time",
            Expr::cust(
                "(state = 'DECLINED') = (declined_at IS NOT NULL) AND (decline_reason = '' OR state = 'DECLINED')",
            ),
        ),
        (
            "invitation_withdrawn_at_some_time",
            Expr::cust("(state = 'WITHDRAWN') = (withdrawn_at IS NOT NULL)"),
        ),
        (
            "invitation_accepted_in_time",
            Expr::cust("accepted_at IS NULL OR accepted_at < expires_at"),
        ),
        (
            "invitation_offer_ends_once",
            Expr::cust("offer_ended_at IS NULL OR state = 'ACCEPTED' AND hired_at IS NULL"),
        ),
        (
            "invitation_accepted_before_hired",
            Expr::cust("hired_at IS NULL OR state = 'ACCEPTED'"),
        ),
    ]
}

/// More than one may be alive: a reminder brings another, and the first link goes on working.
fn tokens() -> TableCreateStatement {
    Table::create()
        .table("invitation_token")
        .col(blob("token_hash").primary_key())
        .col(uuid("invitation_id"))
        .foreign_key(
            ForeignKey::create()
                .name("invitation_token_invitation")
                .from("invitation_token", "invitation_id")
                .to("invitation", "id"),
        )
        .check(("invitation_token_is_sha256", Expr::cust("length(token_hash) = 32")))
        .to_owned()
}

fn feed() -> TableCreateStatement {
    Table::create()
        .table("invitation_feed")
        .col(pk_uuid("client_id"))
        .col(big_integer("change"))
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 7] {
    let index = |name| Index::create().name(name).table("invitation").to_owned();
    [
        Index::create()
            .name("invitation_token_of_invitation")
            .table("invitation_token")
            .col("invitation_id")
            .to_owned(),
        index("invitation_of_client").col("client_id").col("id").to_owned(),
        // For watching.
        index("invitation_of_client_by_change")
            .col("client_id")
            .col("change")
            .col("id")
            .to_owned(),
        // For counting.
        index("invitation_of_client_by_time")
            .col("client_id")
            .col("sent_at")
            .col("state")
            .col("hired_at")
            .to_owned(),
        // For erasing.
        index("invitation_of_address").col("recipient_sha256").to_owned(),
        index("invitation_of_person").col("person_id").to_owned(),
        index("invitation_of_recipient")
            .col("recipient_email")
            .col("state")
            .col("id")
            .to_owned(),
    ]
}
