//! The path of an earning, from the stream to the referrer's balance.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use prost_reflect::prost::Message;
use tokio::time::{Instant, MissedTickBehavior, interval};
use vouch_messaging::{Bus, BusError, Delivery, Envelope, Lag, NewEvent, Receipt, Subscription, outbox};
use vouch_primitives::{Clock, SystemClock};
use vouch_proto::referral::v1::RewardReleased;
use vouch_storage::StorageError;
use vouch_suite::Error;
use vouch_testkit::Engine;

use crate::{
    report::micros,
    scene::{SHARE, Scene},
    stage::Stage,
    tape::Tape,
};

/// How many events are published at once.
const CHUNK: usize = 512;

/// How long the path takes for `count` earnings that are on the stream already, in microseconds. All of them must have
/// been posted, to the cent.
pub async fn throughput(
    engine: Engine,
    scene: &Scene,
    count: usize,
    batch: usize,
    tapes: Option<&[Arc<Tape>; 2]>,
) -> Result<u64, Error> {
    let stage = Stage::set(engine, scene, tapes).await?;
    on_stage(&stage, scene, count, batch).await
}

/// The same on a stage that is set already.
pub async fn on_stage(stage: &Stage, scene: &Scene, count: usize, batch: usize) -> Result<u64, Error> {
    let before = stage.posted().await?;
    for chunk in scene.earnings(count).chunks(CHUNK) {
        for answer in stage.payments_bus.publish(chunk).await {
            answer?;
        }
    }
    let begin = Instant::now();
    let running = stage.run(batch, &stage.payments_bus)?;
    stage.finished().await?;
    let took = micros(begin.elapsed());
    running.stop().await;
    let (posted, due) = (stage.posted().await? - before, i64::try_from(count)? * SHARE);
    if posted != due {
        return Err(format!("{posted} was posted and {due} is due").into());
    }
    Ok(took)
}

/// How long each of so many earnings takes, from the commit of the earning to that of the posting, when `rate` of them
/// come every second: in microseconds, in ascending order.
pub async fn latencies(engine: Engine, scene: &Scene, count: usize, rate: u64) -> Result<Vec<u64>, Error> {
    let stage = Stage::set(engine, scene, None).await?;
    let watch = Arc::new(Stopwatch::new(Arc::clone(&stage.payments_bus)));
    let bus: Arc<dyn Bus> = watch.clone();
    let running = stage.run(512, &bus)?;
    let mut tick = interval(Duration::from_millis(20));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let each = usize::try_from(rate / 50)?.max(1);
    for first in (0..count).step_by(each) {
        tick.tick().await;
        let numbers = first..count.min(first + each);
        let events: Vec<_> = numbers
            .map(|number| {
                let tie = scene.tie(number);
                (
                    tie.id.to_string(),
                    NewEvent::new(tie.payee.as_uuid(), &scene.settled(tie)),
                )
            })
            .collect();
        let (ties, events): (Vec<_>, Vec<_>) = events.into_iter().unzip();
        let events = &events;
        let write = |txn: Arc<vouch_storage::Txn>| async move { outbox::append(&txn, SystemClock.now(), events).await };
        // The relay may be quicker than this task: the clock starts at the earliest that the commit can have been.
        let before = watch.open(&ties);
        stage
            .payments
            .write_tx(write)
            .await
            .map_err(|error: StorageError| error)?;
        watch.start(before);
    }
    stage.finished().await?;
    running.stop().await;
    let mut taken = std::mem::take(&mut watch.state().taken);
    if taken.len() != count {
        return Err(format!("{} of {count} earnings were seen to be posted", taken.len()).into());
    }
    taken.sort_unstable();
    Ok(taken)
}

/// A bus that watches what its consumer acknowledges, which it does as soon as the transaction is committed. Every share
/// is the same, so that a total tells how many earnings it holds.
struct Stopwatch {
    bus: Arc<dyn Bus>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// For each tie the moments at which its earnings were committed, and how many of them were posted.
    earned: HashMap<String, (Vec<Instant>, usize)>,
    /// What each delivery says: a tie, and how many of its earnings.
    told: HashMap<Receipt, (String, usize)>,
    taken: Vec<u64>,
}

