//! The settings of this service. Each stands in `config.default.toml`, with its meaning.

use serde::Deserialize;
use vouch_runtime::config::Common;

/// The defaults, and so the list of all keys.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// What the service needs to run.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// What every service needs.
    #[serde(flatten)]
    pub common: Common,
    /// The payment provider.
    pub gateway: GatewayConfig,
}

/// `[gateway]`: the payment provider.
#[derive(Clone, Debug, Deserialize)]
pub struct GatewayConfig {
    /// Which one.
    pub kind: GatewayKind,
    /// What is charged of clients that have no billing method; empty for nothing.
    pub default_instrument: String,
}

/// The payment providers that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayKind {
    /// The embedded one: no money moves.
    Sandbox,
}

impl Config {
    /// What types cannot say, as `key: reason` lines.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let mut problems = self.common.validate();
        let instrument = &self.gateway.default_instrument;
        let GatewayKind::Sandbox = self.gateway.kind;
        if !instrument.is_empty() && !instrument.starts_with("sandbox-") {
            problems.push("gateway.default_instrument: must be one of the sandbox, such as sandbox-accepts".to_owned());
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vouch_runtime::config::Layers;

    #[test]
    fn the_defaults_are_good() {
        let loaded = Layers::new("payments", DEFAULTS).load(Config::validate);
        let config = loaded.expect("good defaults").config;
        assert_eq!(config.common.server.listen.port(), 7103);
    }
}
