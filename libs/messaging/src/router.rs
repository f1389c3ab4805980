//! Which handler takes which fact.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use futures::future::BoxFuture;
use prost::{DecodeError, Message, Name};
use vouch_primitives::EventId;
use vouch_storage::Txn;

use crate::{
    Envelope, Fact, Subscription,
    envelope::{producer_of, stream_of},
};

/// What a handler's error means for the events that it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Something around it failed: the events come again later.
    Retry,
    /// An event itself is bad, for this reason: it is set aside.
    Reject(String),
}

/// The table of a service's handlers, by event type. `S` is what handlers work with, usually the service's
/// application; `E` their error.
///
/// A handler gets all facts of its type in a batch as one slice, in ascending order of id but otherwise in no order that
/// means anything. It works in the batch's transaction and never commits. When it fails, the batch is rolled back and
/// applied again in smaller pieces: it must have no effect outside the transaction.
///
/// ```ignore
/// Router::<App, Error>::new("referral")
///     .on::<EarningSettled>(|app, txn, facts| Box::pin(app.on_earnings_settled(txn, facts)))
///     .on::<EarningReversed>(|app, txn, facts| Box::pin(app.on_earnings_reversed(txn, facts)))
/// ```
pub struct Router<S, E> {
    service: String,
    routes: Vec<Box<dyn Route<S, E>>>,
    by_type: HashMap<String, usize>,
}

/// The facts of one type in a batch, decoded, with their handler.
pub(crate) trait Group<S, E>: Send + Sync {
    /// Calls the handler with those facts whose id is in `wanted`; not at all if there are none.
    fn apply<'a>(&'a self, state: &'a S, txn: &'a Txn, wanted: &'a HashSet<EventId>) -> BoxFuture<'a, Result<(), E>>;
}

/// Events that share a route, each with the trace context of its processing.
pub(crate) type Routed<'a> = (&'a Envelope, Option<String>);

/// One row of the table.
pub(crate) trait Route<S, E>: Send + Sync {
    /// Decodes the events of this route.
    fn decode(&self, events: Vec<Routed<'_>>) -> Decoded<S, E>;
}

/// The facts of one route, and which events are none: position and error.
pub(crate) struct Decoded<S, E> {
    pub group: Box<dyn Group<S, E>>,
    pub undecodable: Vec<(usize, DecodeError)>,
}

impl<S: Send + Sync + 'static, E: Send + 'static> Router<S, E> {
    /// An empty table for `service`, e.g. `referral`: the name of its durable consumers.
    #[must_use]
    pub fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            routes: Vec::new(),
            by_type: HashMap::new(),
        }
    }

    /// Sends facts of type `M` to `handler`. Where a batch holds several types, handlers are called in the order in
    /// which they were added here.
    ///
    /// # Panics
    /// If `M` has a handler already.
    #[must_use]
    pub fn on<M>(
        mut self,
        handler: impl for<'a> Fn(&'a S, &'a Txn, &'a [Fact<M>]) -> BoxFuture<'a, Result<(), E>> + Send + Sync + 'static,
    ) -> Self
    where
        M: Message + Name + Clone + Default + 'static,
    {
        let taken = self.by_type.insert(M::full_name(), self.routes.len());
        assert!(taken.is_none(), "{} has two handlers", M::full_name());
        self.routes.push(Box::new(TypedRoute::<M, S, E> {
            handler: Arc::new(handler),
        }));
        self
    }

    /// What the service has to subscribe to: one durable consumer for each producer of a type in the table.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<Subscription> {
        let mut by_producer: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for event_type in self.by_type.keys() {
            by_producer
                .entry(producer_of(event_type))
                .or_default()
                .push(event_type.clone());
        }
        by_producer
            .into_iter()
            .map(|(producer, mut subjects)| {
                subjects.sort_unstable();
                Subscription {
                    producer: producer.to_owned(),
                    stream: stream_of(producer),
                    durable: self.service.clone(),
                    subjects,
                }
            })
            .collect()
    }

    /// The name of the service.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    pub(crate) fn route_of(&self, event_type: &str) -> Option<usize> {
        self.by_type.get(event_type).copied()
    }

    pub(crate) fn routes(&self) -> &[Box<dyn Route<S, E>>] {
        &self.routes
    }
}

type Handler<M, S, E> = dyn for<'a> Fn(&'a S, &'a Txn, &'a [Fact<M>]) -> BoxFuture<'a, Result<(), E>> + Send + Sync;

struct TypedRoute<M, S, E> {
    handler: Arc<Handler<M, S, E>>,
}

struct TypedGroup<M, S, E> {
    facts: Vec<Fact<M>>,
    handler: Arc<Handler<M, S, E>>,
}

impl<M, S, E> Route<S, E> for TypedRoute<M, S, E>
where
    M: Message + Clone + Default + 'static,
    S: Send + Sync + 'static,
    E: Send + 'static,
{
    fn decode(&self, events: Vec<Routed<'_>>) -> Decoded<S, E> {
        let mut facts = Vec::with_capacity(events.len());
        let mut undecodable = Vec::new();
        for (position, (event, traceparent)) in events.into_iter().enumerate() {
            match M::decode(event.payload.clone()) {
                Ok(body) => facts.push(Fact {
                    id: event.id,
                    time: event.time,
                    body,
                    traceparent,
                }),
                Err(error) => undecodable.push((position, error)),
            }
        }
        let group = Box::new(TypedGroup {
            facts,
            handler: Arc::clone(&self.handler),
        });
        Decoded { group, undecodable }
    }
}

impl<M, S, E> Group<S, E> for TypedGroup<M, S, E>
where
    M: Message + Clone + 'static,
    S: Send + Sync + 'static,
    E: Send + 'static,
{
    fn apply<'a>(&'a self, state: &'a S, txn: &'a Txn, wanted: &'a HashSet<EventId>) -> BoxFuture<'a, Result<(), E>> {
        Box::pin(async move {
            if self.facts.iter().all(|fact| wanted.contains(&fact.id)) {
                // The usual case: nothing was repeated, and nothing has to be copied.
                return if self.facts.is_empty() {
                    Ok(())
                } else {
                    (self.handler)(state, txn, &self.facts).await
                };
            }
            let some: Vec<Fact<M>> = self
                .facts
                .iter()
                .filter(|fact| wanted.contains(&fact.id))
                .cloned()
                .collect();
            if some.is_empty() {
                Ok(())
            } else {
                (self.handler)(state, txn, &some).await
            }
        })
    }
}
