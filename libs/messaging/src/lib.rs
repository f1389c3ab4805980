//! Facts between services: recorded atomically with the change that they tell of, delivered at least once, applied
//! exactly once.
//!
//! ```text
//! outbox::append ─ commit ─► Relay ─► Bus (JetStream | memory) ─► Consumer ─► inbox + handlers, one transaction
//!      in the business transaction     by row state, acked                     per batch; ack after the commit
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`envelope`] | [`NewEvent`] before, [`Envelope`] on the way, [`Fact`] in a handler's hands |
//! | [`outbox`] | the archive of facts and the table of those that wait for the bus |
//! | [`relay`] | [`Relay`]: from the outbox to the bus |
//! | [`bus`] | [`Bus`], the only trait: [`jetstream`] or [`memory`] |
//! | [`router`] | [`Router`]: which handler takes which fact, and hence what a service subscribes to |
//! | [`consumer`] | [`Consumer`]: from the bus to the handlers, in batches |
//! | [`dead_letter`] | what could not be applied, with the reason, and what became of it |
//! | [`reapply`] | [`Reapply`]: a dead letter gets another chance |
//! | [`reconcile`] | what a producer has told, and what a consumer has not applied of it |
//!
//! What the promise rests on: the outbox is the truth and the bus only transport; a relay selects by the state of a
//! row, never by a cursor, for ids become visible in another order than they are given out; an event's id is claimed
//! in the transaction that applies it; order is never promised, so handlers commute. The unique keys of business
//! rows stay the last fence: the inbox only saves work.

pub mod bus;
pub mod consumer;
pub mod dead_letter;
pub mod envelope;
pub mod jetstream;
pub mod memory;
mod metrics;
pub mod outbox;
pub mod reapply;
pub mod reconcile;
pub mod relay;
pub mod router;

mod batch;
mod inbox;
mod migration;
mod trace;

pub use bus::{Bus, BusError, Delivery, Lag, Receipt, Subscription};
pub use consumer::Consumer;
pub use envelope::{Envelope, Fact, NewEvent};
pub use inbox::prune as prune_inbox;
pub use jetstream::{AUDITOR, JetStream, NatsConfig, PROVISIONER, Replay};
pub use memory::MemoryBus;
pub use migration::migrations;
pub use reapply::{NotApplied, Reapply};
pub use relay::Relay;
pub use router::{Router, Verdict};
