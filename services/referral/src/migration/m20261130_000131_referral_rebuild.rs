//! Where the books are computed anew, beside those in use.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(rebuild_run()).await?;
        manager.create_table(rebuilt_total()).await?;
        manager.create_table(rebuilt_pending()).await
    }
}

/// A run deletes what it has written when it ends; the rows of one that has died go with a later run.
fn rebuild_run() -> TableCreateStatement {
    Table::create()
        .table("rebuild_run")
        .col(pk_uuid("id"))
        .col(big_integer("begun_at"))
        .to_owned()
}

fn of_run(table: &str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from(Alias::new(table), "run_id")
        .to("rebuild_run", "id")
        .on_delete(ForeignKeyAction::Cascade)
        .to_owned()
}

fn rebuilt_total() -> TableCreateStatement {
    Table::create()
        .table("rebuilt_total")
        .col(uuid("run_id"))
        .col(uuid("tie_id"))
        .col(text("kind"))
        .col(text("currency"))
        .col(big_integer("base_minor"))
        .col(big_integer("accrued_minor"))
        .col(integer("accrued_fraction").check(Expr::col("accrued_fraction").between(0, 9_999)))
        .col(big_integer("released_minor").check(Expr::col("released_minor").gte(0)))
        .primary_key(Index::create().col("run_id").col("tie_id").col("kind").col("currency"))
        .foreign_key(&mut of_run("rebuilt_total"))
        .to_owned()
}

fn rebuilt_pending() -> TableCreateStatement {
    Table::create()
        .table("rebuilt_pending")
        .col(uuid("run_id"))
        .col(uuid("tie_id"))
        .col(text("kind"))
        .col(text("currency"))
        .col(big_integer("free_at"))
        .col(big_integer("share_minor"))
        .col(integer("share_fraction").check(Expr::col("share_fraction").between(0, 9_999)))
        .primary_key(
            Index::create()
                .col("run_id")
                .col("tie_id")
                .col("kind")
                .col("currency")
                .col("free_at"),
        )
        .foreign_key(&mut of_run("rebuilt_pending"))
        .to_owned()
}
