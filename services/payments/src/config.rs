//! The settings of this service. Each stands in `config.default.toml`, with its meaning.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

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
#[derive(Clone, Deserialize)]
pub struct GatewayConfig {
    /// Which one.
    pub kind: GatewayKind,
    /// For the sandbox: what is charged of clients that have no billing method; empty for nothing.
    pub default_instrument: String,
    /// For Stripe: the address of its API.
    pub stripe_url: String,
    /// For Stripe: the secret key.
    pub stripe_secret: String,
    /// For Stripe: where its webhooks are taken; empty for nowhere.
    pub webhook_listen: String,
    /// For Stripe: the secret that its webhooks are signed with.
    pub webhook_secret: String,
}

/// The payment providers that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GatewayKind {
    /// The embedded one: no money moves.
    Sandbox,
    /// Whoever speaks Stripe's API.
    Stripe,
}

impl Config {
    /// What types cannot say, as `key: reason` lines.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let (common, gateway) = (&self.common, &self.gateway);
        let is_for_others = common.database.url.starts_with("postgres") && !common.server.listen.ip().is_loopback();
        let pretends = gateway.kind == GatewayKind::Sandbox && is_for_others;
        let sandbox = "gateway.kind: the sandbox moves no money: on PostgreSQL only for a service that listens on a loopback address";
        let sandbox = pretends.then(|| sandbox.to_owned());
        [common.validate(), gateway.validate(), sandbox.into_iter().collect()].concat()
    }
}

impl GatewayConfig {
    /// What is charged of clients that have no billing method; empty for nothing. Only the sandbox has such a thing.
    #[must_use]
    pub fn fallback(&self) -> &str {
        match self.kind {
            GatewayKind::Sandbox => &self.default_instrument,
            GatewayKind::Stripe => "",
        }
    }

    /// What cannot work, as `key: reason` lines.
    fn validate(&self) -> Vec<String> {
        let instrument = &self.default_instrument;
        let is_stripe = self.kind == GatewayKind::Stripe;
        let (secret, webhooks) = (&self.stripe_secret, !self.webhook_listen.is_empty());
        let is_key = ["sk_", "rk_"].iter().any(|begins| secret.starts_with(begins)) && secret.is_ascii();
        let rules = [
            (
                is_stripe || instrument.is_empty() || instrument.starts_with("sandbox-"),
                "gateway.default_instrument: must be one of the sandbox, such as sandbox-accepts",
            ),
            (
                !is_stripe || is_secure(&self.stripe_url),
                "gateway.stripe_url: must be https://… without a path, or http:// on this machine",
            ),
            (
                !is_stripe || is_key,
                "gateway.stripe_secret: must be a secret key, sk_… or rk_…",
            ),
            (
                !webhooks || self.webhook_listen.parse::<SocketAddr>().is_ok(),
                "gateway.webhook_listen: not an address and port",
            ),
            (
                !webhooks || is_stripe,
                "gateway.webhook_listen: only gateway.kind = \"stripe\" sends webhooks",
            ),
            (
                !webhooks || !self.webhook_secret.is_empty(),
                "gateway.webhook_secret: gateway.webhook_listen needs one",
            ),
        ];
        let broken = rules.into_iter().filter(|(good, _)| !good);
        broken.map(|(_, line)| line.to_owned()).collect()
    }
}

impl fmt::Debug for GatewayConfig {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayConfig")
            .field("kind", &self.kind)
            .field("default_instrument", &self.default_instrument)
            .field("stripe_url", &self.stripe_url)
            .field("webhook_listen", &self.webhook_listen)
            .finish_non_exhaustive()
    }
}

/// Whether a secret key may be sent there: over TLS, or to this machine itself.
fn is_secure(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let is_bare = url.path() == "/" && url.query().is_none() && url.username().is_empty() && url.password().is_none();
    let is_here = || {
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|address: IpAddr| address.is_loopback())
    };
    is_bare && !host.is_empty() && (url.scheme() == "https" || url.scheme() == "http" && is_here())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vouch_runtime::config::Layers;

    fn defaults() -> Config {
        let loaded = Layers::new("payments", DEFAULTS).load(Config::validate);
        loaded.expect("good defaults").config
    }

    fn stripe(change: impl FnOnce(&mut GatewayConfig)) -> Vec<String> {
        let mut gateway = defaults().gateway;
        gateway.kind = GatewayKind::Stripe;
        gateway.stripe_secret = "sk_test_s3cret".to_owned();
        gateway.webhook_listen = "127.0.0.1:8103".to_owned();
        gateway.webhook_secret = "whsec_s3cret".to_owned();
        change(&mut gateway);
        assert!(!format!("{gateway:?}").contains("s3cret"), "{gateway:?}");
        gateway.validate()
    }

    #[test]
    fn the_defaults_are_good() {
        assert_eq!(defaults().common.server.listen.port(), 7103);
    }

    #[test]
    fn nobody_takes_the_sandbox_for_a_provider() {
        let refused = |listen: &str, url: &str, kind| {
            let mut config = defaults();
            config.common.server.listen = listen.parse().expect("an address");
            config.common.database.url = url.to_owned();
            config.gateway.kind = kind;
            config.gateway.stripe_secret = "sk_test_s3cret".to_owned();
            let problems = config.validate();
            problems.iter().any(|problem| problem.starts_with("gateway.kind: "))
        };
        let (all, here) = ("0.0.0.0:7100", "127.0.0.1:7103");
        let (postgres, sqlite) = ("postgres://payments@db/payments", "sqlite:payments.db");
        assert!(refused(all, postgres, GatewayKind::Sandbox));
        assert!(!refused(here, postgres, GatewayKind::Sandbox), "to try it out");
        assert!(!refused(all, sqlite, GatewayKind::Sandbox), "on one node");
        assert!(!refused(all, postgres, GatewayKind::Stripe));
    }

    #[test]
    fn a_provider_needs_its_secrets_and_a_safe_way_to_it() {
        assert_eq!(stripe(|_| ()), [""; 0]);
        for good in [
            "https://api.stripe.com",
            "http://127.0.0.1:8420",
            "http://[::1]:1/",
            "http://localhost",
        ] {
            assert_eq!(
                stripe(|gateway| gateway.stripe_url = good.to_owned()),
                [""; 0],
                "{good}"
            );
        }
        for bad in [
            "",
            "api.stripe.com",
            "http://api.stripe.com",
            "https://x/v1",
            "https://sk@x",
            "ftp://localhost",
        ] {
            assert_eq!(stripe(|gateway| gateway.stripe_url = bad.to_owned()).len(), 1, "{bad}");
        }
        for bad in ["", "pk_live_x", "sk_ü"] {
            assert_eq!(
                stripe(|gateway| gateway.stripe_secret = bad.to_owned()).len(),
                1,
                "{bad}"
            );
        }
        assert_eq!(stripe(|gateway| gateway.webhook_secret.clear()).len(), 1);
        assert_eq!(stripe(|gateway| gateway.webhook_listen = "8103".to_owned()).len(), 1);
        assert_eq!(stripe(|gateway| gateway.kind = GatewayKind::Sandbox).len(), 1);
    }
}
