//! The settings of this service. Each stands in `config.default.toml`, with its meaning.

use serde::Deserialize;
use vouch_runtime::config::{Common, Links};

use crate::domain::Limits;

/// The defaults, and so the list of all keys.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// What the service needs to run.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// What every service needs.
    #[serde(flatten)]
    pub common: Common,
    /// Where the links lead that people are given.
    pub links: Links,
    /// How many invitations may be sent.
    pub limits: Limits,
}

impl Config {
    /// What types cannot say, as `key: reason` lines.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let parts = [self.common.validate(), self.links.validate(), self.limits.validate()];
        parts.concat()
    }
}
