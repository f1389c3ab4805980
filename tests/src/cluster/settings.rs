//! What each service of a cluster is configured with.

use std::path::Path;

use vouch_messaging::{AUDITOR, PROVISIONER};
use vouch_runtime::config::AccessConfig;
use vouch_testkit::{NatsServer, PostgresServer};

use super::{Plan, Service};
use crate::{Network, Nkeys, SERVICES};

/// What a service is configured to find.
pub(super) struct Around<'a> {
    pub nats: &'a NatsServer,
    pub postgres: Option<&'a PostgresServer>,
    pub network: Option<&'a Network>,
    pub ports: [u16; SERVICES.len()],
}

impl Around<'_> {
    fn nats(&self) -> String {
        match self.network {
            Some(network) => format!("nats://127.0.0.1:{}", network.nats.port()),
            None => self.nats.url(),
        }
    }

    fn database(&self, url: &str) -> String {
        match (
            self.postgres,
            self.network.and_then(|network| network.postgres.as_ref()),
        ) {
            (Some(server), Some(proxy)) => url.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port())),
            _ => url.to_owned(),
        }
    }

    fn peer(&self, index: usize) -> String {
        let port = self
            .network
            .map_or(self.ports[index], |network| network.services[index].port());
        format!("http://127.0.0.1:{port}")
    }
}

impl Service {
    pub(super) fn configure(
        &mut self,
        plan: &Plan,
        around: &Around<'_>,
        access: &AccessConfig,
        nkeys: &Nkeys,
        directory: &Path,
    ) {
        let seed = |user: &str| nkeys.seed(user).display().to_string();
        let metrics = self.metrics.map(|port| format!("127.0.0.1:{port}"));
        let mut settings = vec![
            ("SERVER__LISTEN".to_owned(), format!("127.0.0.1:{}", self.port)),
            ("DATABASE__URL".to_owned(), around.database(&self.database)),
            ("NATS__URL".to_owned(), around.nats()),
            ("NATS__NKEY_SEED_FILE".to_owned(), seed(self.name)),
            ("NATS__PROVISIONING_NKEY_SEED_FILE".to_owned(), seed(PROVISIONER)),
            ("NATS__AUDITING_NKEY_SEED_FILE".to_owned(), seed(AUDITOR)),
            ("TELEMETRY__METRICS_LISTEN".to_owned(), metrics.unwrap_or_default()),
            ("ACCESS__KEYS".to_owned(), access.keys.clone()),
        ];
        if let Some(start) = plan.test_clock {
            settings.push(("CLOCK__TEST".to_owned(), "true".to_owned()));
            settings.push(("CLOCK__START".to_owned(), start.to_string()));
        }
        if matches!(self.name, "invitation" | "onboarding" | "referral") {
            let mail = directory.join("mail").display().to_string();
            settings.push(("MAIL__DIRECTORY".to_owned(), mail));
        }
        for (index, peer) in SERVICES.iter().enumerate() {
            if peers_of(self.name).contains(peer) {
                settings.push((format!("PEERS__{}", peer.to_uppercase()), around.peer(index)));
            }
        }
        if let Some(endpoint) = &plan.collector {
            settings.push(("TELEMETRY__OTLP_ENDPOINT".to_owned(), endpoint.clone()));
        }
        settings.extend(
            plan.settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        let prefix = format!("VOUCH_{}__", self.name.to_uppercase());
        self.settings = settings
            .into_iter()
            .map(|(key, value)| (format!("{prefix}{key}"), value))
            .collect();
    }
}

/// Whom a service calls, or asks when it is reconciled.
fn peers_of(service: &str) -> &'static [&'static str] {
    match service {
        "invitation" => &["onboarding", "referral"],
        "onboarding" => &["invitation", "payments", "referral"],
        "payments" => &["onboarding", "referral"],
        _ => &["invitation", "onboarding", "payments"],
    }
}
