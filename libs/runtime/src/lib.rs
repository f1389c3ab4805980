//! The chassis of all four services: everything that a service has in common with the others, and no rule of the
//! programme.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | `serve`, `migrate`, `reconcile`, `check-config`, `print-config`; signals, exit statuses |
//! | [`config`] | defaults ← file ← environment, every mistake told at once |
//! | [`telemetry`] | logs, traces and metrics |
//! | [`chassis`] | [`Chassis`]: the parts of a service, started together and stopped in order |
//! | [`server`] | the gRPC server: health, reflection, limits, deadlines |
//! | [`access`] | who may call what: tokens, policies, owners |
//! | [`grpc`] | requests in, statuses out |
//! | [`tls`] | [`Tls`]: certificates, shown and checked |
//! | [`commands`] | [`Commands`]: each command carried out once |
//! | [`client`] | [`Peer`]: calls to other services |
//! | [`clock`] | [`ServiceClock`]: the process clock or a test clock |
//! | `fail_points` | the gRPC service that lets a test end the process at a chosen instant |
//! | [`operations`] | the gRPC service for operators: what waits, dead letters, publishing again |
//! | [`reconcile`] | the command that names every event that is missing |
//!
//! Nothing here is global but the allocator and what [`telemetry::init`] sets, and all else works without the latter: a
//! test may run all services in one process, each on port 0.

pub mod access;
mod backlog;
mod body;
pub mod chassis;
pub mod cli;
pub mod client;
pub mod clock;
pub mod commands;
pub mod config;
mod fail_points;
pub mod grpc;
pub mod operations;
pub mod reconcile;
pub mod server;
mod shutdown;
pub mod telemetry;
pub mod tls;

pub use chassis::{Chassis, ChassisError};
pub use client::Peer;
pub use clock::ServiceClock;
pub use commands::Commands;
pub use tls::Tls;

/// Statements are many small values that are soon gone, for which the C library's allocator takes a quarter of the time
/// of a service.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
