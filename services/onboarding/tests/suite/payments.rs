//! The payments service, as far as it is called: it keeps tax forms, or is away.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, transport::server::TcpIncoming};
use vouch_proto::payments::v1::{
    self as pb,
    tax_service_server::{TaxService, TaxServiceServer},
};

/// What has arrived.
#[derive(Default)]
struct Desk {
    away: bool,
    /// It takes a form and dies before it answers.
    mute: bool,
    taken: Vec<pb::RecordTaxFormRequest>,
}

/// A running service.
pub struct Payments {
    desk: Arc<Mutex<Desk>>,
    address: SocketAddr,
    stop: CancellationToken,
}

struct Service(Arc<Mutex<Desk>>);

impl Payments {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let desk = Arc::new(Mutex::new(Desk::default()));
        let service = TaxServiceServer::new(Service(desk.clone()));
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        tokio::spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            let served = server.serve_with_incoming_shutdown(TcpIncoming::from(listener), stopped.cancelled());
            served.await.expect("a working port");
        });
        Self { desk, address, stop }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn away(&self, away: bool) {
        self.desk.lock().expect("nobody panicked").away = away;
    }

    pub fn mute(&self, mute: bool) {
        self.desk.lock().expect("nobody panicked").mute = mute;
    }

    /// All requests that arrived, in their order.
    pub fn taken(&self) -> Vec<pb::RecordTaxFormRequest> {
        self.desk.lock().expect("nobody panicked").taken.clone()
    }
}

impl Drop for Payments {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tonic::async_trait]
impl TaxService for Service {
    async fn record_tax_form(
        &self,
        request: Request<pb::RecordTaxFormRequest>,
    ) -> Result<Response<pb::RecordTaxFormResponse>, Status> {
        let mut desk = self.0.lock().expect("nobody panicked");
        if desk.away {
            return Err(Status::unavailable("away"));
        }
        desk.taken.push(request.into_inner());
        if desk.mute {
            return Err(Status::unavailable("the answer is lost"));
        }
        Ok(Response::new(pb::RecordTaxFormResponse {}))
    }

    async fn get_tax_status(
        &self,
        _request: Request<pb::GetTaxStatusRequest>,
    ) -> Result<Response<pb::GetTaxStatusResponse>, Status> {
        Err(Status::unimplemented("nobody here asks"))
    }
}
