//! What all four services stand on: the database, the bus, the clock, the gRPC server and the workers, started
//! together and stopped in order.

mod gauges;
mod housekeeping;
mod probe;
mod run;
mod web;

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use http::Request;
use sea_orm_migration::MigratorTrait;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;
use vouch_mail::{MailError, OnBounce, Recheck};
use vouch_messaging::{Bus, BusError, Consumer, JetStream, PROVISIONER, Reapply, Router, Subscription, Verdict};
use vouch_primitives::Clock;
use vouch_storage::{BoxError, Db, DbBackend, StorageError, timers};

use crate::access::{AccessError, Caller, Gate, Notary, Seal, Signer};
use crate::client::{Peer, PeerError};
use crate::clock::ServiceClock;
use crate::commands::Commands;
use crate::config::Common;
use crate::server::{Server, ServerError};
use crate::tls::{Tls, TlsError};

/// A worker in the making: it works until the token is cancelled and then ends what it has begun.
type Work = Box<dyn FnOnce(CancellationToken) -> BoxFuture<'static, ()> + Send>;

/// What a service looks at for its own gauges.
type Look = Box<dyn Fn() -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>;

/// One service: build it, add what it serves and what works for it, then [`Chassis::run`] it.
///
/// ```ignore
/// let chassis = Chassis::connect::<Migrator>("payments", &config.common).await?;
/// let app = Arc::new(App::new(chassis.commands()));
/// let chassis = chassis
///     .grpc(PaymentsServiceServer::new(grpc::Payments::new(app.clone())))
///     .facts(events::router(), app.clone())
///     .timers(timers::worker(&chassis, app));
/// chassis.run(shutdown).await
/// ```
pub struct Chassis {
    name: &'static str,
    config: Common,
    db: Db,
    bus: Arc<dyn Bus>,
    clock: ServiceClock,
    listener: TcpListener,
    address: SocketAddr,
    tls: Tls,
    server: Server,
    subscriptions: Vec<Subscription>,
    http: Vec<Work>,
    http_address: Option<SocketAddr>,
    consumers: Vec<Work>,
    reappliers: Vec<Arc<dyn Reapply>>,
    timers: Vec<Work>,
    looks: Vec<Look>,
    sends_mail: bool,
    on_bounce: Option<OnBounce>,
    recheck: Option<Recheck>,
}

/// A service could not be started, or did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ChassisError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The bus failed.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The access keys cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A certificate, a key or an authority cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The gRPC server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Mail cannot be sent.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// A peer has no usable address.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// `server.listen`.
        address: SocketAddr,
        /// The reason.
        source: std::io::Error,
    },
    /// The database has not been migrated.
    #[error("the database lacks {}: run `vouch-{service} migrate` first", missing.join(", "))]
    Migrations {
        /// The service.
        service: &'static str,
        /// Their names.
        missing: Vec<String>,
    },
    /// A part that only one service has cannot be set up.
    #[error("cannot set up {part}")]
    Part {
        /// Which.
        part: &'static str,
        /// The reason.
        source: BoxError,
    },
    /// The defaults have no `[mail]` section although the service sends mail.
    #[error("the configuration has no section [mail]")]
    NoMail,
    /// A worker ended by itself, which none ever should.
    #[error("{0} has ended unexpectedly")]
    Ended(&'static str),
}

impl Chassis {
    /// Connects to everything the configuration names, and listens.
    ///
    /// A SQLite file is migrated on the way, as it belongs to this process alone; a PostgreSQL database must have been
    /// migrated. The bus may be away: then the service is not ready.
    ///
    /// # Errors
    /// When the database, its migrations, the bus configuration or the address cannot be used.
    pub async fn connect<M: MigratorTrait>(name: &'static str, config: &Common) -> Result<Self, ChassisError> {
        let db = Db::connect(&config.database).await?;
        if db.backend() == DbBackend::Sqlite {
            vouch_storage::migrate::<M>(&db).await?;
        }
        let missing = vouch_storage::pending_migrations::<M>(&db).await?;
        if !missing.is_empty() {
            return Err(ChassisError::Migrations { service: name, missing });
        }
        let clock = ServiceClock::open(&config.clock, &db).await?;
        let bus = Arc::new(JetStream::connect(&config.nats, name).await?);
        Self::with(name, config, db, bus, clock).await
    }

