//! `ledger_account` knows money that is in transit, and what clients owe. SQLite cannot change a rule of a table, so that the table is made anew
//! there, under its name, with the rows that it had; the rows that point to it are checked again by the commit.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const KINDS: &str = "kind IN ('CLEARING', 'FEES', 'REWARD_EXPENSE', 'ESCROW', 'PENDING', 'HELD', 'AVAILABLE', \
     'IN_TRANSIT', 'RECEIVABLE', 'UNPAID', 'CLIENT_RECEIVABLE')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let statements = match manager.get_database_backend() {
            DbBackend::Postgres => postgres(),
            _ => sqlite(),
        };
        for statement in statements {
            manager.get_connection().execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}

fn postgres() -> Vec<String> {
    vec![
        "ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_kind_is_known".to_owned(),
        format!("ALTER TABLE ledger_account ADD CONSTRAINT ledger_account_kind_is_known CHECK ({KINDS})"),
    ]
}

/// Rows that find theirs missing are counted, and no more so once it is there again.
fn sqlite() -> Vec<String> {
    vec![
        "PRAGMA defer_foreign_keys = ON".to_owned(),
        "CREATE TABLE ledger_account_before AS SELECT * FROM ledger_account".to_owned(),
        "DROP TABLE ledger_account".to_owned(),
        format!(
            "CREATE TABLE ledger_account (id uuid_text NOT NULL PRIMARY KEY, owner_id uuid_text NOT NULL, \
                 kind text NOT NULL, currency varchar(3) NOT NULL, \
                 CONSTRAINT \"ledger_account_kind_is_known\" CHECK ({KINDS}))"
        ),
        "CREATE UNIQUE INDEX ledger_account_is_unique ON ledger_account (owner_id, kind, currency)".to_owned(),
        "CREATE UNIQUE INDEX ledger_account_currency ON ledger_account (id, currency)".to_owned(),
        "INSERT INTO ledger_account (id, owner_id, kind, currency) \
             SELECT id, owner_id, kind, currency FROM ledger_account_before"
            .to_owned(),
        "DROP TABLE ledger_account_before".to_owned(),
    ]
}
