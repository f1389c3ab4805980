//! What the standard health service tells: `liveness`, `readiness`, `bus`, and one entry per gRPC service.

use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

pub(super) const NAME: &str = "grpc.health.v1.Health";

/// The entry that says the process runs; it never changes.
pub const LIVENESS: &str = "liveness";
/// The entry that says calls may be sent here. The unnamed entry says the same.
pub const READINESS: &str = "readiness";
/// The entry that says the bus is connected: without it calls are answered and events wait.
pub const BUS: &str = "bus";

/// Tells clients and orchestrators whether this server wants calls. Starts as not serving.
#[derive(Clone, Debug)]
pub struct Health {
    reporter: HealthReporter,
    names: Vec<&'static str>,
}

impl Health {
    pub(super) fn new() -> Self {
        Self {
            reporter: HealthReporter::new(),
            names: vec!["", READINESS],
        }
    }

    pub(super) fn add(&mut self, name: &'static str) {
        self.names.push(name);
    }

    pub(super) fn service(&self) -> HealthServer<HealthService> {
        HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()))
    }

    /// Turns `readiness` and all services' entries on or off together.
    pub async fn set_ready(&self, ready: bool) {
        self.reporter.set_service_status(LIVENESS, ServingStatus::Serving).await;
        let status = if ready {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        for name in &self.names {
            self.reporter.set_service_status(name, status).await;
        }
    }

    /// Turns the `bus` entry on or off.
    pub async fn set_bus(&self, connected: bool) {
        let status = if connected {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        self.reporter.set_service_status(BUS, status).await;
    }
}
