//! `onboarding_case` with its `offer`, and `room` with its `note`s. An accepted offer has a contract and a room, whose first
//! note is the message that accepted it [B28]. `agency_invitation`: the tokens of final agency invitations [B34].
//!
//! `onboarding_case.listing` follows the agency's own by a cascading key, so that the table itself refuses a case that goes on
//! while its listing is provisional.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [case(), room(), note(), offer(), agency_invitation()] {
            manager.create_table(table).await?;
        }
        let index = |name, table| Index::create().name(name).table(table).to_owned();
        let of_person = index("onboarding_case_of_person", "onboarding_case")
            .col("person_id")
            .to_owned();
        manager.create_index(of_person).await?;
        let of_client = index("onboarding_case_of_client", "onboarding_case")
            .col("client_id")
            .col("opened_at")
            .to_owned();
        manager.create_index(of_client).await?;
        let of_agency = index("onboarding_case_of_agency", "onboarding_case")
            .col("agency_id")
            .to_owned();
        manager.create_index(of_agency).await?;
        let by_person = index("note_by_person", "note").col("person_id").to_owned();
        manager.create_index(by_person).await?;
        let of_case = index("agency_invitation_of_case", "agency_invitation")
            .col("case_id")
            .to_owned();
        manager.create_index(of_case).await
    }
}

/// What holds of a case, whatever the program does.
const CASE_CHECKS: [(&str, &str); 5] = [
    (
        "onboarding_case_plan_is_known",
        "client_plan IN ('BASIC', 'BUSINESS_PLUS', 'ENTERPRISE')",
    ),
    (
        "onboarding_case_agency_of_agencies",
        "(talent = 'FREELANCER' AND agency_id IS NULL AND listing IS NULL) \
         OR (talent = 'AGENCY' AND agency_id = account_id AND listing IS NOT NULL)",
    ),
    (
        "onboarding_case_brings_contract_or_cloud",
        "(brings = 'CONTRACT' AND talent_cloud_id IS NULL AND talent_cloud_name IS NULL) \
         OR (brings = 'TALENT_CLOUD' AND talent_cloud_id IS NOT NULL AND talent_cloud_name IS NOT NULL)",
    ),
    (
        "onboarding_case_state_fits_the_way",
        "(brings = 'CONTRACT' AND (state IN ('REVIEW_CONTRACT', 'COMPLETE_TASKS', 'ACCEPT_OFFER', 'ACCEPTED', \
         'LAPSED', 'DECLINED') OR (state IN ('VERIFY_EMAIL', 'CONFIRM_LISTING') AND talent = 'AGENCY'))) \
         OR (brings = 'TALENT_CLOUD' AND state IN ('BUILD_PROFILE', 'COMPLETE_TASKS', 'VERIFY_EMAIL', 'READY'))",
    ),
    (
        "onboarding_case_goes_on_with_a_public_listing",
        "talent = 'FREELANCER' OR listing = 'PUBLIC' \
         OR (brings = 'CONTRACT' AND state NOT IN ('ACCEPT_OFFER', 'ACCEPTED'))",
    ),
];

