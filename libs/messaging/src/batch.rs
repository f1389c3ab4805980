//! One batch, made ready for the database: sorted, repeats folded together, decoded; what can never be applied is set
//! apart.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use tracing::Span;
use vouch_primitives::EventId;

use crate::{
    Delivery, Envelope, Receipt, Router, Subscription,
    bus::Malformed,
    dead_letter::{NewDeadLetter, Reason},
    inbox::{ContentHash, content_hash},
    router::{Decoded, Group, Routed},
    trace,
};

/// A batch from one subscription.
pub struct Batch<S, E> {
    /// To be applied: distinct ids, ascending.
    pub events: Vec<Candidate>,
    /// The same events, decoded, by type and in the router's order.
    pub groups: Vec<Box<dyn Group<S, E>>>,
    /// Never to be applied.
    pub parked: Vec<Parked>,
    /// The span of the whole batch.
    pub span: Span,
}

/// A message that is set aside.
pub struct Parked {
    pub letter: NewDeadLetter,
    pub receipts: Vec<Receipt>,
    /// How often it was delivered.
    pub attempt: u32,
}

/// An event that can be applied.
pub struct Candidate {
    pub event: Envelope,
    pub hash: ContentHash,
    /// All deliveries of this event in the batch: they are settled together.
    pub receipts: Vec<Receipt>,
    /// How often it was delivered, the most of these.
    pub attempt: u32,
    pub sequence: u64,
    pub span: Span,
}

impl<S: Send + Sync + 'static, E: Send + 'static> Batch<S, E> {
    /// Sorts deliveries from one subscription. The second part are events whose id another event of the batch has, with
    /// another content: whose id it is, the inbox can tell once this batch is settled.
    pub fn prepare(router: &Router<S, E>, from: &Subscription, deliveries: Vec<Delivery>) -> (Self, Vec<Delivery>) {
        let span = trace::batch_span(from, &deliveries);
        let alone = deliveries.len() == 1;
        let mut events: Vec<Candidate> = Vec::with_capacity(deliveries.len());
        let (mut parked, mut rivals) = (Vec::new(), Vec::new());
        let mut position_of: HashMap<EventId, usize> = HashMap::with_capacity(deliveries.len());
        for delivery in deliveries {
            let event = match &delivery.event {
                Ok(event) if router.route_of(&event.event_type).is_some() => event,
                _ => {
                    parked.push(Parked {
                        letter: unusable(from, &delivery),
                        receipts: vec![delivery.receipt],
                        attempt: delivery.attempt,
                    });
                    continue;
                }
            };
            let hash = content_hash(event);
            match position_of.get(&event.id).map(|at| &mut events[*at]) {
                None => {
                    position_of.insert(event.id, events.len());
                    events.push(Candidate {
                        span: trace::message_span(event, delivery.attempt, &from.durable, &span, alone),
                        event: event.clone(),
                        hash,
                        receipts: vec![delivery.receipt],
                        attempt: delivery.attempt,
                        sequence: delivery.sequence,
                    });
                }
                Some(same) if same.hash == hash => {
                    same.receipts.push(delivery.receipt);
                    same.attempt = same.attempt.max(delivery.attempt);
                }
                Some(_) => rivals.push(delivery),
            }
        }
        events.sort_unstable_by_key(|candidate| candidate.event.id);
        let groups = decode(router, from, &mut events, &mut parked);
        (
            Self {
                events,
                groups,
                parked,
                span,
            },
            rivals,
        )
    }
}

impl Candidate {
    /// This event, to be set aside with all its deliveries.
    pub fn parked(&self, from: &Subscription, reason: Reason, error: String) -> Parked {
        Parked {
            letter: self.letter(from, reason, error),
            receipts: self.receipts.clone(),
            attempt: self.attempt,
        }
    }

    /// This event as a dead letter.
    pub fn letter(&self, from: &Subscription, reason: Reason, error: String) -> NewDeadLetter {
        letter(&self.event, self.hash, from, self.sequence, reason, error)
    }
}

/// Decodes `events` by type; those that cannot be decoded move to `parked`.
fn decode<S: Send + Sync + 'static, E: Send + 'static>(
    router: &Router<S, E>,
    from: &Subscription,
    events: &mut Vec<Candidate>,
    parked: &mut Vec<Parked>,
) -> Vec<Box<dyn Group<S, E>>> {
    let mut by_route: Vec<Vec<usize>> = router.routes().iter().map(|_| Vec::new()).collect();
    for (position, candidate) in events.iter().enumerate() {
        if let Some(route) = router.route_of(&candidate.event.event_type) {
            by_route[route].push(position);
        }
    }
    let mut groups = Vec::new();
    let mut bad: HashMap<EventId, String> = HashMap::new();
    for (route, positions) in router
        .routes()
        .iter()
        .zip(by_route)
        .filter(|(_, positions)| !positions.is_empty())
    {
        let routed: Vec<Routed<'_>> = positions
            .iter()
            .map(|position| {
                let Candidate { event, span, .. } = &events[*position];
                (
                    event,
                    vouch_storage::trace::of(span).or_else(|| event.traceparent.clone()),
                )
            })
            .collect();
        let Decoded { group, undecodable } = route.decode(routed);
        groups.push(group);
        bad.extend(
            undecodable
                .into_iter()
                .map(|(at, error)| (events[positions[at]].event.id, error.to_string())),
        );
    }
    if !bad.is_empty() {
        for candidate in events.extract_if(.., |candidate| bad.contains_key(&candidate.event.id)) {
            let error = bad.get(&candidate.event.id).cloned().unwrap_or_default();
            parked.push(candidate.parked(from, Reason::Undecodable, error));
        }
    }
    groups
}

fn letter(
    event: &Envelope,
    content_hash: ContentHash,
    from: &Subscription,
    sequence: u64,
    reason: Reason,
    error: String,
) -> NewDeadLetter {
    NewDeadLetter {
        message_id: event.id.to_string(),
        content_hash,
        stream: from.stream.clone(),
        sequence,
        event_type: event.event_type.clone(),
        headers: event
            .headers()
            .into_iter()
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect(),
        payload: event.payload.to_vec(),
        reason,
        error,
    }
}

/// The dead letter of what is no event, or none that this service has a handler for.
fn unusable(from: &Subscription, delivery: &Delivery) -> NewDeadLetter {
    match &delivery.event {
        Ok(event) => {
            let error = "no handler for this type".to_owned();
            letter(
                event,
                content_hash(event),
                from,
                delivery.sequence,
                Reason::UnknownType,
                error,
            )
        }
        Err(Malformed {
            reason,
            headers,
            payload,
        }) => NewDeadLetter {
            message_id: format!("{}:{}", from.stream, delivery.sequence),
            // Without an id the whole message is what tells it from others, also from the one that has its place in a
            // stream that was made anew.
            content_hash: Sha256::new()
                .chain_update(headers)
                .chain_update([0])
                .chain_update(payload)
                .finalize()
                .into(),
            stream: from.stream.clone(),
            sequence: delivery.sequence,
            event_type: String::new(),
            headers: headers.clone(),
            payload: payload.to_vec(),
            reason: Reason::Malformed,
            error: reason.clone(),
        },
    }
}
