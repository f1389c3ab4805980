//! What was released when: the record from which statements, months and leader boards are read. And the match signals.

use sea_orm_migration::{prelude::*, schema::*};

use super::month_of;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// What was released before there was a record counts as released when the database began.
const EARLIER: &str = "INSERT INTO reward_release (tie_id, kind, currency, epoch, sequence, referrer_id, amount_minor, \
     cumulative_minor, released_at, month_at) SELECT t.tie_id, t.kind, t.currency, e.epoch, t.sequence, \
     COALESCE(a.referrer_id, i.referrer_id), t.released_minor, t.released_minor, e.epoch, MONTH FROM reward_total t \
     JOIN epoch e ON e.id = 1 LEFT JOIN attribution a ON a.id = t.tie_id LEFT JOIN introduction i ON i.id = t.tie_id \
     WHERE t.sequence > 0";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(reward_release()).await?;
        for (name, columns) in [
            ("reward_release_referrer", ["referrer_id", "currency", "released_at"]),
            ("reward_release_month", ["month_at", "currency", "referrer_id"]),
        ] {
            let mut index = Index::create().name(name).table("reward_release").to_owned();
            for column in columns {
                index.col(column);
            }
            manager.create_index(index).await?;
        }
        let month = month_of(manager.get_database_backend(), "e.epoch");
        let earlier = EARLIER.replace("MONTH", &month);
        manager.get_connection().execute_unprepared(&earlier).await?;
        manager.create_table(match_signal()).await
    }
}

fn reward_release() -> TableCreateStatement {
    Table::create()
        .table("reward_release")
        .col(uuid("tie_id"))
        .col(text("kind"))
        .col(text("currency"))
        .col(big_integer("epoch"))
        .col(big_integer("sequence"))
        .col(uuid("referrer_id"))
        .col(big_integer("amount_minor"))
        .col(big_integer("cumulative_minor").check(Expr::col("cumulative_minor").gte(0)))
        .col(big_integer("released_at"))
        .col(big_integer("month_at"))
        .primary_key(
            Index::create()
                .col("tie_id")
                .col("kind")
                .col("currency")
                .col("epoch")
                .col("sequence"),
        )
        .to_owned()
}

fn match_signal() -> TableCreateStatement {
    Table::create()
        .table("match_signal")
        .col(pk_uuid("person_id"))
        .col(boolean("screened"))
        .col(boolean("hired"))
        .col(boolean("stayed"))
        .col(integer("good_referrals").check(Expr::col("good_referrals").gte(0)))
        .col(integer("signal").check(Expr::col("signal").between(0, 10_000)))
        .col(big_integer("changed_at"))
        .to_owned()
}
