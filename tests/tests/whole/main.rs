//! The four services as one system: the story on the memory bus under many seeds, and on real parts.

mod books;
mod examples;
mod faults;
mod local;
mod metrics;
mod permissions;
mod real;
mod reconcile;
mod simulation;
mod storm;
mod telltale;
mod tracing;
