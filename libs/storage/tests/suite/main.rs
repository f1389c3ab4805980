//! The promises of `vouch-storage`, each on SQLite and on PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test fails by it, and the helpers are tests too")]

mod claims;
mod idempotency;
mod migrations;
mod table;
mod timers;
mod transactions;
