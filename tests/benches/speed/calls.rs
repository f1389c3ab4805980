//! Unary calls that write: one transaction each, over real gRPC; and such transactions without the calls, with a commit for
//! each and with commits that they share.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{task::JoinSet, time::Instant};
use vouch_messaging::{Bus, MemoryBus, NewEvent, outbox};
use vouch_primitives::{Clock, RequestId, SystemClock, Uuid};
use vouch_proto::invitation::v1::{CreateClientRequest, HiringManager, InvitationSent, Plan};
use vouch_storage::{StorageError, Txn};
use vouch_suite::{Clients, Error, World, cluster::access};
use vouch_testkit::{Engine, TestDatabase};

use crate::{report::micros, stage::open};

/// How long `callers`, each of whom sends the next call when it has the answer to the last, need for `count` calls.
pub async fn writes(engine: Engine, callers: usize, count: usize) -> Result<u64, Error> {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::faultless());
    let world = Box::pin(World::start(engine, &bus, SystemClock.now())).await?;
    let clients = Clients::connect(world.addresses(), &access(world.keys()))?;
    create(&clients).await?;
    let left = Arc::new(AtomicUsize::new(count));
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..callers {
        let (clients, left) = (clients.clone(), Arc::clone(&left));
        tasks.spawn(async move {
            let another = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, another).is_ok() {
                create(&clients).await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome??;
    }
    let took = micros(begin.elapsed());
    world.stop().await?;
    Ok(took)
}

/// How long `tasks` need for `count` transactions of two rows each, which share their commits or do not.
pub async fn commits(engine: Engine, shared: bool, tasks: usize, count: usize) -> Result<u64, Error> {
    let database = TestDatabase::new(engine).await;
    let db = open(&database, None).await?;
    vouch_storage::migrate::<vouch_invitation::Migrator>(&db).await?;
    let begin = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let (db, rounds) = (db.clone(), count / tasks);
        running.spawn(async move {
            for _ in 0..rounds {
                let event = &[NewEvent::new(Uuid::nil(), &InvitationSent::default())];
                let work = |txn: Arc<Txn>| async move { outbox::append(&txn, SystemClock.now(), event).await };
                if shared {
                    db.write_together(work).await?;
                } else {
                    db.write_tx(work).await?;
                }
            }
            Ok::<_, StorageError>(())
        });
    }
    while let Some(outcome) = running.join_next().await {
        outcome??;
    }
    Ok(micros(begin.elapsed()))
}

async fn create(clients: &Clients) -> Result<(), Error> {
    let manager = HiringManager {
        id: String::new(),
        display_name: "Max Lindqvist".to_owned(),
        email: "max@client.example".to_owned(),
    };
    let request = CreateClientRequest {
        request_id: RequestId::new().to_string(),
        company_name: "Northwind".to_owned(),
        plan: Plan::BusinessPlus.into(),
        hiring_managers: vec![manager],
    };
    clients.clients.clone().create_client(request).await?;
    Ok(())
}
