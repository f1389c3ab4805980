//! The promises of `vouch-messaging`: on SQLite and PostgreSQL, on the memory bus and on a real nats-server.

#![expect(
    clippy::unwrap_used,
    reason = "in a test a lock is poisoned only when the test has failed already"
)]

mod buses;
mod consuming;
mod harness;
mod jetstream;
mod metrics;
mod permissions;
mod relaying;
mod simulation;
mod tracing;
