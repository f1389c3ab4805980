//! Buses that watch, refuse and die.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::Notify;
use vouch_messaging::{Bus, BusError, Delivery, Envelope, Lag, MemoryBus, Receipt, Subscription};
use vouch_primitives::EventId;

/// What a [`WatchedBus`] does with a publish.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Publishing {
    /// Stores and answers.
    Works,
    /// Stores and never answers.
    StoresAndHangs,
}

/// A memory bus that counts, and can be told to misbehave.
pub struct WatchedBus {
    inner: Arc<MemoryBus>,
    publishing: Publishing,
    /// How many deliveries there were.
    pub delivered: AtomicU64,
    /// Notified once a publish hangs.
    pub hanging: Notify,
    /// How often each event was stored.
    pub stored: Arc<Mutex<HashMap<EventId, u32>>>,
    /// Refused while it is here.
    pub refused: Mutex<Option<EventId>>,
}

impl WatchedBus {
    pub fn new(publishing: Publishing) -> Arc<Self> {
        Self::over(MemoryBus::faultless(), publishing)
    }

    pub fn over(inner: MemoryBus, publishing: Publishing) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(inner),
            publishing,
            delivered: AtomicU64::new(0),
            hanging: Notify::new(),
            stored: Arc::default(),
            refused: Mutex::default(),
        })
    }

    /// The same streams, seen by another process to which the bus answers.
    pub fn revived(&self) -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::clone(&self.inner),
            publishing: Publishing::Works,
            delivered: AtomicU64::new(0),
            hanging: Notify::new(),
            stored: Arc::clone(&self.stored),
            refused: Mutex::default(),
        })
    }
}

#[async_trait]
impl Bus for WatchedBus {
    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>> {
        let mut answers = Vec::new();
        for event in events {
            if *self.refused.lock().unwrap() == Some(event.id) {
                let source = "refused by the test".into();
                answers.push(Err(BusError::Failed {
                    doing: "cannot publish",
                    source,
                }));
                continue;
            }
            *self.stored.lock().unwrap().entry(event.id).or_default() += 1;
            answers.extend(self.inner.publish(std::slice::from_ref(event)).await);
        }
        if self.publishing == Publishing::StoresAndHangs {
            self.hanging.notify_one();
            std::future::pending::<()>().await;
        }
        answers
    }

    async fn pull(&self, from: &Subscription, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError> {
        let deliveries = self.inner.pull(from, max, wait).await?;
        self.delivered
            .fetch_add(u64::try_from(deliveries.len()).unwrap(), Ordering::Relaxed);
        Ok(deliveries)
    }

    async fn ack(&self, from: &Subscription, receipts: &[Receipt]) -> Result<(), BusError> {
        self.inner.ack(from, receipts).await
    }

    async fn nak(&self, from: &Subscription, receipts: &[Receipt], delay: Duration) -> Result<(), BusError> {
        self.inner.nak(from, receipts, delay).await
    }

    async fn lag(&self, of: &Subscription) -> Result<Lag, BusError> {
        self.inner.lag(of).await
    }

    fn is_connected(&self) -> bool {
        true
    }

    async fn flush(&self) -> Result<(), BusError> {
        Ok(())
    }
}