fn case() -> TableCreateStatement {
    let mut table = Table::create()
        .table("onboarding_case")
        .col(pk_uuid("id"))
        .col(uuid("person_id"))
        .col(uuid("account_id"))
        .col(uuid("invitation_id"))
        .col(uuid("client_id"))
        .col(text("company_name"))
        .col(text("client_plan"))
        .col(text("hiring_manager_name"))
        .col(text("hiring_manager_email"))
        .col(text("talent"))
        .col(uuid_null("agency_id"))
        .col(text_null("listing"))
        .col(text("brings"))
        .col(uuid_null("talent_cloud_id"))
        .col(text_null("talent_cloud_name"))
        .col(text("state"))
        .col(big_integer("since"))
        .col(big_integer("opened_at"))
        .index(
            Index::create()
                .name("onboarding_case_invitation")
                .unique()
                .col("invitation_id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("onboarding_case_person")
                .from("onboarding_case", "person_id")
                .to("person", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("onboarding_case_listing")
                .from("onboarding_case", ("agency_id", "listing"))
                .to("agency", ("id", "listing"))
                .on_update(ForeignKeyAction::Cascade),
        )
        .to_owned();
    for (name, holds) in CASE_CHECKS {
        table.check((name, Expr::cust(holds)));
    }
    table
}

fn agency_invitation() -> TableCreateStatement {
    Table::create()
        .table("agency_invitation")
        .col(blob("token_hash").primary_key())
        .col(uuid("case_id"))
        .col(big_integer("sent_at"))
        .foreign_key(
            ForeignKey::create()
                .name("agency_invitation_of_case")
                .from("agency_invitation", "case_id")
                .to("onboarding_case", "id"),
        )
        .check((
            "agency_invitation_token_hash_is_sha256",
            Expr::cust("length(token_hash) = 32"),
        ))
        .to_owned()
}

fn offer() -> TableCreateStatement {
    let unique = |name| Index::create().name(name).unique().to_owned();
    Table::create()
        .table("offer")
        .col(pk_uuid("id"))
        .col(uuid("case_id"))
        .col(integer("version"))
        .col(blob("contract_terms"))
        .col(big_integer("lapses_at"))
        .col(big_integer_null("accepted_at"))
        .col(uuid_null("contract_id"))
        .col(uuid_null("room_id"))
        .col(big_integer_null("contract_started_at"))
        .col(big_integer_null("declined_at"))
        .col(text("decline_reason").default(""))
        .index(unique("offer_case").col("case_id"))
        .index(unique("offer_contract").col("contract_id"))
        .index(unique("offer_room").col("room_id"))
        .foreign_key(
            ForeignKey::create()
                .name("offer_of_case")
                .from("offer", "case_id")
                .to("onboarding_case", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("offer_opens_room")
                .from("offer", "room_id")
                .to("room", "id"),
        )
        .check((
            "offer_accepted_with_contract_and_room",
            Expr::cust("(accepted_at IS NULL) = (contract_id IS NULL) AND (accepted_at IS NULL) = (room_id IS NULL)"),
        ))
        .check(("offer_version_is_counted", Expr::cust("version >= 1")))
        .check((
            "offer_accepted_or_declined",
            Expr::cust("accepted_at IS NULL OR declined_at IS NULL"),
        ))
        .check((
            "offer_declined_for_a_reason",
            Expr::cust("decline_reason = '' OR declined_at IS NOT NULL"),
        ))
        .check((
            "offer_accepted_in_time",
            Expr::cust("accepted_at IS NULL OR accepted_at < lapses_at"),
        ))
        .check((
            "offer_accepted_before_started",
            Expr::cust("contract_started_at IS NULL OR accepted_at IS NOT NULL"),
        ))
        .to_owned()
}

fn room() -> TableCreateStatement {
    Table::create()
        .table("room")
        .col(pk_uuid("id"))
        .col(big_integer("opened_at"))
        .col(big_integer("last_number"))
        .check(("room_has_its_first_note", Expr::cust("last_number >= 1")))
        .to_owned()
}

fn note() -> TableCreateStatement {
    Table::create()
        .table("note")
        .col(pk_uuid("id"))
        .col(uuid("room_id"))
        .col(big_integer("number"))
        .col(text("kind"))
        .col(uuid_null("person_id"))
        .col(uuid_null("client_id"))
        .col(text("text"))
        .col(big_integer("created_at"))
        .index(
            Index::create()
                .name("note_number_in_room")
                .unique()
                .col("room_id")
                .col("number"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("note_in_room")
                .from("note", "room_id")
                .to("room", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("note_person")
                .from("note", "person_id")
                .to("person", "id"),
        )
        .check(("note_is_not_empty", Expr::cust("text <> ''")))
        .check((
            "note_first_is_the_acceptance",
            Expr::cust("number >= 1 AND ((number = 1 AND kind = 'ACCEPTANCE') OR (number > 1 AND kind = 'MESSAGE'))"),
        ))
        .check((
            "note_is_of_one_party",
            Expr::cust("(person_id IS NULL) <> (client_id IS NULL)"),
        ))
        .to_owned()
}
