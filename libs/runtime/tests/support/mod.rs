//! A gRPC service whose handler a test writes itself, and what is needed to serve and to call it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use vouch_messaging::{Bus, BusError, Delivery, Envelope, Lag, Receipt, Subscription};
use vouch_proto::operations::v1::operations_service_client::OperationsServiceClient;
use vouch_proto::payments::v1::earning_service_client::EarningServiceClient;
use vouch_proto::payments::v1::earning_service_server::{EarningService, EarningServiceServer};
use vouch_proto::payments::v1::{
    Earning, GetEarningRequest, GetEarningResponse, ListEarningsRequest, ListEarningsResponse, RefundEarningRequest,
    RefundEarningResponse,
};
use vouch_runtime::access::{Gate, Signer};
use vouch_runtime::config::{AccessConfig, Common, Layers};
use vouch_runtime::server::{Server, ServerError, Stopped};

pub const PATIENCE: Duration = Duration::from_secs(10);

/// The keys of all tests here, made by the first of them.
pub const KEYS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/keys");

/// A server of this configuration, with nothing to serve yet.
pub fn server(config: &Common) -> Server {
    Server::new(&config.server, Gate::open(&config.access, "test").expect("keys"))
}

/// The defaults, with what a test sets otherwise: TOML.
pub fn config(overrides: &str) -> Common {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut file, overrides.as_bytes()).expect("written");
    let keys = ("VOUCH_TEST__ACCESS__KEYS".to_owned(), KEYS.to_owned());
    let layers = Layers::new("test", include_str!("../config.default.toml"))
        .file(Some(file.path()))
        .env([keys]);
    layers.load(Common::validate).expect("a good configuration").config
}

/// Access with keys in this directory, which are made when they are missing.
pub fn access_in(directory: &Path) -> AccessConfig {
    AccessConfig {
        keys: directory.display().to_string(),
        make_keys: true,
        audience: "vouch".to_owned(),
    }
}

/// A client of the scripted service that calls as an operator.
pub type Caller = EarningServiceClient<InterceptedService<Channel, Signer>>;

/// Calls the scripted service as an operator.
pub fn caller(channel: Channel) -> Caller {
    EarningServiceClient::with_interceptor(channel, signer("operator:test"))
}

/// A client of the operations service that calls as an operator.
pub type Operator = OperationsServiceClient<InterceptedService<Channel, Signer>>;

/// Calls the operations service as an operator.
pub fn operator(channel: Channel) -> Operator {
    OperationsServiceClient::with_interceptor(channel, signer("operator:test"))
}

/// Signs as somebody, with the keys of all tests.
pub fn signer(subject: &str) -> Signer {
    Signer::new(&access_in(Path::new(KEYS)), subject.parse().expect("a subject"))
}

type Handler = dyn Fn(Request<GetEarningRequest>) -> BoxFuture<'static, Result<(), Status>> + Send + Sync;

/// Answers `GetEarning` with what the test's handler does; the other methods say "permission denied".
#[derive(Clone)]
pub struct Scripted(Arc<Handler>);

impl Scripted {
    pub fn server<F, Fut>(handler: F) -> EarningServiceServer<Self>
    where
        F: Fn(Request<GetEarningRequest>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), Status>> + Send + 'static,
    {
        EarningServiceServer::new(Self(Arc::new(move |request| Box::pin(handler(request)))))
    }
}

/// What it answers.
pub fn scripted() -> GetEarningResponse {
    let earning = Earning {
        id: "42".to_owned(),
        ..Default::default()
    };
    GetEarningResponse { earning: Some(earning) }
}

#[tonic::async_trait]
impl EarningService for Scripted {
    async fn get_earning(&self, request: Request<GetEarningRequest>) -> Result<Response<GetEarningResponse>, Status> {
        (self.0)(request).await?;
        Ok(Response::new(scripted()))
    }

    async fn refund_earning(
        &self,
        _request: Request<RefundEarningRequest>,
    ) -> Result<Response<RefundEarningResponse>, Status> {
        Err(Status::permission_denied("no"))
    }

    async fn list_earnings(
        &self,
        _request: Request<ListEarningsRequest>,
    ) -> Result<Response<ListEarningsResponse>, Status> {
        Err(Status::permission_denied("no"))
    }
}

/// A server that runs.
pub struct Served {
    pub address: SocketAddr,
    pub drain: CancellationToken,
    pub task: JoinHandle<Result<Stopped, ServerError>>,
}

impl Served {
    pub async fn start(server: Server) -> Self {
        Self::start_with_patience(server, PATIENCE).await
    }

    pub async fn start_with_patience(server: Server, patience: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let drain = CancellationToken::new();
        let task = tokio::spawn(server.serve(listener, drain.clone(), patience));
        Self { address, drain, task }
    }

    pub async fn channel(&self) -> Channel {
        channel(self.address).await
    }

    pub async fn client(&self) -> Caller {
        caller(self.channel().await)
    }

    /// Drains, and tells how the server ended.
    pub async fn stop(self) -> Stopped {
        self.drain.cancel();
        self.task.await.expect("no panic").expect("no error")
    }
}

pub async fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}"))
        .expect("an address")
        .connect()
        .await
        .expect("connected")
}

/// A bus that carries nothing, and is connected or not.
#[derive(Default)]
pub struct Switch(pub AtomicBool);

#[async_trait]
impl Bus for Switch {
    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>> {
        events.iter().map(|_| Err(BusError::Disconnected)).collect()
    }

    async fn pull(&self, _: &Subscription, _: usize, _: Duration) -> Result<Vec<Delivery>, BusError> {
        Err(BusError::Disconnected)
    }

    async fn ack(&self, _: &Subscription, _: &[Receipt]) -> Result<(), BusError> {
        Err(BusError::Disconnected)
    }

    async fn nak(&self, _: &Subscription, _: &[Receipt], _: Duration) -> Result<(), BusError> {
        Err(BusError::Disconnected)
    }

    async fn lag(&self, _: &Subscription) -> Result<Lag, BusError> {
        Err(BusError::Disconnected)
    }

    fn is_connected(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    async fn flush(&self) -> Result<(), BusError> {
        Ok(())
    }
}
