//! `quota`: how much of a limit is used up. `suppression`: which addresses get nothing; it knows only their SHA-256.
//! `unsubscribe_token`: which links lead there.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let quota = Table::create()
            .table("quota")
            .col(text("kind"))
            .col(blob("holder"))
            .col(big_integer("begun"))
            .col(big_integer("used"))
            .primary_key(Index::create().col("kind").col("holder").col("begun"))
            .check(("quota_kind_is_known", Expr::col("kind").is_in(["PLAN", "ADDRESS"])))
            .check(("quota_is_used", Expr::cust("used >= 0")))
            .to_owned();
        manager.create_table(quota).await?;
        let suppression = Table::create()
            .table("suppression")
            .col(blob("email_sha256").primary_key())
            .col(text("reason"))
            .col(big_integer("since"))
            .check(("suppression_is_sha256", Expr::cust("length(email_sha256) = 32")))
            .check((
                "suppression_reason_is_known",
                Expr::col("reason").is_in(["UNSUBSCRIBED", "BOUNCED", "COMPLAINED"]),
            ))
            .to_owned();
        manager.create_table(suppression).await?;
        let token = Table::create()
            .table("unsubscribe_token")
            .col(blob("token_hash").primary_key())
            .col(text("email"))
            .check(("unsubscribe_token_is_sha256", Expr::cust("length(token_hash) = 32")))
            .to_owned();
        manager.create_table(token).await
    }
}
