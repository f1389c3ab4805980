//! What the command line asks of the running service: it takes in books, and goes through them.

mod import;
mod rebuild;

pub use import::{Import, Rows, import};
pub use rebuild::{Rebuild, rebuild};
