//! What was booked is never changed, by nobody: the database refuses it.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const APPEND_ONLY: [&str; 4] = ["journal_entry", "transfer", "reversal", "reward_posting"];

const POSTGRES_FUNCTION: &str = "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ \
     BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(POSTGRES_FUNCTION).await?;
        }
        make_append_only(manager, &APPEND_ONLY).await
    }
}

/// Has the database refuse every change of what stands in these tables.
pub(super) async fn make_append_only(manager: &SchemaManager<'_>, tables: &[&str]) -> Result<(), DbErr> {
    let on_postgres = manager.get_database_backend() == DbBackend::Postgres;
    for table in tables {
        let triggers = if on_postgres { postgres(table) } else { sqlite(table) };
        manager.get_connection().execute_unprepared(&triggers).await?;
    }
    Ok(())
}

fn postgres(table: &str) -> String {
    format!(
        "CREATE TRIGGER {table}_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} \
         FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
}

fn sqlite(table: &str) -> String {
    ["UPDATE", "DELETE"]
        .map(|change| {
            format!(
                "CREATE TRIGGER {table}_refuses_{change} BEFORE {change} ON {table} \
                 BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
            )
        })
        .concat()
}
