//! Releases lie in the order in which they are read: a referrer's, by the moment. With a key that began with the tie, each was
//! written to a page of its own, twice, once there were many; and nobody reads them by the tie. That a release is recorded once
//! follows from the lock of its tie, under which it gets its number.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

const KEY: &str = "referrer_id, currency, released_at, tie_id, kind, epoch, sequence";

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
        "ALTER TABLE reward_release DROP CONSTRAINT reward_release_pkey".to_owned(),
        "DROP INDEX reward_release_referrer".to_owned(),
        format!("ALTER TABLE reward_release ADD PRIMARY KEY ({KEY})"),
    ]
}

/// The key is the table: there is one place less to write to.
fn sqlite() -> Vec<String> {
    let columns = format!("{KEY}, amount_minor, cumulative_minor, month_at");
    vec![
        format!(
            "CREATE TABLE reward_release_in_order (referrer_id uuid_text NOT NULL, currency text NOT NULL, \
                 released_at bigint NOT NULL, tie_id uuid_text NOT NULL, kind text NOT NULL, epoch bigint NOT NULL, \
                 sequence bigint NOT NULL, amount_minor bigint NOT NULL, \
                 cumulative_minor bigint NOT NULL CHECK (cumulative_minor >= 0), month_at bigint NOT NULL, \
                 PRIMARY KEY ({KEY})) WITHOUT ROWID"
        ),
        format!("INSERT INTO reward_release_in_order ({columns}) SELECT {columns} FROM reward_release"),
        "DROP TABLE reward_release".to_owned(),
        "ALTER TABLE reward_release_in_order RENAME TO reward_release".to_owned(),
        "CREATE INDEX reward_release_month ON reward_release (month_at, currency, referrer_id)".to_owned(),
    ]
}
