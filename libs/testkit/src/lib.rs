//! What the test suites stand on. Dev-only, and it knows no service.
//!
//! | module | gives |
//! |---|---|
//! | [`certificates`] | [`Authority`]: certificates for TLS |
//! | [`database`] | [`TestDatabase`]: a fresh database of either kind; [`on_both_databases!`] runs a test on both |
//! | [`postgres`] | the shared PostgreSQL server behind it, and [`PostgresServer`], a private one to stop and kill |
//! | [`nats`] | [`NatsServer`]: a real nats-server with JetStream, to stop, kill and restart |
//! | [`smtp`] | [`SmtpSink`]: a real SMTP server (aiosmtpd) that records what it gets and refuses when told to |
//! | [`s3`] | [`S3Server`]: a real S3 server (moto) with one bucket |
//! | [`stripe`] | [`StripeServer`]: a real server that speaks Stripe's API (localstripe) |
//! | [`disk`] | [`SmallDisk`]: a file system that is soon full |
//! | [`process`] | [`Process`]: a child that never outlives the process that started it |
//! | [`patience`] | [`eventually`]: waiting for a condition, bounded, with the last status in the failure |
//! | [`answers`] | [`answers::refusal`], [`answers::violations`]: what a refused call says |
//! | [`tables`] | [`tables::count`], [`tables::told`]: a look behind the port |
//! | [`tools`] | where the programs are, and a free port; texts as they were looked at; how large a process is |
//!
//! Everything is real: no server here is an imitation, and nothing listens outside 127.0.0.1. The shared PostgreSQL
//! server keeps running between test processes, since starting one for each would cost a second per test; it takes
//! no more than a lock and a look to find it again. `cargo run -p vouch-testkit -- stop` ends it and deletes its data.

pub mod answers;
pub mod certificates;
pub mod database;
pub mod disk;
pub mod nats;
pub mod patience;
pub mod postgres;
pub mod process;
pub mod s3;
pub mod smtp;
pub mod stripe;
pub mod tables;
pub mod tools;

pub use certificates::Authority;
pub use database::{Engine, TestDatabase};
pub use disk::SmallDisk;
pub use nats::NatsServer;
pub use patience::eventually;
pub use postgres::PostgresServer;
pub use process::{Process, Signal};
pub use s3::S3Server;
pub use smtp::{SmtpOptions, SmtpSink};
pub use stripe::StripeServer;

use std::path::PathBuf;

/// Why a server for the tests cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TestkitError {
    /// A program is not on this machine.
    #[error("{0} not found: run `make setup`")]
    ToolMissing(&'static str),
    /// A file or a process could not be handled.
    #[error("cannot {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program ended or failed although it should not have.
    #[error("{name} failed ({how}); its last words:\n{log}")]
    Failed {
        /// The program.
        name: String,
        /// Its exit status, or what it did not do in time.
        how: String,
        /// The end of its log.
        log: String,
    },
    /// The directory in the temporary directory belongs to somebody else.
    #[error("{0} belongs to another user")]
    NotOurs(PathBuf),
}

impl TestkitError {
    /// For `map_err`: puts what was tried before what the system said.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
