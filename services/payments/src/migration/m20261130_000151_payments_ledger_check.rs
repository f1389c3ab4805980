//! How far the books have been checked, and what was found. `ledger_check` has a row for each of two runs over the transfers:
//! the one that follows what is new, and the one that begins anew with the first. `ledger_check_sum` is what the transfers of
//! each account have come to by then, and `ledger_check_day` the same of the platform's accounts, day by day.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [check(), sum(), day(), finding()] {
            manager.create_table(table).await?;
        }
        let runs = "INSERT INTO ledger_check (run, checked_position, mark_position, mark_transaction, begun_at) \
            VALUES ('NEW', 0, 0, 0, 0), ('ALL', 0, 0, 0, 0)";
        manager.get_connection().execute_unprepared(runs).await?;
        Ok(())
    }
}

fn check() -> TableCreateStatement {
    Table::create()
        .table("ledger_check")
        .col(text("run").primary_key())
        .col(big_integer("checked_position"))
        .col(big_integer("mark_position"))
        .col(big_integer("mark_transaction"))
        .col(big_integer("begun_at"))
        .col(big_integer_null("ended_at"))
        .check(("ledger_check_run_is_known", Expr::cust("run IN ('NEW', 'ALL')")))
        .to_owned()
}

fn of_account(name: &str, table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(name)
        .from(table, "account_id")
        .to("ledger_account", "id")
        .to_owned()
}

fn sum() -> TableCreateStatement {
    Table::create()
        .table("ledger_check_sum")
        .col(text("run"))
        .col(uuid("account_id"))
        .col(big_integer("sum_minor"))
        .col(big_integer("after_minor"))
        .col(big_integer("booked_at"))
        .primary_key(Index::create().col("run").col("account_id"))
        .foreign_key(&mut of_account("ledger_check_sum_account", "ledger_check_sum"))
        .to_owned()
}

fn day() -> TableCreateStatement {
    Table::create()
        .table("ledger_check_day")
        .col(uuid("account_id"))
        .col(big_integer("day"))
        .col(big_integer("sum_minor"))
        .primary_key(Index::create().col("account_id").col("day"))
        .foreign_key(&mut of_account("ledger_check_day_account", "ledger_check_day"))
        .to_owned()
}

fn finding() -> TableCreateStatement {
    Table::create()
        .table("ledger_check_finding")
        .col(uuid("subject_id"))
        .col(text("fault"))
        .col(big_integer("position"))
        .col(string_len("currency", 3))
        .col(big_integer("expected_minor"))
        .col(big_integer("found_minor"))
        .col(big_integer("found_at"))
        .primary_key(Index::create().col("subject_id").col("fault").col("position"))
        .to_owned()
}
