//! Invitations of friends, what is said in them, and the addresses that get none.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [invitation(), words(), token(), way_out(), suppression()] {
            manager.create_table(table).await?;
        }
        for (name, column) in [
            ("referral_invitation_address", "email_sha256"),
            ("referral_invitation_person", "person_id"),
        ] {
            let index = Index::create()
                .name(name)
                .table("referral_invitation")
                .col(Alias::new(column))
                .to_owned();
            manager.create_index(index).await?;
        }
        let by_referrer = Index::create()
            .name("referral_invitation_referrer")
            .table("referral_invitation")
            .col("referrer_id")
            .col("id")
            .to_owned();
        manager.create_index(by_referrer).await
    }
}

/// The numbers within a day and within a week hold the limits: no two invitations have the same.
fn invitation() -> TableCreateStatement {
    Table::create()
        .table("referral_invitation")
        .col(pk_uuid("id"))
        .col(uuid("referrer_id"))
        .col(blob("email_sha256"))
        .col(text("kind").check(Expr::col("kind").is_in(["FRIEND", "FREELANCER", "CLIENT_INTRODUCTION"])))
        .col(uuid_null("client_id"))
        .col(text("stage").check(Expr::col("stage").is_in([
            "SENT",
            "CLICKED",
            "ACCEPTED",
            "REGISTERED",
            "HIRED",
            "DECLINED",
            "EXPIRED",
        ])))
        .col(big_integer("sent_at"))
        .col(big_integer_null("accepted_at"))
        .col(uuid_null("person_id"))
        .col(big_integer("since"))
        .col(big_integer("day_begun"))
        .col(integer("number_of_day"))
        .col(big_integer("week_begun"))
        .col(integer("number_of_week"))
        .check((
            "referral_invitation_registered_is_somebodys",
            Expr::cust("(stage IN ('REGISTERED', 'HIRED')) = (person_id IS NOT NULL)"),
        ))
        .check((
            "referral_invitation_names_its_client",
            Expr::cust("(kind = 'FRIEND') = (client_id IS NULL)"),
        ))
        .check((
            "referral_invitation_accepted_at_a_moment",
            Expr::cust("stage NOT IN ('ACCEPTED', 'REGISTERED', 'HIRED') OR accepted_at IS NOT NULL"),
        ))
        .index(
            Index::create()
                .unique()
                .name("referral_invitation_of_the_day")
                .col("referrer_id")
                .col("day_begun")
                .col("number_of_day"),
        )
        .index(
            Index::create()
                .unique()
                .name("referral_invitation_of_the_week")
                .col("email_sha256")
                .col("week_begun")
                .col("number_of_week"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("referral_invitation", "referrer_id")
                .to("referrer", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("referral_invitation", "person_id")
                .to("person", "id"),
        )
        .to_owned()
}

/// All that is personal about an invitation: a row is deleted with whoever it names.
fn words() -> TableCreateStatement {
    Table::create()
        .table("referral_words")
        .col(uuid("invitation_id").primary_key())
        .col(text("email"))
        .col(text("recipient_name"))
        .col(text("referrer_name"))
        .col(text("referrer_contact"))
        .col(text("job"))
        .col(text("message"))
        .foreign_key(
            ForeignKey::create()
                .from("referral_words", "invitation_id")
                .to("referral_invitation", "id"),
        )
        .to_owned()
}

fn token() -> TableCreateStatement {
    Table::create()
        .table("referral_token")
        .col(blob("token_hash").primary_key())
        .col(uuid("invitation_id"))
        .foreign_key(
            ForeignKey::create()
                .from("referral_token", "invitation_id")
                .to("referral_invitation", "id"),
        )
        .to_owned()
}

/// By which links readers say that they want no more.
fn way_out() -> TableCreateStatement {
    Table::create()
        .table("way_out")
        .col(blob("token_hash").primary_key())
        .col(blob("email_sha256"))
        .to_owned()
}

/// What the suppression list of the invitation service says of addresses, newest word first.
fn suppression() -> TableCreateStatement {
    Table::create()
        .table("suppression")
        .col(blob("email_sha256").primary_key())
        .col(boolean("suppressed"))
        .col(big_integer("since"))
        .to_owned()
}
