//! `WatchInvitations`: what has changed, and then each change as it comes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use vouch_primitives::ClientId;
use vouch_proto::invitation::v1 as pb;
use vouch_runtime::grpc::status;

use crate::{app::App, domain::Change};

/// How many streams there may be at a time; each asks the database twice a second.
const WATCHES: usize = 200;
/// How many of these one client may have.
const WATCHES_OF_ONE: usize = 10;
/// How many invitations are read at once.
const AT_ONCE: u64 = 100;
/// How often is looked for changes, which other replicas may make, too.
const PERIOD: Duration = Duration::from_millis(500);
/// How long a stream lasts, whether its caller reads or not.
const AT_MOST: Duration = Duration::from_secs(600);

/// The changes of a client's invitations.
pub(super) type Changes = ReceiverStream<Result<pb::WatchInvitationsResponse, Status>>;

/// How many streams each client has. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches(Arc<Mutex<HashMap<ClientId, usize>>>);

/// One of them, until it is dropped.
struct Slot {
    watches: Watches,
    client: ClientId,
}

impl Watches {
    fn count(&self) -> MutexGuard<'_, HashMap<ClientId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, client: ClientId) -> Option<Slot> {
        let mut count = self.count();
        let own = count.get(&client).copied().unwrap_or_default();
        if own >= WATCHES_OF_ONE || count.values().sum::<usize>() >= WATCHES {
            return None;
        }
        count.insert(client, own + 1);
        Some(Slot {
            watches: self.clone(),
            client,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut count = self.watches.count();
        match count.get_mut(&self.client) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                count.remove(&self.client);
            }
        }
    }
}

/// Begins to watch. It goes only as fast as the caller reads, and ends when the caller leaves.
pub(super) fn begin(app: App, watches: &Watches, client: ClientId, seen: Change) -> Result<Changes, Status> {
    let too_many = || status::unavailable("there are as many watches as the service takes on", status::OVERLOADED);
    let slot = watches.take(client).ok_or_else(too_many)?;
    let (told, changes) = mpsc::channel(1);
    tokio::spawn(async move {
        let _slot = slot;
        let _ = timeout(AT_MOST, watch(&app, client, seen, &told)).await;
    });
    Ok(ReceiverStream::new(changes))
}

async fn watch(
    app: &App,
    client: ClientId,
    mut seen: Change,
    told: &mpsc::Sender<Result<pb::WatchInvitationsResponse, Status>>,
) {
    loop {
        let changed = match app.changed_invitations(client, seen, AT_ONCE).await {
            Ok(changed) => changed,
            Err(error) => {
                let _ = told.send(Err(error.into())).await;
                return;
            }
        };
        let quiet = changed.is_empty();
        for (change, invitation) in changed {
            let answer = pb::WatchInvitationsResponse {
                invitation: Some(invitation.into()),
                resume_token: change.to_string(),
            };
            if told.send(Ok(answer)).await.is_err() {
                return;
            }
            seen = change;
        }
        if quiet {
            tokio::select! {
                () = told.closed() => return,
                () = sleep(PERIOD) => {}
            }
        }
    }
}
