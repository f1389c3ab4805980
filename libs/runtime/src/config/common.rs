//! The sections that all four services share. A service's own `Config` flattens [`Common`] into itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use vouch_mail::MailConfig;
use vouch_messaging::NatsConfig;
use vouch_primitives::Timestamp;
use vouch_storage::DatabaseConfig;

use super::duration;

/// What every service needs to run.
#[derive(Clone, Debug, Deserialize)]
pub struct Common {
    /// The gRPC server and the process.
    pub server: ServerConfig,
    /// Certificates.
    pub tls: TlsConfig,
    /// Who may call.
    pub access: AccessConfig,
    /// The service's own database.
    pub database: DatabaseConfig,
    /// The event bus.
    pub nats: NatsConfig,
    /// Outgoing mail; a service that sends none leaves the section out of its defaults.
    pub mail: Option<MailConfig>,
    /// Logs, traces and metrics.
    pub telemetry: TelemetryConfig,
    /// The test clock.
    pub clock: ClockConfig,
    /// Addresses of the services this one calls, by service name: `payments = "http://127.0.0.1:7103"`.
    #[serde(default)]
    pub peers: BTreeMap<String, String>,
}

/// `[links]`: where the links lead that people are given. For the services that have the section.
#[derive(Clone, Debug, Deserialize)]
pub struct Links {
    /// Where people reach Vouch, such as `https://vouch.example`.
    pub public_url: String,
}

/// What a service needs that gives people links.
#[derive(Clone, Debug, Deserialize)]
pub struct WithLinks {
    /// What every service needs.
    #[serde(flatten)]
    pub common: Common,
    /// Where the links lead.
    pub links: Links,
}

impl WithLinks {
    /// What types cannot say, as `key: reason` lines.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let mut problems = self.common.validate();
        problems.extend(self.links.validate());
        problems
    }
}

impl Links {
    /// What cannot be said by types, as `key: reason` lines.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let url = &self.public_url;
        let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let is_base = |host: &str| !host.is_empty() && !host.starts_with('/') && !host.contains(['#', '?', ' ', '\n']);
        if host.is_some_and(is_base) {
            Vec::new()
        } else {
            vec!["links.public_url: not an address such as https://vouch.example".to_owned()]
        }
    }
}

/// `[server]`: the gRPC server and its limits.
#[derive(Clone, Debug, Deserialize)]
pub struct ServerConfig {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The longest a call may take; a shorter deadline of the caller wins.
    #[serde(with = "duration")]
    pub deadline: Duration,
    /// Calls served at once; one more is refused with UNAVAILABLE and the hint to retry.
    pub max_concurrent_calls: usize,
    /// Largest request message in bytes.
    pub max_message_bytes: u32,
    /// HTTP/2 ping interval on idle connections; a peer that does not answer within 10 s is dropped.
    #[serde(with = "duration")]
    pub keep_alive: Duration,
    /// Age, give or take a tenth, at which a connection is asked to reconnect, so that load spreads over new replicas.
    #[serde(with = "duration")]
    pub max_connection_age: Duration,
    /// How long the whole service may take to stop after SIGTERM.
    #[serde(with = "duration")]
    pub shutdown_grace: Duration,
    /// Threads that run the service's tasks, at least 2.
    pub worker_threads: usize,
    /// Whether `vouch.operations.v1.FailPointService` is served, by which tests end the process; only on a loopback address.
    pub fail_points: bool,
    /// Address and port where health alone is served, in plaintext; empty for none.
    pub health_listen: String,
}

/// `[tls]`: paths of PEM files, read at the start; empty for none.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TlsConfig {
    /// The certificate that this service shows to its callers and to those it calls, and its chain. Without one it listens
    /// in plaintext.
    pub certificate_file: String,
    /// The certificate's private key.
    pub key_file: String,
    /// The authorities by which callers and those who are called are known.
    pub ca_file: String,
    /// Whether a caller without a certificate is refused.
    pub require_client_certificate: bool,
}

/// `[access]`: whose tokens are taken.
#[derive(Clone, Debug, Deserialize)]
pub struct AccessConfig {
    /// The directory of the keys. `*.json` are the public keys whose tokens are taken (JWK or JWK Set, read again when they
    /// change), `service-<name>.key` is the private key that signs this service's own calls.
    pub keys: String,
    /// Whether keys that are missing are made at the start; only while the service listens on a loopback address.
    pub make_keys: bool,
    /// The audience that tokens name.
    pub audience: String,
}

/// `[telemetry]`: where logs, traces and metrics go.
#[derive(Clone, Debug, Deserialize)]
pub struct TelemetryConfig {
    /// The shape of log lines.
    pub log_format: LogFormat,
    /// What is logged, as `tracing` filter directives: `info,vouch_messaging=debug`.
    pub level: String,
    /// OTLP/gRPC endpoint for traces, metrics and logs; empty for none, unless `OTEL_EXPORTER_OTLP_ENDPOINT` names one.
    pub otlp_endpoint: String,
    /// Address of Prometheus' `/metrics`; empty for none.
    pub metrics_listen: String,
    /// How often the metrics are brought up to date that the database or the bus must be asked for.
    #[serde(with = "duration")]
    pub gauge_interval: Duration,
}

/// The shape of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line per event.
    Human,
    /// One JSON object per line.
    Json,
}

