//! A bus in memory that is as bad as a bus may be, for simulations: seeded duplicates, reordering and loss.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use crate::{
    Bus, BusError, Delivery, Envelope, Lag, Receipt, Subscription,
    envelope::{producer_of, stream_of},
};

/// How long an unsettled delivery stays away before it is handed out again.
const ACK_WAIT: Duration = Duration::from_millis(300);
/// The same on a bus that loses settlements: whoever plays a thousand of them would wait for nothing else.
const IMPATIENCE: Duration = Duration::from_millis(100);

/// How often a pull that is owed something looks again: what is held back is so for a number of looks.
const TICK: Duration = Duration::from_millis(2);

/// A bus for all services of one process, to be shared with an `Arc`.
///
/// It does what JetStream may do, only far more often: it stores an event twice, says "failed" although it has stored
/// it, or fails; holds events back and hands them out in any order; loses acknowledgements, so that events come again.
/// How often each of these happens follows from the seed, and with some seeds one of them does not happen at all.
/// Streams and consumers need not be made beforehand; a consumer that comes late gets everything from the start.
pub struct MemoryBus {
    inner: Mutex<Inner>,
    arrived: Notify,
}

struct Inner {
    rng: StdRng,
    faults: Faults,
    streams: HashMap<String, Vec<Envelope>>,
    consumers: HashMap<(String, String), Queue>,
}

/// How often each fault happens, in percent.
#[derive(Clone, Copy, Debug, Default)]
struct Faults {
    store_twice: u32,
    fail_after_storing: u32,
    fail_before_storing: u32,
    hold_back: u32,
    lose_settlement: u32,
}

/// What one durable consumer has not settled.
#[derive(Default)]
struct Queue {
    /// How many looks there were.
    tick: u64,
    /// How much of the stream was looked at.
    scanned: usize,
    waiting: Vec<Waiting>,
    /// By receipt, and when it was.
    handed_out: BTreeMap<u64, (Instant, Waiting)>,
    receipts: u64,
}

impl Queue {
    /// The first message of the stream that is not settled, of those that were looked at.
    fn first_owed(&self) -> Option<usize> {
        self.unsettled().map(|message| message.index).min()
    }

    /// What was looked at and is not settled.
    fn unsettled(&self) -> impl Iterator<Item = &Waiting> {
        let handed_out = self.handed_out.values().map(|(_, message)| message);
        self.waiting.iter().chain(handed_out)
    }
}

/// A message that a consumer is owed.
#[derive(Clone, Copy)]
struct Waiting {
    index: usize,
    attempt: u32,
    /// The look from which on it is handed out (again).
    due: u64,
}

