//! The two services of the accrual path, on fresh databases and a fresh nats-server.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, Statement};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vouch_messaging::{Bus, Consumer, JetStream, NatsConfig, Relay, Subscription, outbox};
use vouch_payments::app::gateway::sandbox::Sandbox;
use vouch_primitives::SystemClock;
use vouch_referral::{app::Limits, domain::TouchLimits, store::invitations};
use vouch_runtime::{
    Commands, Peer, Tls,
    access::{Caller, Signer},
    config::TlsConfig,
};
use vouch_storage::{Db, config::DatabaseConfig};
use vouch_suite::{Error, cluster::access};
use vouch_testkit::{Engine, NatsServer, TestDatabase, eventually};

use crate::{scene::Scene, tape::Tape};

/// How long anything may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Stage {
    pub referral: Db,
    pub payments: Db,
    pub referral_bus: Arc<dyn Bus>,
    pub payments_bus: Arc<dyn Bus>,
    keys: TempDir,
    _nats: NatsServer,
    _databases: [TestDatabase; 2],
}

impl Stage {
    /// Everything in place, nothing running. The statements that are carried out go onto the tapes, if there are any.
    pub async fn set(engine: Engine, scene: &Scene, tapes: Option<&[Arc<Tape>; 2]>) -> Result<Self, Error> {
        let nats = NatsServer::start().await?;
        let config = NatsConfig {
            url: nats.url(),
            ..NatsConfig::default()
        };
        let referral_bus = JetStream::connect(&config, "referral").await?;
        let payments_bus = JetStream::connect(&config, "payments").await?;
        payments_bus
            .provision("payments", &vouch_payments::events::router().subscriptions())
            .await?;
        referral_bus
            .provision("referral", &vouch_referral::events::router().subscriptions())
            .await?;
        let databases = [TestDatabase::new(engine).await, TestDatabase::new(engine).await];
        let [referral, payments] = &databases;
        let stage = Self {
            referral: open(referral, tapes.map(|[tape, _]| tape)).await?,
            payments: open(payments, tapes.map(|[_, tape]| tape)).await?,
            referral_bus: Arc::new(referral_bus),
            payments_bus: Arc::new(payments_bus),
            keys: tempfile::tempdir()?,
            _nats: nats,
            _databases: databases,
        };
        vouch_storage::migrate::<vouch_referral::migration::Migrator>(&stage.referral).await?;
        vouch_storage::migrate::<vouch_payments::Migrator>(&stage.payments).await?;
        referral_app(&stage.referral, stage.keys.path())?.prepare().await?;
        scene.write(&stage.referral).await?;
        for tape in tapes.into_iter().flatten() {
            tape.rewind();
        }
        Ok(stage)
    }

    /// Starts the consumers of both services and referral's relay.
    pub fn run(&self, batch: usize, payments_bus: &Arc<dyn Bus>) -> Result<Running, Error> {
        let stop = CancellationToken::new();
        let mut workers = JoinSet::new();
        let clock = Arc::new(SystemClock);
        let (db, bus) = (self.referral.clone(), Arc::clone(&self.referral_bus));
        let app = Arc::new(referral_app(&self.referral, self.keys.path())?);
        let consumer = Consumer::new(
            db.clone(),
            Arc::clone(&bus),
            clock.clone(),
            vouch_referral::events::router(),
            app,
        );
        workers.spawn(consumer.batch(batch).run(stop.clone()));
        let relay = Relay::new(db, bus).batch(u64::try_from(batch)?);
        workers.spawn(relay.run(stop.clone()));
        let db = self.payments.clone();
        let app = Arc::new(vouch_payments::app::App::new(
            Commands::new(db.clone(), clock.clone()),
            Arc::new(Sandbox),
            "",
        ));
        let router = vouch_payments::events::router();
        let consumer = Consumer::new(db.clone(), Arc::clone(payments_bus), clock, router, app);
        workers.spawn(consumer.batch(batch).run(stop.clone()));
        let relay = Relay::new(db, Arc::clone(payments_bus)).batch(u64::try_from(batch)?);
        workers.spawn(relay.run(stop.clone()));
        Ok(Running { stop, workers })
    }

    /// Waits until every earning has become a posting, or nothing moves any more.
    pub async fn finished(&self) -> Result<(), Error> {
        let settled = subscription(vouch_referral::events::router().subscriptions(), "vouch.payments")?;
        let released = subscription(vouch_payments::events::router().subscriptions(), "vouch.referral")?;
        eventually("the last posting", PATIENCE, async || {
            let told = outbox::pending(self.payments.reader())
                .await
                .map_err(|error| error.to_string())?;
            let consumed = self
                .referral_bus
                .lag(&settled)
                .await
                .map_err(|error| error.to_string())?;
            let waiting = outbox::pending(self.referral.reader())
                .await
                .map_err(|error| error.to_string())?;
            let posted = self
                .payments_bus
                .lag(&released)
                .await
                .map_err(|error| error.to_string())?;
            if told == 0 && consumed.is_zero() && waiting == 0 && posted.is_zero() {
                Ok(())
            } else {
                Err(format!("{consumed:?}, {waiting} to be published, {posted:?}"))
            }
        })
        .await;
        Ok(())
    }

    /// What was posted to all referrers, in minor units.
    pub async fn posted(&self) -> Result<i64, Error> {
        let text = "SELECT CAST(COALESCE(SUM(posted_minor), 0) AS bigint) FROM reward_total";
        let sum = Statement::from_string(self.payments.backend(), text);
        let row = self
            .payments
            .reader()
            .query_one_raw(sum)
            .await?
            .ok_or("a sum is a row")?;
        Ok(row.try_get_by_index(0)?)
    }
}

/// The use cases of referral. It signs no call: only explanations ask payments, which is not there.
pub fn referral_app(db: &Db, keys: &Path) -> Result<vouch_referral::app::App, Error> {
    let signer = Signer::new(&access(keys), Caller::Service("referral".to_owned()));
    let peers = BTreeMap::from([("payments".to_owned(), "http://127.0.0.1:9".to_owned())]);
    let peer = Peer::connect(&peers, "payments", &Tls::read(&TlsConfig::default())?, signer)?;
    let commands = Commands::new(db.clone(), Arc::new(SystemClock));
    let limits = Limits {
        invitations: invitations::Limits {
            per_day: 20,
            address_per_week: 3,
        },
        introductions_per_day: 20,
        touches: TouchLimits {
            per_code: u32::MAX,
            per_visitor: u32::MAX,
        },
    };
    Ok(vouch_referral::app::App::new(
        commands,
        peer,
        "http://localhost",
        limits,
    ))
}

/// The workers of both services.
pub struct Running {
    stop: CancellationToken,
    workers: JoinSet<()>,
}

impl Running {
    pub async fn stop(self) {
        self.stop.cancel();
        self.workers.join_all().await;
    }
}

/// That of these which hears the producer.
pub fn subscription(all: Vec<Subscription>, producer: &str) -> Result<Subscription, Error> {
    let mut all = all.into_iter();
    Ok(all.find(|one| one.producer == producer).ok_or("no such producer")?)
}

/// A database as services open it, whose statements go onto the tape if there is one.
pub async fn open(database: &TestDatabase, tape: Option<&Arc<Tape>>) -> Result<Db, Error> {
    let config = DatabaseConfig {
        url: database.url().to_owned(),
        max_connections: 8,
    };
    Ok(match tape.cloned() {
        None => Db::connect(&config).await?,
        Some(tape) => Db::connect_observed(&config, move |statement| tape.record(statement)).await?,
    })
}