    /// A service on parts that are there already: a migrated database, a bus, a clock. Listens. The database is closed
    /// when the service has stopped; bus and clock may be shared.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub async fn with(
        name: &'static str,
        config: &Common,
        db: Db,
        bus: Arc<dyn Bus>,
        clock: ServiceClock,
    ) -> Result<Self, ChassisError> {
        let tls = Tls::read(&config.tls)?;
        let mut server = Server::new(&config.server, Gate::open(&config.access, name)?).tls(tls.clone());
        let (listener, address) = listen(config.server.listen).await?;
        if let Ok(address) = config.server.health_listen.parse() {
            let (listener, address) = listen(address).await?;
            tracing::info!(service = name, %address, "health alone, in plaintext");
            server = server.health_on(listener);
        }
        Ok(Self {
            name,
            config: config.clone(),
            db,
            bus,
            clock,
            listener,
            address,
            tls,
            server,
            subscriptions: Vec::new(),
            http: Vec::new(),
            http_address: None,
            consumers: Vec::new(),
            reappliers: Vec::new(),
            timers: Vec::new(),
            looks: Vec::new(),
            sends_mail: false,
            on_bounce: None,
            recheck: None,
        })
    }

    /// Serves a gRPC service.
    #[must_use]
    pub fn grpc<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.server = self.server.with(service);
        self
    }

    /// Serves HTTP beside gRPC, in plaintext, on an address of its own: for those who cannot speak gRPC.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn http(mut self, what: &'static str, address: SocketAddr, router: axum::Router) -> Result<Self, ChassisError> {
        let failed = |source| ChassisError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        tracing::info!(service = self.name, address = %bound, what, "HTTP, in plaintext");
        self.http_address = Some(bound);
        self.http
            .push(Box::new(move |stop| Box::pin(web::serve(listener, router, stop))));
        Ok(self)
    }

    /// Applies the facts of other services.
    #[must_use]
    pub fn facts<S, E>(mut self, router: Router<S, E>, app: Arc<S>) -> Self
    where
        S: Send + Sync + 'static,
        E: std::error::Error + From<StorageError> + Send + Sync + 'static,
        for<'e> Verdict: From<&'e E>,
    {
        let subscriptions = router.subscriptions();
        if subscriptions.is_empty() {
            return self;
        }
        self.subscriptions.extend(subscriptions);
        let consumer = Consumer::new(self.db.clone(), self.bus.clone(), self.clock.clock(), router, app);
        self.reappliers.push(consumer.reapplier());
        self.consumers.push(Box::new(move |stop| Box::pin(consumer.run(stop))));
        self
    }

    /// Carries out due timers.
    #[must_use]
    pub fn timers(mut self, worker: timers::Worker) -> Self {
        self.timers.push(Box::new(move |stop| Box::pin(worker.run(stop))));
        self
    }

    /// Looks at something of the service's own for its gauges, every `telemetry.gauge_interval`; what takes long is
    /// repeated less often, so that it is never at work for more than a twentieth of the time.
    #[must_use]
    pub fn looks_at<Fut>(mut self, look: impl Fn() -> Fut + Send + Sync + 'static) -> Self
    where
        Fut: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.looks.push(Box::new(move || Box::pin(look())));
        self
    }

    /// Sends the mail that was enqueued, as `[mail]` says.
    #[must_use]
    pub fn mail(mut self) -> Self {
        self.sends_mail = true;
        self
    }

    /// Tells `on_bounce` of mailboxes that do not exist.
    #[must_use]
    pub fn on_bounce(mut self, on_bounce: OnBounce) -> Self {
        self.on_bounce = Some(on_bounce);
        self
    }

    /// Asks `recheck` of every mail, before each attempt, whether it is still to leave.
    #[must_use]
    pub fn recheck_mail(mut self, recheck: Recheck) -> Self {
        self.recheck = Some(recheck);
        self
    }

    /// Where the gRPC server listens; with port 0 in the configuration, the port it got.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where HTTP is served that was added last; `None` if there is none.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.http_address
    }

    /// The database.
    pub fn db(&self) -> &Db {
        &self.db
    }

    /// The clock.
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clock()
    }

    /// Commands on this service's database and clock.
    pub fn commands(&self) -> Commands {
        Commands::new(self.db.clone(), self.clock.clock())
    }

    /// What hides secrets in the hashes of requests, with this service's key.
    pub fn seal(&self) -> Seal {
        Seal::new(&self.config.access, self.name)
    }

    /// What signs texts with a key of that name, or with this one.
    ///
    /// # Errors
    /// When the key cannot be read or made.
    pub fn notary(&self, name: &str, private_key: &str) -> Result<Option<Notary>, AccessError> {
        Notary::open(&self.config.access, name, private_key)
    }

    /// A connection to another service.
    ///
    /// # Errors
    /// When `[peers]` has no usable address for it.
    pub fn peer(&self, name: &str) -> Result<Peer, PeerError> {
        let signer = Signer::new(&self.config.access, Caller::Service(self.name.to_owned()));
        Peer::connect(&self.config.peers, name, &self.tls, signer)
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ChassisError> {
    let failed = |source| ChassisError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Prepares what a running service may not make for itself: the tables, the service's own stream, and its consumers
/// on the streams of others. Doing it again changes nothing.
///
/// # Errors
/// When the database or the bus refuses or cannot be reached.
pub async fn migrate<M: MigratorTrait>(
    name: &str,
    config: &Common,
    subscriptions: &[Subscription],
) -> Result<(), ChassisError> {
    let db = Db::connect(&config.database).await?;
    let applied = vouch_storage::migrate::<M>(&db).await?;
    tracing::info!(applied, "the database is up to date");
    db.close().await?;
    let bus = JetStream::connect(&config.nats.for_provisioning(), PROVISIONER).await?;
    bus.provision(name, subscriptions).await?;
    tracing::info!(
        consumers = subscriptions.len(),
        "the stream and its consumers are up to date"
    );
    Ok(())
}

impl fmt::Debug for Chassis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chassis")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
