//! The settings of this service. Each stands in `config.default.toml`, with its meaning.

pub use vouch_runtime::config::WithLinks as Config;

/// The defaults, and so the list of all keys.
pub const DEFAULTS: &str = include_str!("../config.default.toml");
