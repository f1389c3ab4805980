//! `application`: who asks for the work of a project. `recommendation`: whom talent recommends instead of themselves.
//! `referrer`, `referee`: who vouches for whom, as the referral service tells.

use sea_orm_migration::{prelude::*, schema::*};

use super::unique;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [application(), recommendation(), referrer(), referee()] {
            manager.create_table(table).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn application() -> TableCreateStatement {
    Table::create()
        .table("application")
        .col(pk_uuid("id"))
        .col(uuid("project_id"))
        .col(uuid("client_id"))
        .col(uuid("person_id"))
        .col(text("applicant_name"))
        .col(text("contact_email"))
        .col(text("message"))
        .col(uuid_null("recommended_by"))
        .col(text("state"))
        .col(uuid_null("invitation_id"))
        .col(text("decline_reason"))
        .col(big_integer("applied_at"))
        .col(big_integer("since"))
        .foreign_key(
            ForeignKey::create()
                .name("application_project")
                .from("application", ("client_id", "project_id"))
                .to("project", ("client_id", "id")),
        )
        .foreign_key(
            ForeignKey::create()
                .name("application_invitation")
                .from("application", "invitation_id")
                .to("invitation", "id"),
        )
        .check((
            "application_state_is_known",
            Expr::col("state").is_in(["SUBMITTED", "OFFERED", "HIRED", "DECLINED", "WITHDRAWN"]),
        ))
        .check((
            "application_has_its_offer",
            Expr::cust("(state IN ('OFFERED', 'HIRED')) = (invitation_id IS NOT NULL)"),
        ))
        .check((
            "application_declined_for_a_reason",
            Expr::cust("decline_reason = '' OR state = 'DECLINED'"),
        ))
        .check(("application_applied_before", Expr::cust("applied_at <= since")))
        .index(unique("application_once").col("project_id").col("person_id"))
        .index(unique("application_of_offer").col("invitation_id"))
        .to_owned()
}

fn recommendation() -> TableCreateStatement {
    Table::create()
        .table("recommendation")
        .col(pk_uuid("id"))
        .col(uuid("client_id"))
        .col(uuid_null("invitation_id"))
        .col(uuid_null("project_id"))
        .col(uuid_null("person_id"))
        .col(text("name"))
        .col(text("email"))
        .col(blob_null("email_sha256"))
        .col(text("message"))
        .col(big_integer("recommended_at"))
        .foreign_key(
            ForeignKey::create()
                .name("recommendation_invitation")
                .from("recommendation", "invitation_id")
                .to("invitation", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("recommendation_project")
                .from("recommendation", ("client_id", "project_id"))
                .to("project", ("client_id", "id")),
        )
        .check((
            "recommendation_email_is_sha256",
            Expr::cust("email_sha256 IS NULL OR length(email_sha256) = 32"),
        ))
        .check((
            "recommendation_has_one_occasion",
            Expr::cust("(invitation_id IS NULL) <> (project_id IS NULL)"),
        ))
        .index(
            unique("recommendation_once_for_project")
                .col("project_id")
                .col("person_id")
                .col("email_sha256"),
        )
        .index(
            unique("recommendation_once_for_offer")
                .col("invitation_id")
                .col("person_id")
                .col("email_sha256"),
        )
        .to_owned()
}

fn referrer() -> TableCreateStatement {
    Table::create()
        .table("referrer")
        .col(pk_uuid("id"))
        .col(uuid("person_id"))
        .col(text("code"))
        .to_owned()
}

/// The referee may be heard of before the referrer.
fn referee() -> TableCreateStatement {
    Table::create()
        .table("referee")
        .col(pk_uuid("person_id"))
        .col(uuid("referrer_id"))
        .to_owned()
}

fn indexes() -> [IndexCreateStatement; 7] {
    let index = |name, table, columns: [&'static str; 2]| {
        let [first, then] = columns;
        Index::create().name(name).table(table).col(first).col(then).to_owned()
    };
    [
        index("application_of_project", "application", ["project_id", "id"]),
        index("application_of_person", "application", ["person_id", "id"]),
        index("application_recommended_by", "application", ["recommended_by", "id"]),
        index("recommendation_of_client", "recommendation", ["client_id", "id"]),
        index("recommendation_of_address", "recommendation", ["email_sha256", "id"]),
        index("recommendation_of_person", "recommendation", ["person_id", "id"]),
        index("referrer_of_person", "referrer", ["person_id", "id"]),
    ]
}
