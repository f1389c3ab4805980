//! Clicks on links, many at a time: they wait in a short line, one task stores all that stand there in one transaction,
//! and each is answered when that is in. While one batch is written the next one gathers, so that nobody waits for company.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{mpsc, oneshot};
use vouch_primitives::{ReferralLinkId, RequestId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::App;
use crate::{
    domain::{TouchCounts, TouchLimits, TypedCode},
    error::Error,
    store::{self, touches::Touch},
};

/// So many clicks are stored in one transaction.
const BATCH: usize = 512;
/// So many may wait; whoever comes then is asked to come again.
const LINE: usize = 4_096;

/// Somebody clicked on a link.
#[derive(Clone, Debug)]
pub struct RecordTouch {
    /// The id of the request, and so of the click.
    pub id: RequestId,
    /// The code in the link.
    pub code: TypedCode,
    /// Which link; `None` for the one that everybody has.
    pub link: Option<ReferralLinkId>,
    /// As whom the site's cookie knows the visitor.
    pub visitor: String,
    /// What is known of the device, hashed.
    pub device: Option<[u8; 32]>,
    /// What is known of the network, hashed.
    pub network: Option<[u8; 32]>,
}

struct Waiting {
    command: RecordTouch,
    at: Timestamp,
    answer: oneshot::Sender<bool>,
}

/// Where clicks wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    counts: Arc<Mutex<TouchCounts>>,
    sender: Arc<Mutex<Option<mpsc::Sender<Waiting>>>>,
}

impl Line {
    /// An empty line. Its task begins with the first click.
    pub(super) fn new(limits: TouchLimits) -> Self {
        Self {
            counts: Arc::new(Mutex::new(TouchCounts::new(limits))),
            sender: Arc::default(),
        }
    }

    /// Counts a click, unless there were too many in this minute.
    fn take(&self, now: Timestamp, code: &str, visitor: &str) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.take(now, code, visitor)
    }
}

impl App {
    /// Stores a click, unless there is no such code or link, which nobody is told. The same again is stored once.
    ///
    /// # Errors
    /// If there were too many in this minute, too many wait, or the database fails.
    pub async fn record_touch(&self, command: RecordTouch) -> Result<(), Error> {
        let at = self.now();
        let code = match &command.code {
            TypedCode::Drawn(code) => code.as_str(),
            TypedCode::Vanity(code) => code.as_str(),
        };
        if !self.touches.take(at, code, &command.visitor) {
            return Err(Error::TouchLimit);
        }
        let (answer, told) = oneshot::channel();
        let waiting = Waiting { command, at, answer };
        self.line().try_send(waiting).map_err(|_| Error::TouchesWait)?;
        // Nobody answers where the batch could not be written, or the service ends.
        match told.await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Error::TouchesWait),
        }
    }

    fn line(&self) -> mpsc::Sender<Waiting> {
        let mut sender = self.touches.sender.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.as_ref().filter(|sender| !sender.is_closed()) {
            return sender.clone();
        }
        let (line, waiting) = mpsc::channel(LINE);
        *sender = Some(line.clone());
        // It has no sender of its own, so that it ends with the last of those who have.
        let app = Self {
            touches: Line::default(),
            ..self.clone()
        };
        tokio::spawn(store_touches(app, waiting));
        line
    }

    /// Stores clicks in one transaction: those whose code and link there are. Who has signed up meanwhile with one of these
    /// clicks behind them is attributed now; a click that came after the sign-up changes nothing.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn store_touches(&self, commands: &[(RecordTouch, Timestamp)]) -> Result<(), Error> {
        self.commands
            .db()
            .write_together(|txn| async move {
                let touches = resolve(&txn, commands).await?;
                store::touches::insert(&txn, &touches).await?;
                let clicks: Vec<_> = touches.iter().map(|touch| touch.id).collect();
                let late = store::sign_ups::unattributed(&*txn, &clicks).await?;
                if !late.is_empty() {
                    let late: Vec<_> = late.into_iter().collect();
                    let accounts = store::accounts::with_ids(&*txn, &late).await?;
                    self.attribute(&txn, &accounts).await?;
                }
                Ok(())
            })
            .await
    }
}

async fn store_touches(app: App, mut line: mpsc::Receiver<Waiting>) {
    let mut batch = Vec::with_capacity(BATCH);
    while line.recv_many(&mut batch, BATCH).await > 0 {
        let commands: Vec<_> = batch
            .iter()
            .map(|waiting| (waiting.command.clone(), waiting.at))
            .collect();
        let stored = app.store_touches(&commands).await;
        if let Err(error) = &stored {
            tracing::warn!(
                error = vouch_storage::describe(error),
                touches = batch.len(),
                "clicks were not stored"
            );
        }
        for waiting in batch.drain(..) {
            // A caller that has left needs no answer.
            let _ = waiting.answer.send(stored.is_ok());
        }
    }
}

/// The clicks of which there are the code and the link, each once.
async fn resolve(txn: &Txn, commands: &[(RecordTouch, Timestamp)]) -> Result<Vec<Touch>, StorageError> {
    let codes = commands.iter().map(|(command, _)| command.code.clone()).collect();
    let referrers = store::referrers::of_typed(txn, &codes).await?;
    let links = commands.iter().filter_map(|(command, _)| command.link).collect();
    let links = store::links::with_ids(txn, &links).await?;
    let links: HashMap<_, _> = links.into_iter().map(|link| (link.id, link.referrer)).collect();
    let mut met = BTreeSet::new();
    let touch = |(command, at): &(RecordTouch, Timestamp)| {
        let referrer = referrers.get(&command.code)?.0.id;
        // A link of somebody else's beside a code is as good as none.
        let link = command.link.filter(|link| links.get(link) == Some(&referrer));
        met.insert(command.id).then(|| Touch {
            id: command.id,
            visitor: command.visitor.clone(),
            referrer,
            link,
            device: command.device,
            network: command.network,
            clicked_at: *at,
        })
    };
    Ok(commands.iter().filter_map(touch).collect())
}
