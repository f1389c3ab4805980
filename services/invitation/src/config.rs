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
    pub limits: LimitsConfig,
}

/// `[limits]`: how many invitations may be sent.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LimitsConfig {
    /// By a client of the free plan, in a day.
    pub basic_per_day: u32,
    /// By a client of the plan of teams, in a day.
    pub business_plus_per_day: u32,
    /// By a client of the plan of large companies, in a day.
    pub enterprise_per_day: u32,
    /// To one address, by all clients together, in a week.
    pub address_per_week: u32,
}

impl Config {
    /// What types cannot say, as `key: reason` lines.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let parts = [self.common.validate(), self.links.validate(), self.limits.validate()];
        parts.concat()
    }
}

impl LimitsConfig {
    /// What cannot work, as `key: reason` lines.
    fn validate(&self) -> Vec<String> {
        let limits = [
            ("basic_per_day", self.basic_per_day),
            ("business_plus_per_day", self.business_plus_per_day),
            ("enterprise_per_day", self.enterprise_per_day),
            ("address_per_week", self.address_per_week),
        ];
        let none = limits.into_iter().filter(|(_, limit)| *limit == 0);
        none.map(|(key, _)| format!("limits.{key}: must be at least 1"))
            .collect()
    }
}

impl From<LimitsConfig> for Limits {
    fn from(config: LimitsConfig) -> Self {
        let LimitsConfig {
            basic_per_day,
            business_plus_per_day,
            enterprise_per_day,
            address_per_week,
        } = config;
        Self {
            basic_per_day,
            business_plus_per_day,
            enterprise_per_day,
            address_per_week,
        }
    }
}
