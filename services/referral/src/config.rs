//! The settings of this service. Each stands in `config.default.toml`, with its meaning.

use std::fmt;

use serde::Deserialize;
use vouch_runtime::config::{Common, Links};

use crate::domain::TouchLimits;

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
    /// How much may be done.
    pub limits: LimitsConfig,
    /// How statements are signed.
    pub statements: StatementsConfig,
}

/// `[statements]`: how statements are signed.
#[derive(Clone, Deserialize)]
pub struct StatementsConfig {
    /// The private key, Ed25519, as PKCS#8 in PEM; empty for that in the directory of the keys.
    pub private_key: String,
}

/// `[limits]`: how much may be done.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LimitsConfig {
    /// Invitations from one referrer, in a day.
    pub invitations_per_day: u32,
    /// Invitations to one address, from all referrers together, in a week.
    pub address_per_week: u32,
    /// Introductions of accounts by one referrer, in a day.
    pub introductions_per_day: u32,
    /// Clicks on the links of one code, in a minute and for each replica.
    pub touches_per_code: u32,
    /// Clicks of one visitor, in a minute and for each replica.
    pub touches_per_visitor: u32,
}

impl fmt::Debug for StatementsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = if self.private_key.is_empty() { "" } else { "***" };
        f.debug_struct("StatementsConfig").field("private_key", &shown).finish()
    }
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
            ("invitations_per_day", self.invitations_per_day),
            ("address_per_week", self.address_per_week),
            ("introductions_per_day", self.introductions_per_day),
            ("touches_per_code", self.touches_per_code),
            ("touches_per_visitor", self.touches_per_visitor),
        ];
        let none = limits.into_iter().filter(|(_, limit)| *limit == 0);
        none.map(|(key, _)| format!("limits.{key}: must be at least 1"))
            .collect()
    }

    /// The limits on clicks.
    #[must_use]
    pub const fn touches(&self) -> TouchLimits {
        TouchLimits {
            per_code: self.touches_per_code,
            per_visitor: self.touches_per_visitor,
        }
    }
}
