//! By which type of referral somebody was attributed. All attributions so far are of friends.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let attributing = ["FRIEND", "FREELANCER", "THIRD_PARTY_SITE", "AFFILIATE"];
        let kind = text("kind")
            .default("FRIEND")
            .check(Expr::col("kind").is_in(attributing))
            .to_owned();
        let add = Table::alter().table("attribution").add_column(kind).to_owned();
        manager.alter_table(add).await
    }
}
