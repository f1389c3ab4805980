//! The suite of outgoing mail: on both databases, against an SMTP server that this project did not write.

#![expect(clippy::unwrap_used, reason = "a test fails by it, and the helpers are tests too")]

mod delivery;
mod files;
mod letters;
mod replicas;
mod session;
mod world;
