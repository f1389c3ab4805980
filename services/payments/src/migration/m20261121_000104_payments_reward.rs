//! `reward_total`, what was posted so far, and `reward_posting`, the difference that each release made: at most one
//! for a release, whatever arrives how often.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(reward_total()).await?;
        let index = Index::create()
            .name("reward_total_of_account")
            .table("reward_total")
            .col("account_id")
            .col("tie_id")
            .to_owned();
        manager.create_index(index).await?;
        manager.create_table(reward_posting()).await
    }
}

fn reward_total() -> TableCreateStatement {
    Table::create()
        .table("reward_total")
        .col(uuid("tie_id"))
        .col(text("kind"))
        .col(string_len("currency", 3))
        .col(uuid("account_id"))
        .col(big_integer("epoch"))
        .col(big_integer("sequence"))
        .col(big_integer("posted_minor"))
        .primary_key(Index::create().col("tie_id").col("kind").col("currency"))
        .check(Check::named(
            "reward_total_is_not_negative",
            Expr::col("posted_minor").gte(0),
        ))
        .to_owned()
}

fn reward_posting() -> TableCreateStatement {
    Table::create()
        .table("reward_posting")
        .col(uuid("tie_id"))
        .col(text("kind"))
        .col(string_len("currency", 3))
        .col(big_integer("epoch"))
        .col(big_integer("sequence"))
        .col(big_integer("difference_minor"))
        .col(big_integer("released_at"))
        .primary_key(
            Index::create()
                .col("tie_id")
                .col("kind")
                .col("currency")
                .col("epoch")
                .col("sequence"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("reward_posting_total")
                .from("reward_posting", ("tie_id", "kind", "currency"))
                .to("reward_total", ("tie_id", "kind", "currency")),
        )
        .to_owned()
}
