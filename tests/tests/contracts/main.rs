//! What holds for every method of every service, found by reflection so that none is forgotten.

mod access;
mod catalogue;
mod fuzz;
mod refusals;
mod things;

use std::{path::Path, sync::Arc, time::Duration};

use tonic::transport::{Channel, Endpoint};
use vouch_messaging::{Bus, MemoryBus};
use vouch_primitives::Timestamp;
use vouch_runtime::access::{Caller, issue};
use vouch_suite::{World, cluster::access as access_in};
use vouch_testkit::Engine;

/// The four services, at a moment of their own.
async fn world() -> World {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::faultless());
    World::start(Engine::Sqlite, &bus, moment()).await.expect("a world")
}

/// When everything happens.
fn moment() -> Timestamp {
    "2026-03-02T09:00:00Z".parse().expect("a moment")
}

fn channel(address: &str) -> Channel {
    Endpoint::from_shared(address.to_owned())
        .expect("an address")
        .timeout(Duration::from_secs(30))
        .connect_lazy()
}

/// A token for this subject, signed with the keys of the world.
fn token(keys: &Path, subject: &str) -> String {
    let caller: Caller = subject.parse().expect("a subject");
    issue(&access_in(keys), &caller, Duration::from_secs(3600)).expect("a token")
}
