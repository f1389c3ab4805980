//! When a transfer was booked, beside it: the key of two indexes, so that what an account held at a past moment is a look-up.
//! A balance keeps the moment of its last movement, which the next one is never before.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

use super::m20261121_000105_payments_append_only::make_append_only;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// For a while what was booked can be changed, as it gets a column.
const DROP_TRIGGERS: [&str; 2] = [
    "DROP TRIGGER transfer_refuses_UPDATE; DROP TRIGGER transfer_refuses_DELETE",
    "DROP TRIGGER transfer_is_append_only ON transfer",
];

/// Two transactions that crossed may have booked under moments that go back: the later position then counts as booked when
/// the earlier one was.
const BACKFILL: &str = "UPDATE transfer SET booked_at = since.at FROM (\
     SELECT t.position, MAX(e.created_at) OVER (ORDER BY t.position) AS at \
     FROM transfer t JOIN journal_entry e ON e.id = t.entry_id\
 ) since WHERE since.position = transfer.position";

const BACKFILL_BALANCES: &str = "UPDATE balance SET moved_at = COALESCE((SELECT MAX(leg.at) FROM (\
     SELECT MAX(booked_at) AS at FROM transfer WHERE debit_account_id = balance.account_id \
     UNION ALL SELECT MAX(booked_at) FROM transfer WHERE credit_account_id = balance.account_id\
 ) leg), 0)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let conn = manager.get_connection();
        let on_postgres = manager.get_database_backend() == DbBackend::Postgres;
        for (table, column) in [("transfer", "booked_at"), ("balance", "moved_at")] {
            let add = Table::alter()
                .table(table)
                .add_column(big_integer(column).default(0))
                .to_owned();
            manager.alter_table(add).await?;
        }
        conn.execute_unprepared(DROP_TRIGGERS[usize::from(on_postgres)]).await?;
        conn.execute_unprepared(BACKFILL).await?;
        make_append_only(manager, &["transfer"]).await?;
        for (name, column) in [
            ("transfer_of_debit_account", "debit_account_id"),
            ("transfer_of_credit_account", "credit_account_id"),
        ] {
            manager.drop_index(Index::drop().name(name).to_owned()).await?;
            let index = Index::create()
                .name(name)
                .table("transfer")
                .col(column)
                .col("booked_at")
                .col("position")
                .to_owned();
            manager.create_index(index).await?;
        }
        conn.execute_unprepared(BACKFILL_BALANCES).await?;
        Ok(())
    }
}