impl MemoryBus {
    /// A bus whose faults follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut often = |most| {
            if rng.random_ratio(1, 4) {
                0
            } else {
                rng.random_range(1..=most)
            }
        };
        let faults = Faults {
            store_twice: often(30),
            fail_after_storing: often(20),
            fail_before_storing: often(20),
            hold_back: often(50),
            lose_settlement: often(20),
        };
        Self::with(rng, faults)
    }

    /// A bus without faults: everything arrives once and in order.
    #[must_use]
    pub fn faultless() -> Self {
        Self::with(StdRng::seed_from_u64(0), Faults::default())
    }

    fn with(rng: StdRng, faults: Faults) -> Self {
        let inner = Inner {
            rng,
            faults,
            streams: HashMap::new(),
            consumers: HashMap::new(),
        };
        Self {
            inner: Mutex::new(inner),
            arrived: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves nothing half done here.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Bus for MemoryBus {
    async fn publish(&self, events: &[Envelope]) -> Vec<Result<(), BusError>> {
        let answers = {
            let mut inner = self.lock();
            events.iter().map(|event| inner.store(event)).collect()
        };
        self.arrived.notify_waiters();
        answers
    }

    async fn pull(&self, from: &Subscription, max: usize, wait: Duration) -> Result<Vec<Delivery>, BusError> {
        let deadline = Instant::now() + wait;
        loop {
            // Registered before looking, so that nothing which arrives in between is missed.
            let arrived = self.arrived.notified();
            let (deliveries, owed) = self.lock().hand_out(from, max);
            let now = Instant::now();
            if !deliveries.is_empty() || now >= deadline {
                return Ok(deliveries);
            }
            let look_again = if owed { deadline.min(now + TICK) } else { deadline };
            let _ = timeout_at(look_again, arrived).await;
        }
    }

    async fn ack(&self, from: &Subscription, receipts: &[Receipt]) -> Result<(), BusError> {
        self.lock().settle(from, receipts, |_queue, _message| {});
        Ok(())
    }

    async fn nak(&self, from: &Subscription, receipts: &[Receipt], _delay: Duration) -> Result<(), BusError> {
        self.lock().settle(from, receipts, |queue, message| {
            let due = queue.tick + u64::from(message.attempt);
            queue.waiting.push(Waiting { due, ..message });
        });
        Ok(())
    }

    async fn lag(&self, of: &Subscription) -> Result<Lag, BusError> {
        let inner = self.lock();
        let stream = inner.streams.get(&of.stream).map_or(&[][..], Vec::as_slice);
        let queue = inner.consumers.get(&(of.stream.clone(), of.durable.clone()));
        let scanned = queue.map_or(0, |queue| queue.scanned);
        let unseen = stream[scanned..]
            .iter()
            .filter(|event| of.subjects.contains(&event.event_type))
            .count();
        let never_handed_out = |queue: &Queue| queue.waiting.iter().filter(|message| message.attempt == 0).count();
        let fresh = queue.map_or(0, never_handed_out);
        let owed = queue.map_or(0, |queue| queue.waiting.len() + queue.handed_out.len());
        let repeated = queue.map_or(0, |queue| {
            queue.unsettled().filter(|message| message.attempt > 1).count()
        });
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        Ok(Lag {
            pending: count(unseen + fresh),
            unacked: count(owed - fresh),
            redelivered: count(repeated),
            settled_to: count(queue.and_then(Queue::first_owed).unwrap_or(scanned)),
        })
    }

    fn is_connected(&self) -> bool {
        true
    }

    async fn flush(&self) -> Result<(), BusError> {
        Ok(())
    }
}

impl Inner {
    fn happens(&mut self, percent: u32) -> bool {
        percent > 0 && self.rng.random_ratio(percent, 100)
    }

    fn store(&mut self, event: &Envelope) -> Result<(), BusError> {
        let Faults {
            store_twice,
            fail_after_storing,
            fail_before_storing,
            ..
        } = self.faults;
        if self.happens(fail_before_storing) {
            return Err(BusError::TimedOut);
        }
        let copies = if self.happens(store_twice) { 2 } else { 1 };
        let stream = self
            .streams
            .entry(stream_of(producer_of(&event.event_type)))
            .or_default();
        stream.extend(std::iter::repeat_n(event.clone(), copies));
        if self.happens(fail_after_storing) {
            Err(BusError::TimedOut)
        } else {
            Ok(())
        }
    }

    /// What is ready, and whether there is anything that will be ready later.
    fn hand_out(&mut self, from: &Subscription, max: usize) -> (Vec<Delivery>, bool) {
        let Self {
            rng,
            faults,
            streams,
            consumers,
        } = self;
        let stream = streams.get(&from.stream).map_or(&[][..], Vec::as_slice);
        let queue = consumers
            .entry((from.stream.clone(), from.durable.clone()))
            .or_default();
        queue.tick += 1;
        let tick = queue.tick;
        let patience = if faults.lose_settlement > 0 {
            IMPATIENCE
        } else {
            ACK_WAIT
        };
        let unsettled = queue
            .handed_out
            .extract_if(.., |_, (since, _)| since.elapsed() >= patience);
        queue.waiting.extend(unsettled.map(|(_, (_, message))| message));
        for (index, event) in stream.iter().enumerate().skip(queue.scanned) {
            if from.subjects.contains(&event.event_type) {
                let held_back = faults.hold_back > 0 && rng.random_ratio(faults.hold_back, 100);
                let due = if held_back {
                    tick + rng.random_range(1..10)
                } else {
                    tick
                };
                queue.waiting.push(Waiting { index, attempt: 0, due });
            }
        }
        queue.scanned = stream.len();

        let (mut ready, later): (Vec<_>, Vec<_>) = queue.waiting.drain(..).partition(|message| message.due <= tick);
        if faults.hold_back > 0 {
            ready.shuffle(rng);
        }
        queue.waiting = later;
        queue.waiting.extend(ready.drain(max.min(ready.len())..));
        let owed = !queue.waiting.is_empty() || !queue.handed_out.is_empty();
        let deliver = |message: Waiting| queue.deliver(message, &stream[message.index]);
        (ready.into_iter().map(deliver).collect(), owed)
    }

    fn settle(&mut self, from: &Subscription, receipts: &[Receipt], mut then: impl FnMut(&mut Queue, Waiting)) {
        for receipt in receipts {
            if self.happens(self.faults.lose_settlement) {
                continue;
            }
            let Some(queue) = self.consumers.get_mut(&(from.stream.clone(), from.durable.clone())) else {
                return;
            };
            let handed_out = receipt
                .0
                .parse()
                .ok()
                .and_then(|number: u64| queue.handed_out.remove(&number));
            if let Some((_, message)) = handed_out {
                then(queue, message);
            }
        }
    }
}

impl Queue {
    fn deliver(&mut self, message: Waiting, event: &Envelope) -> Delivery {
        let attempt = message.attempt + 1;
        self.receipts += 1;
        let message = Waiting { attempt, ..message };
        self.handed_out.insert(self.receipts, (Instant::now(), message));
        Delivery {
            event: Ok(event.clone()),
            attempt,
            sequence: u64::try_from(message.index).map_or(u64::MAX, |index| index + 1),
            receipt: Receipt(self.receipts.to_string()),
        }
    }
}
