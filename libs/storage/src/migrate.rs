//! Tables are made and changed by one process at a time.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, TransactionTrait};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager, seaql_migrations};

use crate::{
    Db, DbBackend, StorageError,
    config::{Purpose, open_postgres},
    migration,
};

/// Waits for its turn as long as it takes. The number is this program's own; the lock ends with the transaction.
const POSTGRES_LOCK: &str = "SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock(8104711901)";

/// The tables of this crate, for a service to put before its own.
#[must_use]
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    migration::all()
}

/// Applies the migrations that are still missing, in the order of `M`, and returns how many these were.
///
/// However many processes call this at once, one works and the others wait and then find nothing to do. On SQLite all
/// missing migrations are one transaction; on PostgreSQL each is one, on a connection without a time limit for
/// statements. A database that is ahead of this program is left alone.
///
/// # Errors
/// When the database fails or a migration does. What was applied before stays on PostgreSQL.
pub async fn migrate<M: MigratorTrait>(db: &Db) -> Result<usize, StorageError> {
    if db.backend() == DbBackend::Sqlite {
        let txn = db.begin().await?;
        let missing = missing::<M>(&SchemaManager::new(&txn)).await?.len();
        if missing > 0 {
            M::up(&txn, None).await?;
        }
        txn.commit().await?;
        return Ok(missing);
    }
    let pool = open_postgres(db.config(), Purpose::Migrating).await?;
    let applied = migrate_locked::<M>(&pool).await;
    pool.close().await?;
    applied
}

/// The names of the migrations that are still missing. Only reads.
///
/// # Errors
/// When the database fails.
pub async fn pending_migrations<M: MigratorTrait>(db: &Db) -> Result<Vec<String>, StorageError> {
    missing::<M>(&SchemaManager::new(db.reader())).await
}

/// One connection of the pool holds the lock, in a transaction of its own; the other one migrates.
#[expect(clippy::disallowed_methods, reason = "nothing is written in this transaction")]
async fn migrate_locked<M: MigratorTrait>(pool: &DatabaseConnection) -> Result<usize, StorageError> {
    let lock = pool.begin().await?;
    lock.execute_unprepared(POSTGRES_LOCK).await?;
    let missing = missing::<M>(&SchemaManager::new(pool)).await?.len();
    if missing > 0 {
        M::up(pool, None).await?;
    }
    lock.commit().await?;
    Ok(missing)
}

/// Asked here and not from the migrator, which refuses a database that is ahead of it.
async fn missing<M: MigratorTrait>(schema: &SchemaManager<'_>) -> Result<Vec<String>, StorageError> {
    let mut applied = HashSet::new();
    if schema.has_table("seaql_migrations").await? {
        let rows = seaql_migrations::Entity::find().all(schema.get_connection()).await?;
        applied.extend(rows.into_iter().map(|row| row.version));
    }
    Ok(M::migrations()
        .iter()
        .map(|m| m.name().to_owned())
        .filter(|name| !applied.contains(name))
        .collect())
}
