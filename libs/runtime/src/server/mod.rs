//! The gRPC server: one place for health, reflection, limits, deadlines, traces and a bounded shutdown.
//!
//! A call passes, from outside in: [`observe`] (span, metrics, end of streams at shutdown) → [`admit`] (token and
//! policy) → [`guard`] (load shedding, deadline, the handler in a task of its own, panics) → [`limit`] (message size) →
//! the handler.

mod admit;
mod guard;
mod health;
mod limit;
mod observe;

pub use health::Health;

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use rand::RngExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;
use tonic::transport::server::TcpIncoming;
use tower::Service;

use crate::access::Gate;
use crate::config::ServerConfig;
use crate::tls::Tls;
use admit::AdmitLayer;
use guard::{Calls, GuardLayer};
use observe::ObserveLayer;

/// A peer that leaves a ping unanswered for so long is dropped.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection that has not agreed on TLS in so long is dropped.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
/// Running calls of a connection that reached its age may go on for so long.
const CONNECTION_AGE_GRACE: Duration = Duration::from_secs(30);
/// Streams of one connection; more wait at the client.
const STREAMS_PER_CONNECTION: u32 = 256;

/// A gRPC server in the making: add the services, then [`Server::serve`].
#[derive(Debug)]
pub struct Server {
    config: ServerConfig,
    gate: Gate,
    tls: Tls,
    health_listener: Option<TcpListener>,
    routes: RoutesBuilder,
    health: Health,
    names: Vec<&'static str>,
}

/// The server could not be set up or stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The descriptors of the contracts are broken.
    #[error("the reflection service cannot be built")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The listener failed.
    #[error("the gRPC server failed")]
    Transport(#[from] tonic::transport::Error),
}

/// How a server came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// All calls were answered.
    Drained,
    /// The time was up before all calls and connections had ended.
    TimedOut,
}

impl Server {
    /// A server with no services yet, which lets in whom `gate` lets in.
    pub fn new(config: &ServerConfig, gate: Gate) -> Self {
        Self {
            config: config.clone(),
            gate,
            tls: Tls::default(),
            health_listener: None,
            routes: RoutesBuilder::default(),
            health: Health::new(),
            names: Vec::new(),
        }
    }

    /// Listens under TLS, if there is a certificate.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = tls;
        self
    }

    /// Serves health, and nothing else, on this listener too, in plaintext: orchestrators' probes speak no TLS.
    #[must_use]
    pub fn health_on(mut self, listener: TcpListener) -> Self {
        self.health_listener = Some(listener);
        self
    }

    /// Adds one gRPC service; it gets a health entry of its own name and appears in reflection.
    #[must_use]
    pub fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: axum::response::IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
        self.health.add(S::NAME);
        self
    }

    /// The handle that tells clients whether to send calls here.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Serves until `drain` is cancelled, then takes no new calls and waits at most `patience` for the running ones,
    /// also for those whose client has left.
    ///
    /// # Errors
    /// When the server cannot be built or the listener fails.
    pub async fn serve(
        mut self,
        listener: TcpListener,
        drain: CancellationToken,
        patience: Duration,
    ) -> Result<Stopped, ServerError> {
        self.add_reflection()?;
        self.routes.add_service(self.health.service());
        let calls = Calls::new(&self.config);
        let probed = serve_health(
            self.transport(),
            self.health_listener.take(),
            self.health.clone(),
            drain.clone(),
        );
        let mut transport = self.transport();
        if let Some(tls) = self.tls.server() {
            transport = transport.tls_config(tls)?;
        }
        let serving = transport
            .layer(ObserveLayer::new(drain.clone()))
            .layer(AdmitLayer(self.gate.clone()))
            .layer(GuardLayer::new(calls.clone()))
            .add_routes(self.routes.routes())
            .serve_with_incoming_shutdown(
                TcpIncoming::from(listener).with_nodelay(Some(true)),
                drain.clone().cancelled_owned(),
            );
        // Tonic's own graceful end has no limit: a connection that never finishes would keep the process for ever.
        let finished = async move {
            tokio::try_join!(serving, probed)?;
            calls.finished().await;
            Ok(Stopped::Drained)
        };
        let too_late = async {
            drain.cancelled().await;
            tokio::time::sleep(patience).await;
        };
        tokio::select! {
            result = finished => result,
            () = too_late => Ok(Stopped::TimedOut),
        }
    }

    /// Reflection in both versions (older tools know v1alpha only), of this server's services and no others.
    fn add_reflection(&mut self) -> Result<(), ServerError> {
        let builder = |own: &'static str| {
            let mut builder = tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(vouch_proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // So that tools can show the details of an error.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
                .with_service_name(own)
                .with_service_name(health::NAME);
            for name in &self.names {
                builder = builder.with_service_name(*name);
            }
            builder
        };
        let v1 = builder("grpc.reflection.v1.ServerReflection").build_v1()?;
        let v1alpha = builder("grpc.reflection.v1alpha.ServerReflection").build_v1alpha()?;
        self.routes.add_service(v1).add_service(v1alpha);
        Ok(())
    }

    fn transport(&self) -> tonic::transport::Server {
        // Replicas that started together must not send all their clients away together.
        let percent = rand::rng().random_range(90..=110_u32);
        tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(self.config.keep_alive))
            .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
            .max_connection_age(self.config.max_connection_age * percent / 100)
            .max_connection_age_grace(CONNECTION_AGE_GRACE)
            .max_concurrent_streams(STREAMS_PER_CONNECTION)
    }
}

async fn serve_health(
    mut transport: tonic::transport::Server,
    listener: Option<TcpListener>,
    health: Health,
    drain: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let Some(listener) = listener else { return Ok(()) };
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    transport
        .add_service(health.service())
        .serve_with_incoming_shutdown(incoming, drain.cancelled_owned())
        .await
}

/// The gRPC method of a path: `/pkg.Service/Method` without its slash.
fn method_of(path: &str) -> &str {
    path.strip_prefix('/').unwrap_or(path)
}

/// Probes come every few seconds for ever, and must be answered however busy the service is.
fn is_health_check<B>(request: &Request<B>) -> bool {
    method_of(request.uri().path())
        .split_once('/')
        .is_some_and(|(service, _)| service == health::NAME)
}

/// Health and reflection tell nothing about anybody, and whoever asks for them has no token yet.
fn is_open<B>(request: &Request<B>) -> bool {
    is_health_check(request) || method_of(request.uri().path()).starts_with("grpc.reflection.")
}

/// What the layers of this server have in common: they answer, whatever happens.
trait GrpcService: Service<Request<Body>, Response = Response<Body>, Error = Infallible> {}
impl<S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>> GrpcService for S {}
