//! Rewards of introductions beside those of attributions, what of them is pending, and the fund of the sign-up bonuses.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

const COPY: &str = "INSERT INTO reward_total_of_tie (tie_id, attribution_id, kind, currency, base_minor, accrued_minor, \
     accrued_fraction, released_minor, sequence) SELECT attribution_id, attribution_id, kind, currency, base_minor, \
     accrued_minor, accrued_fraction, released_minor, sequence FROM reward_total";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(reward_total()).await?;
        manager.get_connection().execute_unprepared(COPY).await?;
        manager
            .drop_table(Table::drop().table("reward_total").to_owned())
            .await?;
        let rename = Table::rename().table("reward_total_of_tie", "reward_total").to_owned();
        manager.rename_table(rename).await?;
        manager.create_table(reward_pending()).await?;
        manager.create_table(sign_up_fund()).await?;
        for column in [
            boolean("hired").default(false).to_owned(),
            boolean("closed_at_window_end").default(false).to_owned(),
            text("sign_up")
                .default("OPEN")
                .check(Expr::col("sign_up").is_in(["OPEN", "GRANTED", "CAPPED"]))
                .to_owned(),
            text("sign_up_currency").default("").to_owned(),
            big_integer("sign_up_minor").default(0).to_owned(),
        ] {
            let add = Table::alter().table("attribution").add_column(column).to_owned();
            manager.alter_table(add).await?;
        }
        Ok(())
    }
}

/// Each total is of an attribution or of an introduction, whose id is the tie's.
fn reward_total() -> TableCreateStatement {
    let kinds = [
        "LIFETIME_SHARE",
        "WINDOW_BONUS",
        "SIGN_UP_BONUS",
        "INTRODUCTION_COMMISSION",
        "CLIENT_REWARD",
    ];
    let attribution = Expr::col("attribution_id")
        .eq(Expr::col("tie_id"))
        .and(Expr::col("introduction_id").is_null());
    let introduction = Expr::col("introduction_id")
        .eq(Expr::col("tie_id"))
        .and(Expr::col("attribution_id").is_null());
    Table::create()
        .table("reward_total_of_tie")
        .col(uuid("tie_id"))
        .col(uuid_null("attribution_id"))
        .col(uuid_null("introduction_id"))
        .col(text("kind").check(Expr::col("kind").is_in(kinds)))
        .col(text("currency"))
        .col(big_integer("base_minor"))
        .col(big_integer("accrued_minor"))
        .col(integer("accrued_fraction").check(Expr::col("accrued_fraction").between(0, 9_999)))
        .col(big_integer("released_minor").check(Expr::col("released_minor").gte(0)))
        .col(big_integer("sequence"))
        .primary_key(Index::create().col("tie_id").col("kind").col("currency"))
        .check(attribution.or(introduction))
        .foreign_key(
            ForeignKey::create()
                .from("reward_total_of_tie", "attribution_id")
                .to("attribution", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("reward_total_of_tie", "introduction_id")
                .to("introduction", "id"),
        )
        .to_owned()
}

/// What of a total is not to be released before a moment. A row whose moment has come is deleted with the release.
fn reward_pending() -> TableCreateStatement {
    Table::create()
        .table("reward_pending")
        .col(uuid("tie_id"))
        .col(text("kind"))
        .col(text("currency"))
        .col(big_integer("free_at"))
        .col(big_integer("share_minor"))
        .col(integer("share_fraction").check(Expr::col("share_fraction").between(0, 9_999)))
        .primary_key(Index::create().col("tie_id").col("kind").col("currency").col("free_at"))
        .foreign_key(
            ForeignKey::create()
                .from("reward_pending", ("tie_id", "kind", "currency"))
                .to("reward_total", ("tie_id", "kind", "currency")),
        )
        .to_owned()
}

/// The row is locked while bonuses are granted, so that two of them never both take the last room.
fn sign_up_fund() -> TableCreateStatement {
    Table::create()
        .table("sign_up_fund")
        .col(uuid("referrer_id"))
        .col(text("currency"))
        .col(big_integer("granted_minor").check(Expr::col("granted_minor").gte(0)))
        .primary_key(Index::create().col("referrer_id").col("currency"))
        .foreign_key(
            ForeignKey::create()
                .from("sign_up_fund", "referrer_id")
                .to("referrer", "id"),
        )
        .to_owned()
}
