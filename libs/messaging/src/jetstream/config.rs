//! How NATS is reached and how streams are kept.

use std::{fmt, time::Duration};

use async_nats::ConnectOptions;
use serde::{Deserialize, Serialize};

use crate::BusError;

/// How NATS is reached and how streams are kept. An empty text means "none".
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NatsConfig {
    /// Addresses, separated by commas: `nats://127.0.0.1:4222`.
    pub url: String,
    /// User name, with `password`.
    pub user: String,
    /// Secret.
    pub password: String,
    /// Path of a credentials file (JWT and nkey), instead of user and password.
    pub credentials_file: String,
    /// Path of a PEM file with the authorities to trust, beside those of the system.
    pub ca_file: String,
    /// Whether a connection without TLS is refused.
    pub require_tls: bool,
    /// Copies of each stream in a cluster: 1, 3 or 5. Production needs 3.
    pub replicas: u8,
    /// Days that events are kept; more than the longest outage of any consumer.
    pub max_age_days: u32,
    /// Size limit of a stream in bytes; a full stream refuses events, which then wait in their outbox.
    pub max_bytes: i64,
    /// Seconds after which an event that was handed out and not settled is handed out again.
    pub ack_wait_seconds: u32,
    /// Events that may be handed out and unsettled at a time, over all replicas of a service.
    pub max_ack_pending: u32,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            user: String::new(),
            password: String::new(),
            credentials_file: String::new(),
            ca_file: String::new(),
            require_tls: false,
            replicas: 1,
            max_age_days: 30,
            max_bytes: 1 << 30,
            ack_wait_seconds: 30,
            max_ack_pending: 8_192,
        }
    }
}

impl NatsConfig {
    pub(super) async fn options(&self) -> Result<ConnectOptions, BusError> {
        let mut options = ConnectOptions::new();
        if !self.user.is_empty() {
            options = options.user_and_password(self.user.clone(), self.password.clone());
        }
        if !self.credentials_file.is_empty() {
            options = options
                .credentials_file(&self.credentials_file)
                .await
                .map_err(|error| BusError::failed("cannot read the nats credentials file")(error.into()))?;
        }
        if !self.ca_file.is_empty() {
            options = options.add_root_certificates(self.ca_file.clone().into());
        }
        Ok(options.require_tls(self.require_tls))
    }

    pub(super) fn addresses(&self) -> Vec<String> {
        self.url.split(',').map(|address| address.trim().to_owned()).collect()
    }

    /// The addresses for a log: each may carry a password of its own.
    pub(super) fn redacted_url(&self) -> String {
        let addresses: Vec<String> = self
            .addresses()
            .iter()
            .map(|address| without_user_info(address))
            .collect();
        addresses.join(",")
    }

    pub(super) fn max_age(&self) -> Duration {
        Duration::from_secs(u64::from(self.max_age_days) * 86_400)
    }
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Everything else may be in a log.
        f.debug_struct("NatsConfig")
            .field("url", &self.redacted_url())
            .field("user", &self.user)
            .field("password", &if self.password.is_empty() { "" } else { "***" })
            .field("credentials_file", &self.credentials_file)
            .field("ca_file", &self.ca_file)
            .field("require_tls", &self.require_tls)
            .field("replicas", &self.replicas)
            .field("max_age_days", &self.max_age_days)
            .field("max_bytes", &self.max_bytes)
            .field("ack_wait_seconds", &self.ack_wait_seconds)
            .field("max_ack_pending", &self.max_ack_pending)
            .finish()
    }
}

fn without_user_info(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("nats", address));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let config = NatsConfig {
            url: "nats://joe:s3cret@a:4222, b:4222".to_owned(),
            user: "joe".to_owned(),
            password: "s3cret".to_owned(),
            ..NatsConfig::default()
        };
        let shown = format!("{config:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("nats://a:4222,nats://b:4222"), "{shown}");
    }
}
