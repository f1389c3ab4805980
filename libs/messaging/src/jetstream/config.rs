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
    /// Path of a file with the seed of this service's nkey, instead of the others.
    pub nkey_seed_file: String,
    /// Path of a file with the seed of the nkey with which streams and consumers are made.
    pub provisioning_nkey_seed_file: String,
    /// Path of a file with the seed of the nkey with which streams are read from their beginning.
    pub auditing_nkey_seed_file: String,
    /// Path of a PEM file with the authorities to trust, beside those of the system.
    pub ca_file: String,
    /// Path of a PEM file with the certificate to show to the server, and its chain; with `key_file`.
    pub certificate_file: String,
    /// Path of a PEM file with the certificate's private key.
    pub key_file: String,
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
            nkey_seed_file: String::new(),
            provisioning_nkey_seed_file: String::new(),
            auditing_nkey_seed_file: String::new(),
            ca_file: String::new(),
            certificate_file: String::new(),
            key_file: String::new(),
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
    /// What cannot be said by types, as `key: reason` lines.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let identities = [&self.user, &self.credentials_file, &self.nkey_seed_file];
        let given = identities.iter().filter(|identity| !identity.is_empty()).count();
        let rules = [
            (
                given <= 1,
                "nats.nkey_seed_file: only one of user, credentials_file and nkey_seed_file",
            ),
            (
                self.certificate_file.is_empty() == self.key_file.is_empty(),
                "nats.certificate_file: needs nats.key_file, and the other way round",
            ),
        ];
        let broken = rules.into_iter().filter(|(good, _)| !good);
        broken.map(|(_, line)| line.to_owned()).collect()
    }

    /// The same with the identity that may make streams and consumers, where there is one of its own.
    #[must_use]
    pub fn for_provisioning(&self) -> Self {
        self.with_seed(&self.provisioning_nkey_seed_file)
    }

    /// The same with the identity that may read streams from their beginning, where there is one of its own.
    #[must_use]
    pub fn for_auditing(&self) -> Self {
        self.with_seed(&self.auditing_nkey_seed_file)
    }

    fn with_seed(&self, path: &str) -> Self {
        if path.is_empty() {
            return self.clone();
        }
        Self {
            user: String::new(),
            password: String::new(),
            credentials_file: String::new(),
            nkey_seed_file: path.to_owned(),
            ..self.clone()
        }
    }

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
        if !self.nkey_seed_file.is_empty() {
            options = options.nkey(seed(&self.nkey_seed_file).await?);
        }
        // The client reads these at each attempt to connect, and keeps to itself what is wrong with them.
        for path in [&self.ca_file, &self.certificate_file, &self.key_file] {
            if !path.is_empty() {
                read(path, "cannot read a file for tls to nats").await?;
            }
        }
        if !self.ca_file.is_empty() {
            options = options.add_root_certificates(self.ca_file.clone().into());
        }
        if !self.certificate_file.is_empty() {
            options =
                options.add_client_certificate(self.certificate_file.clone().into(), self.key_file.clone().into());
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
            .field("nkey_seed_file", &self.nkey_seed_file)
            .field("provisioning_nkey_seed_file", &self.provisioning_nkey_seed_file)
            .field("auditing_nkey_seed_file", &self.auditing_nkey_seed_file)
            .field("ca_file", &self.ca_file)
            .field("certificate_file", &self.certificate_file)
            .field("key_file", &self.key_file)
            .field("require_tls", &self.require_tls)
            .field("replicas", &self.replicas)
            .field("max_age_days", &self.max_age_days)
            .field("max_bytes", &self.max_bytes)
            .field("ack_wait_seconds", &self.ack_wait_seconds)
            .field("max_ack_pending", &self.max_ack_pending)
            .finish()
    }
}

/// The seed of an nkey. One that is none is found here, since the client would only try again and again.
async fn seed(path: &str) -> Result<String, BusError> {
    const DOING: &str = "cannot use the seed of nats.nkey_seed_file";
    let seed = read(path, DOING).await?.trim().to_owned();
    match nkeys::KeyPair::from_seed(&seed) {
        Ok(_) => Ok(seed),
        Err(error) => Err(BusError::failed(DOING)(format!("{path}: {error}").into())),
    }
}

async fn read(path: &str, doing: &'static str) -> Result<String, BusError> {
    let text = tokio::fs::read_to_string(path).await;
    text.map_err(|error| BusError::failed(doing)(format!("{path}: {error}").into()))
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

    #[test]
    fn one_identity_at_a_time_and_a_whole_certificate() {
        let config = NatsConfig {
            user: "joe".to_owned(),
            nkey_seed_file: "joe.seed".to_owned(),
            key_file: "joe.key".to_owned(),
            ..NatsConfig::default()
        };
        let keys: Vec<_> = config
            .validate()
            .iter()
            .map(|line| line.split(':').next().map(str::to_owned))
            .collect();
        assert_eq!(
            keys,
            [
                Some("nats.nkey_seed_file".to_owned()),
                Some("nats.certificate_file".to_owned())
            ]
        );
        assert!(NatsConfig::default().validate().is_empty());
    }

    #[test]
    fn provisioning_and_auditing_have_identities_of_their_own() {
        let config = NatsConfig {
            user: "joe".to_owned(),
            provisioning_nkey_seed_file: "maker.seed".to_owned(),
            auditing_nkey_seed_file: "reader.seed".to_owned(),
            ..NatsConfig::default()
        };
        let (maker, reader) = (config.for_provisioning(), config.for_auditing());
        assert_eq!((maker.user.as_str(), maker.nkey_seed_file.as_str()), ("", "maker.seed"));
        assert_eq!(
            (reader.user.as_str(), reader.nkey_seed_file.as_str()),
            ("", "reader.seed")
        );
        let alone = NatsConfig {
            provisioning_nkey_seed_file: String::new(),
            ..config
        };
        assert_eq!(alone.for_provisioning().user, "joe");
    }

    #[tokio::test]
    async fn a_seed_that_cannot_be_used_is_told_at_the_start() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("joe.seed").display().to_string();
        let config = NatsConfig {
            nkey_seed_file: path.clone(),
            ..NatsConfig::default()
        };
        let absent = config.options().await.expect_err("no file").to_string();
        assert!(
            absent.contains("nats.nkey_seed_file") && absent.contains(&path),
            "{absent}"
        );
        std::fs::write(&path, "SUANOTASEED").expect("written");
        let garbage = config.options().await.expect_err("no seed").to_string();
        assert!(garbage.contains(&path) && !garbage.contains("SUANOTASEED"), "{garbage}");
    }
}
