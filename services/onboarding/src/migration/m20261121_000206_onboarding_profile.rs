//! `talent_profile` and `profile_section`: what talent says of itself, and who finds it. `match_signal`: what referrals say
//! of people. `talent_search`: what search looks at, with a row for each account that may be found and for no other.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(profile()).await?;
        manager.create_table(section()).await?;
        manager.create_table(signal()).await?;
        manager.create_table(search()).await?;
        let words = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES_WORDS,
            _ => SQLITE_WORDS,
        };
        manager.get_connection().execute_unprepared(words).await?;
        Ok(())
    }
}

/// The words are made by the program, and are the same on both engines, which only look them up: letters, digits and
/// underscores of ASCII, each word once, with a space on either side. So PostgreSQL has nothing to parse.
const POSTGRES_WORDS: &str = "\
    ALTER TABLE talent_search ADD COLUMN words tsvector NOT NULL \
        GENERATED ALWAYS AS (array_to_tsvector(string_to_array(btrim(head || substr(rest, 2)), ' '))) STORED; \
    CREATE INDEX talent_search_words ON talent_search USING gin (words)";

/// What is deleted is gone at once, and not when the index is merged some time.
const SQLITE_WORDS: &str = "\
    CREATE VIRTUAL TABLE talent_search_text USING fts5( \
        head, rest, content = 'talent_search', content_rowid = 'number', detail = 'none', \
        tokenize = \"ascii tokenchars '_'\"); \
    INSERT INTO talent_search_text (talent_search_text, rank) VALUES ('secure-delete', 1); \
    CREATE TRIGGER talent_search_added AFTER INSERT ON talent_search BEGIN \
        INSERT INTO talent_search_text (rowid, head, rest) VALUES (new.number, new.head, new.rest); \
    END; \
    CREATE TRIGGER talent_search_removed AFTER DELETE ON talent_search BEGIN \
        INSERT INTO talent_search_text (talent_search_text, rowid, head, rest) \
            VALUES ('delete', old.number, old.head, old.rest); \
    END; \
    CREATE TRIGGER talent_search_changed AFTER UPDATE ON talent_search BEGIN \
        INSERT INTO talent_search_text (talent_search_text, rowid, head, rest) \
            VALUES ('delete', old.number, old.head, old.rest); \
        INSERT INTO talent_search_text (rowid, head, rest) VALUES (new.number, new.head, new.rest); \
    END";

fn profile() -> TableCreateStatement {
    Table::create()
        .table("talent_profile")
        .col(pk_uuid("account_id"))
        // The account once more, as what it is: a freelancer's or an agency.
        .col(uuid_null("freelancer_id"))
        .col(uuid_null("agency_id"))
        .col(text_null("visibility"))
        .col(big_integer_null("visibility_set_at"))
        .col(text_null("visibility_set_by"))
        .foreign_key(
            ForeignKey::create()
                .name("talent_profile_freelancer")
                .from("talent_profile", "freelancer_id")
                .to("person", "account_id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("talent_profile_agency")
                .from("talent_profile", "agency_id")
                .to("agency", "id"),
        )
        .check((
            "talent_profile_of_one_account",
            Expr::cust(
                "(freelancer_id IS NULL) <> (agency_id IS NULL) AND account_id = COALESCE(freelancer_id, agency_id)",
            ),
        ))
        // The listing of an agency cannot be made private: there is nothing here that could say so [B36].
        .check((
            "talent_profile_visibility_of_freelancers",
            Expr::cust("(freelancer_id IS NOT NULL) = (visibility IS NOT NULL)"),
        ))
        .check((
            "talent_profile_visibility_is_known",
            Expr::col("visibility").is_in(["PUBLIC", "USERS_ONLY", "PRIVATE"]),
        ))
        // Nobody is seen who has not said so [B18, B41].
        .check((
            "talent_profile_seen_by_an_act",
            Expr::cust(
                "visibility IS NULL OR visibility = 'PRIVATE' \
                 OR (visibility_set_at IS NOT NULL AND visibility_set_by IS NOT NULL)",
            ),
        ))
        .index(unique("talent_profile_of_visibility").col("account_id").col("visibility"))
        .to_owned()
}

fn section() -> TableCreateStatement {
    Table::create()
        .table("profile_section")
        .col(uuid("account_id"))
        .col(text("section"))
        // What was saved last, where that is not complete.
        .col(blob_null("started"))
        // What was last complete.
        .col(blob_null("complete"))
        .col(big_integer("saved_at"))
        .primary_key(Index::create().col("account_id").col("section"))
        .foreign_key(
            ForeignKey::create()
                .name("profile_section_profile")
                .from("profile_section", "account_id")
                .to("talent_profile", "account_id"),
        )
        .check((
            "profile_section_is_known",
            Expr::col("section").is_in(["HEADLINE", "SKILLS", "EXPERIENCE", "RATE", "PORTFOLIO"]),
        ))
        .check((
            "profile_section_says_something",
            Expr::cust("started IS NOT NULL OR complete IS NOT NULL"),
        ))
        .to_owned()
}

fn signal() -> TableCreateStatement {
    Table::create()
        .table("match_signal")
        .col(pk_uuid("person_id"))
        .col(big_integer("signal"))
        .col(big_integer("changed_at"))
        .check(("match_signal_in_basis_points", Expr::cust("signal BETWEEN 0 AND 10000")))
        .to_owned()
}

fn search() -> TableCreateStatement {
    Table::create()
        .table("talent_search")
        // The full-text index of SQLite knows rows by number.
        .col(big_pk_auto("number"))
        .col(uuid("account_id"))
        .col(uuid("person_id"))
        .col(text_null("visibility"))
        .col(text_null("listing"))
        .col(text("name"))
        .col(text("headline"))
        // As they are shown, one a line.
        .col(text("skills"))
        // As they are looked for, each between line breaks: "\ncad\nink\n".
        .col(text("skill_keys"))
        .col(text("country_code"))
        .col(text_null("rate_currency"))
        .col(big_integer_null("rate_minor"))
        .col(big_integer("completeness"))
        // The words of headline and skills, and all others, with a space on either side of each: " cad ink ".
        .col(text("head"))
        .col(text("rest"))
        .foreign_key(
            ForeignKey::create()
                .name("talent_search_person")
                .from("talent_search", "person_id")
                .to("person", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("talent_search_profile")
                .from("talent_search", ("account_id", "visibility"))
                .to("talent_profile", ("account_id", "visibility")),
        )
        .foreign_key(
            ForeignKey::create()
                .name("talent_search_agency")
                .from("talent_search", ("account_id", "listing"))
                .to("agency", ("id", "listing")),
        )
        .check((
            "talent_search_of_one_account",
            Expr::cust("(visibility IS NULL) <> (listing IS NULL)"),
        ))
        // A private profile is found by nobody [F17], a provisional listing neither [B34].
        .check((
            "talent_search_of_visible_profiles",
            Expr::cust("visibility IS NULL OR visibility <> 'PRIVATE'"),
        ))
        .check((
            "talent_search_of_public_listings",
            Expr::cust("listing IS NULL OR listing = 'PUBLIC'"),
        ))
        .check((
            "talent_search_rate_with_currency",
            Expr::cust("(rate_currency IS NULL) = (rate_minor IS NULL)"),
        ))
        .check((
            "talent_search_completeness_in_per_cent",
            Expr::cust("completeness BETWEEN 0 AND 100"),
        ))
        .index(unique("talent_search_account").col("account_id"))
        .to_owned()
}

fn unique(name: &str) -> IndexCreateStatement {
    Index::create().name(name).unique().to_owned()
}
