//! The four services in this process, each with a database of its own, on one memory bus: for simulations.

use std::{path::Path, sync::Arc};

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vouch_messaging::Bus;
use vouch_primitives::{TestClock, Timestamp};
use vouch_runtime::{Chassis, ServiceClock, config::Layers};
use vouch_storage::Db;
use vouch_testkit::{Engine, TestDatabase};

use crate::{Clients, Error, Mailbox, SERVICES, Story, cluster::access};

/// A running system inside this process.
#[derive(Debug)]
pub struct World {
    stop: CancellationToken,
    services: Vec<JoinHandle<Result<(), String>>>,
    addresses: [String; SERVICES.len()],
    mail: TempDir,
    keys: TempDir,
    databases: Vec<TestDatabase>,
    settings: Vec<(String, String)>,
}

/// Builds one service on a fresh database and starts it. The four have the same names for the same things, and no
/// type in common.
macro_rules! start {
    ($world:expr, $name:literal, $service:ident, $bus:expr, $now:expr, $engine:expr, $extra:expr) => {{
        let database = TestDatabase::new($engine).await;
        let mut env = vec![
            variable($name, "SERVER__LISTEN", "127.0.0.1:0"),
            variable($name, "DATABASE__URL", database.url()),
            variable($name, "TELEMETRY__METRICS_LISTEN", ""),
            variable($name, "CLOCK__TEST", "true"),
            variable($name, "ACCESS__KEYS", &$world.keys.path().display().to_string()),
        ];
        env.extend($world.settings.iter().map(|(key, value)| variable($name, key, value)));
        env.extend($extra);
        let loaded = Layers::new($name, $service::DEFAULTS)
            .env(env)
            .load($service::Config::validate)?;
        // Four configurations are more than a future should hold.
        let config = Box::new(loaded.config);
        let db = Db::connect(&config.common.database).await?;
        vouch_storage::migrate::<$service::migration::Migrator>(&db).await?;
        let clock = ServiceClock::test(Arc::new(TestClock::new($now)));
        let chassis = Chassis::with($name, &config.common, db, Arc::clone($bus), clock).await?;
        let service = $service::Service::build_on(chassis, &config).await?;
        let address = format!("http://{}", service.address());
        let stop = $world.stop.clone();
        let running = tokio::spawn(async move { service.run(stop).await.map_err(|error| error.to_string()) });
        $world.services.push(running);
        $world.databases.push(database);
        address
    }};
}

impl World {
    /// Starts the four services at the moment `now`.
    ///
    /// # Errors
    /// If one does not start.
    pub async fn start(engine: Engine, bus: &Arc<dyn Bus>, now: Timestamp) -> Result<Self, Error> {
        Self::start_with(engine, bus, now, &[]).await
    }

    /// As [`start`](Self::start), with settings that all services are given: `("SERVER__DEADLINE", "5s")`.
    ///
    /// # Errors
    /// If one does not start.
    pub async fn start_with(
        engine: Engine,
        bus: &Arc<dyn Bus>,
        now: Timestamp,
        settings: &[(&str, &str)],
    ) -> Result<Self, Error> {
        let mut world = Self {
            settings: settings
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            stop: CancellationToken::new(),
            services: Vec::new(),
            addresses: std::array::from_fn(|_| String::new()),
            mail: tempfile::tempdir()?,
            keys: tempfile::tempdir()?,
            databases: Vec::new(),
        };
        let mail = world.mail.path().display().to_string();
        let mail_to = |service: &str| variable(service, "MAIL__DIRECTORY", &mail);
        let documents = variable("onboarding", "DOCUMENTS__URL", &format!("file:{mail}/documents"));
        let uploads = variable("onboarding", "DOCUMENTS__SPOOL", &format!("{mail}/uploads"));
        let invitation = start!(
            world,
            "invitation",
            vouch_invitation,
            bus,
            now,
            engine,
            [mail_to("invitation")]
        );
        let payments = start!(world, "payments", vouch_payments, bus, now, engine, []);
        let peer = variable("onboarding", "PEERS__INVITATION", &invitation);
        let tax_forms = variable("onboarding", "PEERS__PAYMENTS", &payments);
        let onboarding = start!(
            world,
            "onboarding",
            vouch_onboarding,
            bus,
            now,
            engine,
            [mail_to("onboarding"), documents, uploads, peer, tax_forms]
        );
        let peer = variable("referral", "PEERS__PAYMENTS", &payments);
        let referral = start!(
            world,
            "referral",
            vouch_referral,
            bus,
            now,
            engine,
            [mail_to("referral"), peer]
        );
        world.addresses = [invitation, onboarding, payments, referral];
        Ok(world)
    }

    /// The people who use it.
    ///
    /// # Errors
    /// If an address is none.
    pub fn story(&self) -> Result<Story, Error> {
        let mailbox = Mailbox::new(vec![self.mail.path().to_owned()]);
        Ok(Story::new(
            Clients::connect(&self.addresses, &access(self.keys.path()))?,
            mailbox,
        ))
    }

    /// The addresses of the services, in the order of [`SERVICES`].
    #[must_use]
    pub const fn addresses(&self) -> &[String; SERVICES.len()] {
        &self.addresses
    }

    /// The URLs of the databases, in the order in which the services were started.
    pub fn databases(&self) -> impl Iterator<Item = &str> {
        self.databases.iter().map(TestDatabase::url)
    }

    /// The directory of the access keys.
    #[must_use]
    pub fn keys(&self) -> &Path {
        self.keys.path()
    }

    /// Stops the services in order.
    ///
    /// # Errors
    /// If one ended badly.
    pub async fn stop(self) -> Result<(), Error> {
        self.stop.cancel();
        for service in self.services {
            service.await??;
        }
        Ok(())
    }
}

fn variable(service: &str, key: &str, value: &str) -> (String, String) {
    (format!("VOUCH_{}__{key}", service.to_uppercase()), value.to_owned())
}
