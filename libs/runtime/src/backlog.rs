//! What a service still has to do at this moment. Read by the operations service and by the gauges.

use std::sync::Arc;

use futures::future::try_join_all;
use sea_orm_migration::sea_orm::ConnectionTrait;
use sea_orm_migration::sea_orm::sea_query::{Asterisk, Expr, Func, Query};
use vouch_messaging::{Bus, BusError, Lag, Subscription, dead_letter, outbox};
use vouch_primitives::Timestamp;
use vouch_storage::{Db, StorageError, timers};

/// Where a service's work waits.
#[derive(Clone)]
pub(crate) struct Workload {
    pub(crate) db: Db,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) sends_mail: bool,
}

/// How much of it there is.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    pub(crate) unpublished_events: u64,
    /// When the oldest of them was recorded.
    pub(crate) oldest_unpublished: Option<Timestamp>,
    /// By subscription.
    pub(crate) unapplied_events: Vec<(String, Lag)>,
    pub(crate) due_timers: u64,
    pub(crate) due_mails: u64,
    pub(crate) dead_letters: u64,
    /// The earliest moment at which a timer or a mail waits to be handled, passed or not.
    pub(crate) next_due: Option<Timestamp>,
}

/// The backlog could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BacklogError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Workload {
    /// Counts what is left at `now`. The outbox is read before the consumers, the way that work takes between
    /// services, so that an event on its way is seen at least once.
    pub(crate) async fn backlog(&self, now: Timestamp) -> Result<Backlog, BacklogError> {
        let mut backlog = self.stored(now).await?;
        backlog.unapplied_events = self.on_the_bus().await?;
        Ok(backlog)
    }

    /// What the database knows, without the bus.
    pub(crate) async fn stored(&self, now: Timestamp) -> Result<Backlog, StorageError> {
        let reader = self.db.reader();
        let next_timer = timers::next_due(reader).await?;
        let mut backlog = Backlog {
            unpublished_events: outbox::pending(reader).await?,
            oldest_unpublished: outbox::oldest_pending(reader).await?,
            due_timers: self.db.running_tasks() + timers::count_due(reader, now).await?,
            dead_letters: dead_letter::count(reader).await?,
            next_due: next_timer,
            ..Backlog::default()
        };
        if self.sends_mail {
            backlog.due_mails = vouch_mail::queued_due(reader, now).await?;
            backlog.next_due = [next_timer, vouch_mail::next_due(reader).await?]
                .into_iter()
                .flatten()
                .min();
        }
        Ok(backlog)
    }

    /// How far this service is behind, by subscription.
    pub(crate) async fn on_the_bus(&self) -> Result<Vec<(String, Lag)>, BusError> {
        let lags = self.subscriptions.iter().map(|subscription| async move {
            let lag = self.bus.lag(subscription).await?;
            Ok((subscription.stream.clone(), lag))
        });
        try_join_all(lags).await
    }

    /// Counts the events that were ever taken into the outbox.
    pub(crate) async fn events_recorded(&self) -> Result<u64, StorageError> {
        let query = Query::select()
            .expr(Func::count(Expr::col(Asterisk)))
            .from("outbox")
            .to_owned();
        let row = self.db.reader().query_one(&query).await?;
        let count: i64 = row
            .map_or(Ok(0), |row| row.try_get_by_index(0))
            .map_err(StorageError::Database)?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
