//! Indexes of what is not finished: earnings that wait for something, invoices that are not paid; and of a client's earnings.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// The builder does not know indexes on some rows alone. The conditions stand in the queries word for word.
const INDEXES: [&str; 3] = [
    "CREATE INDEX earning_waiting ON earning (account_id, id) WHERE settled_at IS NULL OR disputed_minor > 0",
    "CREATE INDEX invoice_unpaid ON invoice (account_id, id) WHERE state <> 'PAID'",
    "CREATE INDEX earning_of_client ON earning (client_id, id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }
}
