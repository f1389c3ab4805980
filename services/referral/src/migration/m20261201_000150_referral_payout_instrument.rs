//! Where the money of accounts goes, and a signal for those who share it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

const KEEP: &str = "INSERT INTO signal_anew SELECT id, kind, referrer_id, person_id, state, closed, appeal, reason, raised_at, \
     closed_at FROM signal";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(payout_instrument()).await?;
        // A rule of a column cannot be changed on SQLite, so that the table is made anew; nothing refers to it.
        manager.create_table(signal_anew()).await?;
        manager.get_connection().execute_unprepared(KEEP).await?;
        manager.drop_table(Table::drop().table("signal").to_owned()).await?;
        let rename = Table::rename().table("signal_anew", "signal").to_owned();
        manager.rename_table(rename).await?;
        for (name, table, columns) in [
            (
                "payout_instrument_same",
                "payout_instrument",
                ["fingerprint_sha256", "account_id"],
            ),
            ("signal_queue", "signal", ["closed", "id"]),
            ("signal_referrer", "signal", ["referrer_id", "id"]),
            ("signal_once", "signal", ["person_id", "kind"]),
        ] {
            let mut index = Index::create().name(name).table(table).to_owned();
            for column in columns {
                index.col(column);
            }
            if name == "signal_once" {
                index.unique();
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// An account may have several, and each may be that of others.
fn payout_instrument() -> TableCreateStatement {
    Table::create()
        .table("payout_instrument")
        .col(uuid("account_id"))
        .col(blob("fingerprint_sha256").check(Expr::cust("length(fingerprint_sha256) = 32")))
        .col(big_integer("added_at"))
        .primary_key(Index::create().col("account_id").col("fingerprint_sha256"))
        .to_owned()
}

fn signal_anew() -> TableCreateStatement {
    let kinds = [
        "VELOCITY",
        "DISPOSABLE_DOMAIN",
        "SHARED_DEVICE",
        "SHARED_NETWORK",
        "SHARED_PAYOUT_INSTRUMENT",
    ];
    let states = ["OPEN", "APPEALED", "CLEARED", "CONFIRMED"];
    let closed = "closed = (closed_at IS NOT NULL) AND closed = (state IN ('CLEARED', 'CONFIRMED'))";
    Table::create()
        .table("signal_anew")
        .col(pk_uuid("id"))
        .col(text("kind"))
        .col(uuid("referrer_id"))
        .col(uuid("person_id"))
        .col(text("state"))
        .col(boolean("closed"))
        .col(text("appeal"))
        .col(text("reason"))
        .col(big_integer("raised_at"))
        .col(big_integer_null("closed_at"))
        .check(("signal_kind_is_known", Expr::col("kind").is_in(kinds)))
        .check(("signal_state_is_known", Expr::col("state").is_in(states)))
        .check(("signal_closed_by_its_state", Expr::cust(closed)))
        .check((
            "signal_appealed_in_words",
            Expr::cust("state <> 'APPEALED' OR appeal <> ''"),
        ))
        .foreign_key(
            ForeignKey::create()
                .from("signal_anew", "referrer_id")
                .to("referrer", "id"),
        )
        .foreign_key(ForeignKey::create().from("signal_anew", "person_id").to("person", "id"))
        .to_owned()
}
