//! `person`: the only table that holds names and addresses of people, with a row for each person and for each who is
//! about to become one by an acceptance that is under way (`registered_at` is empty). Who was erased leaves a row that
//! holds nothing personal, so that whatever names the id still finds it. `email_verification`: the tokens of verification
//! mails, of which only the SHA-256 is kept, and that of the address. `quota`: how much is used up of what is counted by the day,
//! for whom (`holder`: an id, or the SHA-256 of an address), since `begun`. `agency`: companies of several people; a listing is provisional or public, and no third thing; one that is public stays so
//! [B34, B36].

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(person()).await?;
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
            .col(blob("email_sha256"))
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
            .check((
                "email_verification_email_is_sha256",
                Expr::cust("length(email_sha256) = 32"),
            ))
            .to_owned();
        manager.create_table(verification).await?;
        manager.create_table(quota()).await?;
        let of_person = Index::create()
            .name("email_verification_of_person")
            .table("email_verification")
            .col("person_id")
            .to_owned();
        manager.create_index(of_person).await?;
        manager.create_table(agency()).await?;
        let triggers = match manager.get_database_backend() {
            DbBackend::Postgres => STAYS_PUBLIC_ON_POSTGRES,
            _ => STAYS_PUBLIC_ON_SQLITE,
        };
        manager.get_connection().execute_unprepared(triggers).await?;
        Ok(())
    }
}

/// Nobody makes a listing provisional that was public [B36].
const STAYS_PUBLIC_ON_SQLITE: &str = "CREATE TRIGGER agency_listing_stays_public BEFORE UPDATE OF listing ON agency \
     WHEN OLD.listing = 'PUBLIC' AND NEW.listing <> 'PUBLIC' \
     BEGIN SELECT RAISE(ABORT, 'a public listing stays public'); END";
const STAYS_PUBLIC_ON_POSTGRES: &str = "CREATE FUNCTION refuse_to_hide_listing() RETURNS trigger LANGUAGE plpgsql AS $$ \
     BEGIN RAISE EXCEPTION 'a public listing stays public'; END $$; \
     CREATE TRIGGER agency_listing_stays_public BEFORE UPDATE ON agency FOR EACH ROW \
     WHEN (OLD.listing = 'PUBLIC' AND NEW.listing <> 'PUBLIC') EXECUTE FUNCTION refuse_to_hide_listing()";

fn person() -> TableCreateStatement {
    Table::create()
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
        .col(text_null("pending_email"))
        .col(big_integer_null("closed_at"))
        .col(text("close_reason").default(""))
        .col(big_integer_null("erased_at"))
        .index(unique("person_account_id").col("account_id"))
        .check((
            "person_registered_before_verified",
            Expr::cust("email_verified_at IS NULL OR registered_at IS NOT NULL"),
        ))
        .check((
            "person_registered_before_closed",
            Expr::cust("closed_at IS NULL OR registered_at IS NOT NULL"),
        ))
        .check((
            "person_closed_for_a_reason",
            Expr::cust("close_reason = '' OR closed_at IS NOT NULL"),
        ))
        .check((
            "person_closed_expects_no_email",
            Expr::cust("pending_email IS NULL OR closed_at IS NULL"),
        ))
        .check((
            "person_closed_before_erased",
            Expr::cust("erased_at IS NULL OR closed_at IS NOT NULL"),
        ))
        .check((
            "person_erased_is_empty",
            Expr::cust(
                "erased_at IS NULL OR (legal_name = '' AND display_name = '' AND country_code = '' AND time_zone = '' \
                 AND account_email = '' AND email_verified_at IS NULL AND close_reason = '')",
            ),
        ))
        .check((
            "person_is_empty_when_erased",
            Expr::cust(
                "erased_at IS NOT NULL OR (legal_name <> '' AND display_name <> '' AND country_code <> '' \
                 AND time_zone <> '' AND account_email <> '')",
            ),
        ))
        .to_owned()
}

fn quota() -> TableCreateStatement {
    let kinds = [
        "MAILS_ASKED_BY",
        "MAILS_TO",
        "LETTERS_OF_CHANGES",
        "NOTES_OF_TALENT",
        "NOTES_OF_CLIENT",
        "TAX_FORMS_OF",
    ];
    Table::create()
        .table("quota")
        .col(text("kind"))
        .col(blob("holder"))
        .col(big_integer("begun"))
        .col(big_integer("used"))
        .primary_key(Index::create().col("kind").col("holder"))
        .check(("quota_kind_is_known", Expr::col("kind").is_in(kinds)))
        .check(("quota_holder_is_id_or_sha256", Expr::cust("length(holder) IN (16, 32)")))
        .check(("quota_is_used", Expr::cust("used > 0")))
        .to_owned()
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
