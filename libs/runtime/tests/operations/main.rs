//! What operators do, on both databases.

#[path = "../support/mod.rs"]
mod support;

mod events;
mod harness;
mod letters;
mod looking;
