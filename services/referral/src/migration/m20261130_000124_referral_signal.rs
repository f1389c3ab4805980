//! What makes referrals look wrong, and the domains that give out addresses for a moment.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(signal()).await?;
        manager.create_table(disposable_domain()).await?;
        for (name, table, columns) in [
            ("signal_queue", "signal", ["closed", "id"]),
            ("signal_referrer", "signal", ["referrer_id", "id"]),
            ("touch_device", "touch", ["device_sha256", "visitor_id"]),
            ("touch_network", "touch", ["network_sha256", "visitor_id"]),
        ] {
            let mut index = Index::create();
            index.name(name).table(Alias::new(table));
            for column in columns {
                index.col(Alias::new(column));
            }
            manager.create_index(index.to_owned()).await?;
        }
        Ok(())
    }
}

/// One for each referee and kind.
fn signal() -> TableCreateStatement {
    let kinds = ["VELOCITY", "DISPOSABLE_DOMAIN", "SHARED_DEVICE", "SHARED_NETWORK"];
    Table::create()
        .table("signal")
        .col(pk_uuid("id"))
        .col(text("kind").check(Expr::col("kind").is_in(kinds)))
        .col(uuid("referrer_id"))
        .col(uuid("person_id"))
        .col(text("state").check(Expr::col("state").is_in(["OPEN", "APPEALED", "CLEARED", "CONFIRMED"])))
        .col(boolean("closed"))
        .col(text("appeal"))
        .col(text("reason"))
        .col(big_integer("raised_at"))
        .col(big_integer_null("closed_at"))
        .check((
            "signal_closed_at_a_moment",
            Expr::cust("closed = (closed_at IS NOT NULL)"),
        ))
        .check((
            "signal_closed_by_its_state",
            Expr::cust("closed = (state IN ('CLEARED', 'CONFIRMED'))"),
        ))
        .check((
            "signal_appealed_in_words",
            Expr::cust("state <> 'APPEALED' OR appeal <> ''"),
        ))
        .index(
            Index::create()
                .unique()
                .name("signal_once")
                .col("person_id")
                .col("kind"),
        )
        .foreign_key(ForeignKey::create().from("signal", "referrer_id").to("referrer", "id"))
        .foreign_key(ForeignKey::create().from("signal", "person_id").to("person", "id"))
        .to_owned()
}

fn disposable_domain() -> TableCreateStatement {
    Table::create()
        .table("disposable_domain")
        .col(text("domain").primary_key())
        .col(blob("domain_sha256").unique_key())
        .col(big_integer("added_at"))
        .to_owned()
}
