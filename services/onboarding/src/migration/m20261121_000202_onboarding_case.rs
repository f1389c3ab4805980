//! `onboarding_case` with its `offer`, and `room` with its `note`s. An accepted offer has a contract and a room.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [case(), room(), note(), offer()] {
            manager.create_table(table).await?;
        }
        let index = |name, table| Index::create().name(name).table(table).to_owned();
        let of_person = index("onboarding_case_of_person", "onboarding_case")
            .col("person_id")
            .to_owned();
        manager.create_index(of_person).await?;
        let by_person = index("note_by_person", "note").col("person_id").to_owned();
        manager.create_index(by_person).await?;
        let of_room = index("note_of_room", "note").col("room_id").col("id").to_owned();
        manager.create_index(of_room).await
    }
}

fn case() -> TableCreateStatement {
    Table::create()
        .table("onboarding_case")
        .col(pk_uuid("id"))
        .col(uuid("person_id"))
        .col(uuid("account_id"))
        .col(uuid("invitation_id"))
        .col(uuid("client_id"))
        .col(text("state"))
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
        .check((
            "onboarding_case_state_is_known",
            Expr::col("state").is_in(["REVIEW_CONTRACT", "ACCEPT_OFFER", "ACCEPTED", "LAPSED", "DECLINED"]),
        ))
        .to_owned()
}

fn offer() -> TableCreateStatement {
    let unique = |name| Index::create().name(name).unique().to_owned();
    Table::create()
        .table("offer")
        .col(pk_uuid("id"))
        .col(uuid("case_id"))
        .col(text("company_name"))
        .col(text("hiring_manager_name"))
        .col(text("hiring_manager_email"))
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
        .to_owned()
}

fn note() -> TableCreateStatement {
    Table::create()
        .table("note")
        .col(pk_uuid("id"))
        .col(uuid("room_id"))
        .col(uuid("person_id"))
        .col(text("text"))
        .col(big_integer("created_at"))
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
        .to_owned()
}
