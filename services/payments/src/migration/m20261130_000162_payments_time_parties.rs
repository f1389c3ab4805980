//! `time_entry` names the parties of its contract, so that a page of somebody's entries is found by an index, however many entries
//! others have.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// The parties of a contract never change.
const FILL: &str = "\
    UPDATE time_entry SET \
        account_id = (SELECT c.account_id FROM contract c WHERE c.id = contract_id), \
        client_id = (SELECT c.client_id FROM contract c WHERE c.id = contract_id); \
    CREATE INDEX time_entry_of_account ON time_entry (account_id, id); \
    CREATE INDEX time_entry_of_client ON time_entry (client_id, id); \
    CREATE INDEX time_entry_of_week ON time_entry (contract_id, week, id)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let (before, after) = match manager.get_database_backend() {
            DbBackend::Postgres => (
                "uuid",
                "ALTER TABLE time_entry ALTER COLUMN account_id SET NOT NULL, ALTER COLUMN client_id SET NOT NULL",
            ),
            _ => ("uuid_text NOT NULL DEFAULT x'00000000000000000000000000000000'", ""),
        };
        let conn = manager.get_connection();
        for column in ["account_id", "client_id"] {
            let sql = format!("ALTER TABLE time_entry ADD COLUMN {column} {before}");
            conn.execute_unprepared(&sql).await?;
        }
        conn.execute_unprepared(FILL).await?;
        if !after.is_empty() {
            conn.execute_unprepared(after).await?;
        }
        Ok(())
    }
}