/// Earnings whose commit is under way.
struct Opened(Vec<(String, usize)>);

impl Stopwatch {
    fn new(bus: Arc<dyn Bus>) -> Self {
        let state = Mutex::default();
        Self { bus, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, ties: &[String]) -> Opened {
        let (mut state, now) = (self.state(), Instant::now());
        let open = ties.iter().map(|tie| {
            let (moments, _) = state.earned.entry(tie.clone()).or_default();
            moments.push(now);
            (tie.clone(), moments.len() - 1)
        });
        Opened(open.collect())
    }

    fn start(&self, Opened(opened): Opened) {
        let (mut state, now) = (self.state(), Instant::now());
        for (tie, at) in opened {
            if let Some((moments, posted)) = state.earned.get_mut(&tie)
                && at >= *posted
            {
                moments[at] = now;
            }
        }
    }

    fn read(&self, deliveries: &[Delivery]) {
        let mut state = self.state();
        for delivery in deliveries {
            if let Ok(event) = &delivery.event
                && let Ok(release) = RewardReleased::decode(event.payload.clone())
                && let Some(total) = release.cumulative
                && let Ok(earnings) = usize::try_from(total.minor_units / SHARE)
            {
                state.told.insert(delivery.receipt.clone(), (release.tie_id, earnings));
            }
        }
    }

    fn settled(&self, receipts: &[Receipt]) {
        let (mut state, now) = (self.state(), Instant::now());
        let State { earned, told, taken } = &mut *state;
        for (tie, earnings) in receipts.iter().filter_map(|receipt| told.remove(receipt)) {
            if let Some((moments, posted)) = earned.get_mut(&tie)
                && *posted < earnings
            {
                taken.extend(moments[*posted..earnings].iter().map(|then| micros(now - *then)));
                *posted = earnings;
            }
        }
    }
}

#[async_trait]
impl Bus for Stopwatch {
    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>> {
        self.bus.publish(events).await
    }

    async fn pull(&self, from: &Subscription, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError> {
        let deliveries = self.bus.pull(from, max, wait).await?;
        self.read(&deliveries);
        Ok(deliveries)
    }

    async fn ack(&self, from: &Subscription, receipts: &[Receipt]) -> Result<(), BusError> {
        self.settled(receipts);
        self.bus.ack(from, receipts).await
    }

    async fn nak(&self, from: &Subscription, receipts: &[Receipt], delay: Duration) -> Result<(), BusError> {
        self.bus.nak(from, receipts, delay).await
    }

    async fn lag(&self, of: &Subscription) -> Result<Lag, BusError> {
        self.bus.lag(of).await
    }

    fn is_connected(&self) -> bool {
        self.bus.is_connected()
    }

    async fn flush(&self) -> Result<(), BusError> {
        self.bus.flush().await
    }
}

/// NATS alone: how long it takes to publish `count` earnings, and then to fetch and acknowledge them.
pub async fn bus_alone(scene: &Scene, count: usize) -> Result<(u64, u64), Error> {
    let stage = Stage::set(Engine::Sqlite, scene, None).await?;
    let events = scene.earnings(count);
    let begin = Instant::now();
    for chunk in events.chunks(CHUNK) {
        for answer in stage.payments_bus.publish(chunk).await {
            answer?;
        }
    }
    let published = micros(begin.elapsed());
    let from = crate::stage::subscription(vouch_referral::events::router().subscriptions(), "vouch.payments")?;
    let (begin, mut rest) = (Instant::now(), count);
    while rest > 0 {
        let deliveries = stage.referral_bus.pull(&from, CHUNK, Duration::from_secs(1)).await?;
        rest = rest.saturating_sub(deliveries.len());
        let receipts: Vec<_> = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
        stage.referral_bus.ack(&from, &receipts).await?;
    }
    stage.referral_bus.flush().await?;
    Ok((published, micros(begin.elapsed())))
}
