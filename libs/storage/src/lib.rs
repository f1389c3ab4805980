//! The database: SQLite or PostgreSQL behind one handle, and the three things that must be in the same transaction
//! as the business rows.
//!
//! | module | holds |
//! |---|---|
//! | [`config`] | [`DatabaseConfig`], and how the two engines are opened |
//! | [`db`] | [`Db`]: `connect`, `reader`, `write_tx`, `write_together`, wake-ups |
//! | [`txn`] | [`Txn`]: an open write transaction, handed to every function that writes |
//! | [`claim`] | [`Claim`]: rows that stay claimed while their work is done outside the database |
//! | [`mod@migrate`] | tables are made and changed, one process at a time |
//! | [`idempotency`] | a request is carried out once and answered the same for ever |
//! | [`fail_point`] | instants at which a test may end the process |
//! | [`timers`] | due moments that survive a restart |
//! | [`like`] | looking for a text inside another one |
//! | [`test_clock`] | where the test clock stood |
//! | [`trace`] | the trace that goes on behind a row |
//!
//! The differences between the engines live here alone. What this crate promises on both:
//!
//! - A write transaction that loses against another one is done again from its start, so that the work given to
//!   [`Db::write_tx`] must have no effect outside the database.
//! - A statement that failed spoils its transaction, even if the caller goes on: nothing of it is committed.
//! - [`Db::reader`] is for reading, each query on its own; [`Db::read_tx`] is for queries that must agree with each
//!   other. Neither lets anybody write on SQLite.

pub mod claim;
pub mod config;
pub mod db;
pub mod error;
pub mod fail_point;
pub mod idempotency;
pub mod like;
mod metrics;
pub mod migrate;
mod migration;
mod retry;
pub mod test_clock;
pub mod timers;
mod together;
pub mod trace;
pub mod txn;

pub use claim::Claim;
pub use config::DatabaseConfig;
pub use db::Db;
pub use error::{BoxError, StorageError, describe, describe_panic, is_contended, is_transient};
pub use fail_point::FailPoint;
pub use like::containing;
pub use migrate::{migrate, migrations, pending_migrations};
pub use txn::{ReadTxn, Txn, Wake};

pub use sea_orm::DbBackend;
