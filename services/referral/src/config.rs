//! The settings of this service. Each stands in `config.default.toml`, with its meaning.

use serde::Deserialize;
use vouch_runtime::config::{Common, Links};

/// The defaults, and so the list of all keys.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// What the service needs to run.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// What every service needs.
    #[serde(flatten)]
    pub common: Common,
    /// Links that referrers share.
    pub links: Links,
}

impl Config {
    /// What types cannot say, as `key: reason` lines.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let mut problems = self.common.validate();
        problems.extend(self.links.validate());
        problems
    }
}
