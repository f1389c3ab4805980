//! Calls to other services: a lazy connection, a deadline on every call, and the trace carried on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use opentelemetry::metrics::Histogram;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::body::Body;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tower::{Service, ServiceExt};
use tracing::Instrument;

use crate::access::{Caller, Signed, Signer};
use crate::body::EndingBody;
use crate::config::Common;
use crate::grpc::status;
use crate::telemetry::call::Call;
use crate::telemetry::rpc::{self, Side};
use crate::telemetry::trace;
use crate::tls::Tls;

const CONNECT: Duration = Duration::from_secs(2);
/// The longest a call may take, connecting included. The callee is told and stops waiting, too.
const DEADLINE: Duration = Duration::from_secs(5);
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// There is no usable address for a peer.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The configuration names no such peer.
    #[error("the configuration has no peers.{0}")]
    Unknown(String),
    /// No authority could vouch for it.
    #[error("peers.{0}: https needs tls.ca_file")]
    Unverifiable(String),
    /// The address cannot be used.
    #[error("peers.{peer} is not an address")]
    Address {
        /// The name of the peer.
        peer: String,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
}

/// A connection to another service, for a generated client. Cheap to clone; clones share the connection.
#[derive(Clone)]
pub struct Peer {
    channel: Channel,
    signer: Signer,
    duration: Histogram<f64>,
}

impl Peer {
    /// A connection to the peer of that name in `[peers]`; it is made at the first call, and again when it is lost. An
    /// `https://` address makes it one under `tls`. Calls are signed by `signer`.
    ///
    /// ```ignore
    /// let payments = PaymentsServiceClient::new(Peer::connect(&config.common.peers, "payments", &tls, signer)?);
    /// ```
    ///
    /// # Errors
    /// When the peer has no address, or one that cannot be used.
    pub fn connect(peers: &BTreeMap<String, String>, name: &str, tls: &Tls, signer: Signer) -> Result<Self, PeerError> {
        let address = peers.get(name).ok_or_else(|| PeerError::Unknown(name.to_owned()))?;
        let unusable = |source| PeerError::Address {
            peer: name.to_owned(),
            source,
        };
        let mut endpoint = Endpoint::from_shared(address.clone()).map_err(unusable)?;
        if address.starts_with("https://") {
            let tls = tls.client().ok_or_else(|| PeerError::Unverifiable(name.to_owned()))?;
            endpoint = endpoint.tls_config(tls).map_err(unusable)?;
        }
        let endpoint = endpoint
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        Ok(Self {
            channel: endpoint.connect_lazy(),
            signer,
            duration: rpc::duration_histogram(Side::Client),
        })
    }
}

/// A connection to the running service of this configuration, for its own commands; calls may take as long as they do.
///
/// # Errors
/// When the address or the certificates cannot be used.
pub fn to_oneself(service: &str, config: &Common, at: Option<&str>) -> Result<Signed, PeerError> {
    let address = at.map_or_else(|| own_address(config), str::to_owned);
    let unusable = |source| PeerError::Address {
        peer: service.to_owned(),
        source,
    };
    let mut endpoint = Endpoint::from_shared(address.clone()).map_err(unusable)?;
    if address.starts_with("https://") {
        let tls = Tls::read(&config.tls).ok().and_then(|tls| tls.client());
        let tls = tls.ok_or_else(|| PeerError::Unverifiable(service.to_owned()))?;
        endpoint = endpoint.tls_config(tls).map_err(unusable)?;
    }
    let channel = endpoint.connect_timeout(CONNECT).connect_lazy();
    Ok(Signer::new(&config.access, Caller::Service(service.to_owned())).on(channel))
}

/// Where a service is called from the same place.
pub(crate) fn own_address(config: &Common) -> String {
    let scheme = if config.tls.certificate_file.is_empty() {
        "http"
    } else {
        "https"
    };
    let mut address = config.server.listen;
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    format!("{scheme}://{address}")
}

impl Service<Request<Body>> for Peer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // Waiting for the connection is part of the call, under its deadline.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let method = request.uri().path().trim_start_matches('/').to_owned();
        let call = Call::begin(Side::Client, &method, &self.duration);
        trace::inject(call.span(), request.headers_mut());
        match self.signer.authorization() {
            Ok(value) => drop(request.headers_mut().insert(http::header::AUTHORIZATION, value)),
            Err(error) => {
                let refused = status::internal(&error).into_http();
                return Box::pin(async move { Ok(call.watch(refused)) });
            }
        }
        let millis = DEADLINE.as_millis();
        if let Ok(value) = HeaderValue::try_from(format!("{millis}m")) {
            request.headers_mut().entry("grpc-timeout").or_insert(value);
        }
        let deadline = Instant::now() + DEADLINE;
        let channel = self.channel.clone();
        let answer = timeout_at(deadline, channel.oneshot(request)).instrument(call.span().clone());
        Box::pin(async move {
            let response = match answer.await {
                Ok(Ok(response)) => response,
                // The channel reads the deadline from the header as well, and would call it CANCELLED.
                Ok(Err(_)) if Instant::now() >= deadline => too_late().into_http(),
                Ok(Err(error)) => unanswered(error).into_http(),
                Err(_) => too_late().into_http(),
            };
            let too_late = async move {
                sleep_until(deadline).await;
                too_late()
            };
            Ok(call.watch(response.map(|inner| Body::new(EndingBody::new(inner, too_late)))))
        })
    }
}

/// There was no answer, so that another try may bring one; tonic calls it "unknown" when the parties did not agree on TLS.
fn unanswered(error: tonic::transport::Error) -> Status {
    tracing::warn!(error = vouch_storage::describe(&error), "a peer cannot be called");
    let status = Status::from_error(Box::new(error));
    match status.code() {
        Code::Unknown => Status::unavailable(status.message()),
        _ => status,
    }
}

fn too_late() -> Status {
    status::deadline_exceeded("the peer did not answer in time")
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").finish_non_exhaustive()
    }
}
