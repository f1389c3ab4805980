//! What speaks for a referrer: clicks, what people had when they signed up, and what came of each piece of it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [touch(), sign_up(), person_address(), evidence(), erasure()] {
            manager.create_table(table).await?;
        }
        let index = |name: &str, table: &str, columns: &[&'static str]| {
            let mut index = Index::create();
            index.name(name).table(Alias::new(table));
            for column in columns {
                index.col(Alias::new(*column));
            }
            index.to_owned()
        };
        for index in [
            index("touch_visitor", "touch", &["visitor_id", "clicked_at"]),
            index("sign_up_cookie", "sign_up", &["link_cookie_id"]),
            index("person_address_email", "person_address", &["email_sha256"]),
            index("evidence_person", "evidence", &["person_id"]),
        ] {
            manager.create_index(index).await?;
        }
        let one_wins = "CREATE UNIQUE INDEX evidence_one_wins ON evidence (person_id) WHERE verdict = 'WON'";
        manager.get_connection().execute_unprepared(one_wins).await?;
        Ok(())
    }
}

fn touch() -> TableCreateStatement {
    Table::create()
        .table("touch")
        .col(pk_uuid("id"))
        .col(text("visitor_id"))
        .col(uuid("referrer_id"))
        .col(uuid_null("link_id"))
        .col(blob_null("device_sha256"))
        .col(blob_null("network_sha256"))
        .col(big_integer("clicked_at"))
        .foreign_key(ForeignKey::create().from("touch", "referrer_id").to("referrer", "id"))
        .foreign_key(ForeignKey::create().from("touch", "link_id").to("referral_link", "id"))
        .to_owned()
}

/// What somebody had when they signed up, as far as they had it. The typed code stands in `account`.
fn sign_up() -> TableCreateStatement {
    Table::create()
        .table("sign_up")
        .col(uuid("account_id").primary_key())
        .col(text_null("link_cookie_id"))
        .col(blob_null("invitation_sha256"))
        .col(blob_null("domain_sha256"))
        .foreign_key(ForeignKey::create().from("sign_up", "account_id").to("account", "id"))
        .to_owned()
}

/// By which hashes of addresses and of mailboxes somebody is known. An address may have been several people's.
fn person_address() -> TableCreateStatement {
    Table::create()
        .table("person_address")
        .col(uuid("person_id"))
        .col(blob("email_sha256"))
        .col(blob("mailbox_sha256"))
        .primary_key(Index::create().col("person_id").col("email_sha256"))
        .foreign_key(
            ForeignKey::create()
                .from("person_address", "person_id")
                .to("person", "id"),
        )
        .to_owned()
}

fn evidence() -> TableCreateStatement {
    Table::create()
        .table("evidence")
        .col(pk_uuid("id"))
        .col(uuid("person_id"))
        .col(text("sort").check(Expr::col("sort").is_in(["CODE", "INVITATION", "CLICK"])))
        .col(uuid_null("referrer_id"))
        .col(text("kind"))
        .col(text("verdict"))
        .col(big_integer("happened_at"))
        .col(big_integer("noted_at"))
        .check((
            "evidence_that_won_is_somebodys",
            Expr::cust("verdict <> 'WON' OR referrer_id IS NOT NULL"),
        ))
        .foreign_key(ForeignKey::create().from("evidence", "person_id").to("person", "id"))
        .foreign_key(
            ForeignKey::create()
                .from("evidence", "referrer_id")
                .to("referrer", "id"),
        )
        .to_owned()
}

/// Who was erased. News of them that come later are erased too.
fn erasure() -> TableCreateStatement {
    Table::create()
        .table("erasure")
        .col(uuid("person_id").primary_key())
        .col(big_integer("erased_at"))
        .to_owned()
}