/// `[clock]`: the clock of all rules that wait.
#[derive(Clone, Debug, Deserialize)]
pub struct ClockConfig {
    /// Whether the clock stands still and is moved by `vouch.operations.v1.OperationsService`. Never in production.
    pub test: bool,
    /// Where a test clock starts the first time (RFC 3339); empty for the present. Later its time is in the database.
    pub start: String,
}

impl Common {
    /// What cannot be said by types, as `key: reason` lines.
    pub fn validate(&self) -> Vec<String> {
        let start = &self.clock.start;
        let clock = [
            (
                start.is_empty() || start.parse::<Timestamp>().is_ok(),
                "clock.start: not an RFC 3339 time",
            ),
            (
                start.is_empty() || self.clock.test,
                "clock.start: needs clock.test = true",
            ),
        ];
        let database = [
            (
                self.database.backend().is_ok(),
                "database.url: must start with sqlite: or postgres://",
            ),
            (
                (self.database.least_connections()).is_ok_and(|least| self.database.max_connections >= least),
                "database.max_connections: must be at least 2, for PostgreSQL at least 5",
            ),
        ];
        let access = [
            (!self.access.keys.is_empty(), "access.keys: must name a directory"),
            (!self.access.audience.is_empty(), "access.audience: must not be empty"),
            (
                !self.access.make_keys || self.server.listen.ip().is_loopback(),
                "access.make_keys: only for a service that listens on a loopback address",
            ),
        ];
        let rules = [
            &self.server.rules()[..],
            &self.tls.rules(),
            &self.telemetry.rules(),
            &access,
            &clock,
            &database,
        ]
        .concat();
        let broken = rules
            .into_iter()
            .filter(|(good, _)| !good)
            .map(|(_, line)| line.to_owned());
        let peers = self.peers.iter().filter(|(_, address)| !is_address(address));
        let unknown = self
            .peers
            .iter()
            .filter(|(_, address)| address.starts_with("https://") && self.tls.ca_file.is_empty());
        broken
            .chain(self.nats.validate())
            .chain(self.mail.iter().flat_map(MailConfig::validate))
            .chain(unknown.map(|(name, _)| format!("peers.{name}: https needs tls.ca_file")))
            .chain(peers.map(|(name, _)| format!("peers.{name}: not an address such as http://127.0.0.1:7101")))
            .collect()
    }
}

/// Whether a rule is kept, and what to say if not.
type Rule = (bool, &'static str);

impl ServerConfig {
    fn rules(&self) -> [Rule; 9] {
        [
            (!self.deadline.is_zero(), "server.deadline: must be longer than zero"),
            (
                self.max_concurrent_calls > 0,
                "server.max_concurrent_calls: must be at least 1",
            ),
            (
                self.max_message_bytes > 0,
                "server.max_message_bytes: must be at least 1",
            ),
            (
                !self.keep_alive.is_zero(),
                "server.keep_alive: must be longer than zero",
            ),
            (
                !self.max_connection_age.is_zero(),
                "server.max_connection_age: must be longer than zero",
            ),
            (
                self.shutdown_grace >= Duration::from_secs(1),
                "server.shutdown_grace: must be at least one second",
            ),
            // The telemetry SDK can block the only worker of a single-threaded runtime while it shuts down.
            (self.worker_threads >= 2, "server.worker_threads: must be at least 2"),
            (
                !self.fail_points || self.listen.ip().is_loopback(),
                "server.fail_points: only for a service that listens on a loopback address",
            ),
            (
                self.health_listen.is_empty() || self.health_listen.parse::<SocketAddr>().is_ok(),
                "server.health_listen: not an address and port",
            ),
        ]
    }
}

impl TlsConfig {
    fn rules(&self) -> [Rule; 2] {
        let (listens, knows) = (!self.certificate_file.is_empty(), !self.ca_file.is_empty());
        [
            (
                listens != self.key_file.is_empty(),
                "tls.certificate_file: needs tls.key_file, and the other way round",
            ),
            (
                !self.require_client_certificate || (listens && knows),
                "tls.require_client_certificate: needs tls.certificate_file and tls.ca_file",
            ),
        ]
    }
}

impl TelemetryConfig {
    fn rules(&self) -> [Rule; 3] {
        let metrics = &self.metrics_listen;
        [
            (
                EnvFilter::try_new(&self.level).is_ok(),
                "telemetry.level: not a list of tracing directives",
            ),
            (
                metrics.is_empty() || metrics.parse::<SocketAddr>().is_ok(),
                "telemetry.metrics_listen: not an address and port",
            ),
            (
                self.gauge_interval >= Duration::from_millis(100),
                "telemetry.gauge_interval: at least 100ms",
            ),
        ]
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<http::Uri>()
        .is_ok_and(|uri| uri.scheme().is_some() && uri.authority().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_need_a_base() {
        let problems = |public_url: &str| {
            let public_url = public_url.to_owned();
            Links { public_url }.validate()
        };
        for good in ["https://vouch.example", "http://127.0.0.1:8080/app/"] {
            assert!(problems(good).is_empty(), "{good}");
        }
        for bad in [
            "",
            "vouch.example",
            "https://",
            "https:///x",
            "https://vouch.example/#x",
        ] {
            assert!(problems(bad)[0].starts_with("links.public_url: "), "{bad}");
        }
    }
}
