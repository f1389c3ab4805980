//! Two tables to see effects in: `counter`, whose only row holds a number, and `effect`, which takes any row.

use sea_orm::{ConnectionTrait, sea_query::*};
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager, prelude::*, schema::*};
use vouch_primitives::Uuid;
use vouch_storage::{DatabaseConfig, Db, StorageError, migrate};
use vouch_testkit::TestDatabase;

pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = vouch_storage::migrations();
        all.push(Box::new(Tables));
        all
    }
}

struct Tables;

impl MigrationName for Tables {
    fn name(&self) -> &str {
        "test_tables"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Tables {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let counter = Table::create()
            .table("counter")
            .col(integer("id").primary_key())
            .col(big_integer("value"))
            .to_owned();
        manager.create_table(counter).await?;
        let effect = Table::create()
            .table("effect")
            .col(uuid("key"))
            .col(big_integer("at"))
            .to_owned();
        manager.create_table(effect).await?;
        manager
            .get_connection()
            .execute_unprepared("INSERT INTO counter VALUES (1, 0), (2, 0)")
            .await?;
        Ok(())
    }
}

/// A handle of its own, as another process would have it.
pub async fn open(database: &TestDatabase) -> Db {
    let config = DatabaseConfig {
        url: database.url().to_owned(),
        max_connections: 20,
    };
    Db::connect(&config).await.expect("a connection")
}

/// A handle on a database that has the tables.
pub async fn ready(database: &TestDatabase) -> Db {
    let db = open(database).await;
    migrate::<Migrator>(&db).await.expect("tables");
    db
}

/// Reads the counter, locking it where that needs saying.
pub async fn read_locked(conn: &impl ConnectionTrait, id: i32) -> Result<i64, StorageError> {
    let query = Query::select()
        .column("value")
        .from("counter")
        .and_where(Expr::col("id").eq(id))
        .lock_exclusive()
        .to_owned();
    let row = conn.query_one(&query).await?.expect("the row");
    Ok(row.try_get_by_index(0)?)
}

pub async fn read(conn: &impl ConnectionTrait, id: i32) -> Result<i64, StorageError> {
    let query = Query::select()
        .column("value")
        .from("counter")
        .and_where(Expr::col("id").eq(id))
        .to_owned();
    let row = conn.query_one(&query).await?.expect("the row");
    Ok(row.try_get_by_index(0)?)
}

pub async fn write(conn: &impl ConnectionTrait, id: i32, value: i64) -> Result<(), StorageError> {
    let update = Query::update()
        .table("counter")
        .value("value", value)
        .and_where(Expr::col("id").eq(id))
        .to_owned();
    conn.execute(&update).await?;
    Ok(())
}

pub async fn add(conn: &impl ConnectionTrait, by: i64) -> Result<(), StorageError> {
    let update = Query::update()
        .table("counter")
        .value("value", Expr::col("value").add(by))
        .to_owned();
    conn.execute(&update).await?;
    Ok(())
}

pub async fn note(conn: &impl ConnectionTrait, keys: &[Uuid], at: i64) -> Result<(), StorageError> {
    let mut insert = Query::insert().into_table("effect").columns(["key", "at"]).to_owned();
    for key in keys {
        insert.values_panic([(*key).into(), at.into()]);
    }
    conn.execute(&insert).await?;
    Ok(())
}

/// What was noted, in the order of the keys.
pub async fn notes(db: &Db) -> Vec<(Uuid, i64)> {
    let query = Query::select()
        .columns(["key", "at"])
        .from("effect")
        .order_by("key", Order::Asc)
        .to_owned();
    let rows = db.reader().query_all(&query).await.expect("notes");
    rows.iter()
        .map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap()))
        .collect()
}
