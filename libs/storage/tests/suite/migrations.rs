//! Tables are made once, whoever comes first.

use sea_orm::ConnectionTrait;
use sea_orm_migration::{MigrationTrait, MigratorTrait, SchemaManager, prelude::*, schema::*};
use vouch_primitives::Timestamp;
use vouch_storage::{StorageError, migrate, migrations, pending_migrations, test_clock};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::table::{Migrator, open, read};

on_both_databases! {
    four_at_once_apply_each_migration_once,
    a_database_that_is_ahead_is_left_alone,
    a_failed_migration_leaves_nothing,
    the_test_clock_is_remembered,
}

async fn four_at_once_apply_each_migration_once(database: TestDatabase) {
    let one = async || migrate::<Migrator>(&open(&database).await).await;
    let outcomes: [_; 4] = tokio::join!(one(), one(), one(), one()).into();
    let mut applied = outcomes.map(|count| count.expect("tables"));
    applied.sort_unstable();
    assert_eq!(applied, [0, 0, 0, Migrator::migrations().len()]);
    let db = open(&database).await;
    assert_eq!(read(db.reader(), 1).await.unwrap(), 0);
    assert_eq!(pending_migrations::<Migrator>(&db).await.unwrap(), Vec::<String>::new());
}

/// A program of an earlier release, without the tables of the tests.
struct Earlier;

impl MigratorTrait for Earlier {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        migrations()
    }
}

async fn a_database_that_is_ahead_is_left_alone(database: TestDatabase) {
    let db = open(&database).await;
    assert_eq!(
        pending_migrations::<Earlier>(&db).await.unwrap().len(),
        migrations().len()
    );
    migrate::<Earlier>(&db).await.unwrap();
    assert_eq!(pending_migrations::<Migrator>(&db).await.unwrap(), ["test_tables"]);
    migrate::<Migrator>(&db).await.unwrap();
    assert_eq!(pending_migrations::<Earlier>(&db).await.unwrap(), Vec::<String>::new());
    assert_eq!(migrate::<Earlier>(&db).await.unwrap(), 0);
}

struct Broken;

impl MigratorTrait for Broken {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = migrations();
        all.push(Box::new(HalfWay));
        all
    }
}

struct HalfWay;

impl MigrationName for HalfWay {
    fn name(&self) -> &str {
        "half_way"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for HalfWay {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("half")
                    .col(integer("id").primary_key())
                    .to_owned(),
            )
            .await?;
        manager
            .get_connection()
            .execute_unprepared("INSERT INTO nowhere VALUES (1)")
            .await?;
        Ok(())
    }
}

async fn a_failed_migration_leaves_nothing(database: TestDatabase) {
    let db = open(&database).await;
    assert!(matches!(migrate::<Broken>(&db).await, Err(StorageError::Database(_))));
    assert!(!SchemaManager::new(db.reader()).has_table("half").await.unwrap());
    migrate::<Migrator>(&db).await.expect("the lock is free again");
}

async fn the_test_clock_is_remembered(database: TestDatabase) {
    let db = open(&database).await;
    migrate::<Earlier>(&db).await.unwrap();
    assert_eq!(test_clock::load(db.reader()).await.unwrap(), None);
    for micros in [5, 7] {
        db.write_tx(|txn| async move { test_clock::save(&txn, Timestamp::from_micros(micros)).await })
            .await
            .unwrap();
    }
    db.close().await.unwrap();
    let again = open(&database).await;
    assert_eq!(
        test_clock::load(again.reader()).await.unwrap(),
        Some(Timestamp::from_micros(7))
    );
}
