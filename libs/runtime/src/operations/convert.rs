//! The boundary between the wire and the values of the operations service.

use std::fmt::{self, Display};
use std::str::FromStr;
use std::time::Duration;

use vouch_messaging::dead_letter::{ClosedLetter, DeadLetter, Filter, Outcome, Reason};
use vouch_messaging::reconcile::{ContentHash, Published, Standing};
use vouch_primitives::{EventId, Timestamp, Uuid};
use vouch_proto::convert::to_wire_time;
use vouch_proto::operations::v1 as pb;
use vouch_proto::{Fields, Page, Violations};
use vouch_storage::timers::SetTimer;

/// Events that are younger may be on their way; longer than the bus takes a repeat for a duplicate.
pub(super) const ON_ITS_WAY: Duration = Duration::from_secs(300);
/// The most events in one request.
const EVENTS: usize = 100;
/// The most types in one request.
const TYPES: usize = 50;
/// The longest name of a stream, a type or a kind.
const NAME: usize = 200;

pub(super) struct TimerQuery {
    pub(super) kind: Option<String>,
    pub(super) page: Page<TimerPlace>,
}

/// Where a timer stands in the list of timers.
pub(super) struct TimerPlace {
    pub(super) next_try: Timestamp,
    pub(super) key: Uuid,
    pub(super) kind: String,
}

/// Where something with a time stands in a list.
#[derive(Clone, Copy)]
pub(super) struct Place<I> {
    pub(super) time: Timestamp,
    pub(super) id: I,
}

pub(super) struct LetterId(pub(super) i64);

pub(super) struct LetterQuery {
    pub(super) filter: Filter,
    pub(super) page: Page<i64>,
}

pub(super) struct Discard {
    pub(super) id: i64,
    pub(super) reason: String,
}

pub(super) struct ClosedQuery(pub(super) Page<Place<i64>>);

pub(super) struct PublishedQuery {
    pub(super) from: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) types: Vec<String>,
    pub(super) page: Page<Place<EventId>>,
}

/// Id, type and content of each.
pub(super) struct Events(pub(super) Vec<(EventId, String, ContentHash)>);

/// In ascending order, so that two calls that meet on the same ids wait for one another instead of deadlocking.
pub(super) struct EventIds(pub(super) Vec<EventId>);

pub(super) struct Range {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl TimerPlace {
    pub(super) fn of(timer: &SetTimer) -> Self {
        Self {
            next_try: timer.next_try,
            key: timer.key,
            kind: timer.kind.clone(),
        }
    }
}

impl Display for TimerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.next_try.as_micros(), self.key, self.kind)
    }
}

/// A page token is none.
pub(super) struct BadToken;

impl FromStr for TimerPlace {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let mut parts = text.splitn(3, '/');
        let mut part = || parts.next().ok_or(BadToken);
        Ok(Self {
            next_try: Timestamp::from_micros(part()?.parse().map_err(|_| BadToken)?),
            key: part()?.parse().map_err(|_| BadToken)?,
            kind: Some(part()?)
                .filter(|kind| !kind.contains('\0'))
                .ok_or(BadToken)?
                .to_owned(),
        })
    }
}

impl<I: Display> Display for Place<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.time.as_micros(), self.id)
    }
}

impl<I: FromStr> FromStr for Place<I> {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let (time, id) = text.split_once('/').ok_or(BadToken)?;
        Ok(Self {
            time: Timestamp::from_micros(time.parse().map_err(|_| BadToken)?),
            id: id.parse().map_err(|_| BadToken)?,
        })
    }
}

impl TryFrom<pb::ListTimersRequest> for TimerQuery {
    type Error = Violations;

    fn try_from(request: pb::ListTimersRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let kind = name(&mut fields, "kind", &request.kind);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(kind), Some(page)) = (kind, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { kind, page })
    }
}

impl TryFrom<pb::GetDeadLetterRequest> for LetterId {
    type Error = Violations;

    fn try_from(request: pb::GetDeadLetterRequest) -> Result<Self, Violations> {
        letter_id(request.id)
    }
}

impl TryFrom<pb::RetryDeadLetterRequest> for LetterId {
    type Error = Violations;

    fn try_from(request: pb::RetryDeadLetterRequest) -> Result<Self, Violations> {
        letter_id(request.id)
    }
}

impl TryFrom<pb::ListDeadLettersRequest> for LetterQuery {
    type Error = Violations;

    fn try_from(request: pb::ListDeadLettersRequest) -> Result<Self, Violations> {
        letter_query(request.filter, request.page_size, &request.page_token)
    }
}

impl TryFrom<pb::RetryDeadLettersRequest> for LetterQuery {
    type Error = Violations;

    fn try_from(request: pb::RetryDeadLettersRequest) -> Result<Self, Violations> {
        letter_query(request.filter, request.page_size, &request.page_token)
    }
}

impl TryFrom<pb::DiscardDeadLetterRequest> for Discard {
    type Error = Violations;

    fn try_from(request: pb::DiscardDeadLetterRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = number_of_letter(&mut fields, request.id);
        let reason = fields.text("reason", &request.reason, 1..=500);
        let (Some(id), Some(reason)) = (id, reason) else {
            return Err(fields.into());
        };
        fields.finish(Self { id, reason })
    }
}

impl TryFrom<pb::ListClosedDeadLettersRequest> for ClosedQuery {
    type Error = Violations;

    fn try_from(request: pb::ListClosedDeadLettersRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        match fields.page(request.page_size, &request.page_token) {
            Some(page) => fields.finish(Self(page)),
            None => Err(fields.into()),
        }
    }
}

impl TryFrom<pb::ListPublishedEventsRequest> for PublishedQuery {
    type Error = Violations;

    fn try_from(request: pb::ListPublishedEventsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let from = fields.time_if_set("from_time", request.from_time.as_ref());
        let until = fields.time_if_set("until_time", request.until_time.as_ref());
        let types = &request.event_types;
        if types.len() > TYPES {
            fields.refuse("event_types", "OUT_OF_RANGE", format!("must be at most {TYPES}"));
        }
        for (at, event_type) in types.iter().enumerate().take(TYPES) {
            fields.line(&format!("event_types[{at}]"), event_type, 1..=NAME);
        }
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(from), Some(until), Some(page)) = (from, until, page) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            from,
            until,
            types: request.event_types,
            page,
        })
    }
}

impl TryFrom<pb::CheckAppliedRequest> for Events {
    type Error = Violations;

    fn try_from(request: pb::CheckAppliedRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        bounded(&mut fields, "events", request.events.len());
        let mut events = Vec::new();
        for (at, event) in request.events.into_iter().enumerate().take(EVENTS) {
            fields.within(&format!("events[{at}]"), |fields| {
                let id = fields.id("event_id", &event.event_id);
                let event_type = fields.line("event_type", &event.event_type, 1..=NAME);
                let hash = ContentHash::try_from(event.content_hash).ok();
                if hash.is_none() {
                    fields.refuse("content_hash", "INVALID_FORMAT", "must be of 32 bytes");
                }
                if let (Some(id), Some(event_type), Some(hash)) = (id, event_type, hash) {
                    events.push((id, event_type, hash));
                }
            });
        }
        fields.finish(Self(events))
    }
}

impl TryFrom<pb::PublishAgainRequest> for EventIds {
    type Error = Violations;

    fn try_from(request: pb::PublishAgainRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        bounded(&mut fields, "event_ids", request.event_ids.len());
        let mut ids: Vec<EventId> = Vec::new();
        for (at, text) in request.event_ids.iter().enumerate().take(EVENTS) {
            let field = format!("event_ids[{at}]");
            match fields.id(&field, text) {
                Some(id) if ids.contains(&id) => fields.refuse(&field, "DUPLICATE", "is there twice"),
                Some(id) => ids.push(id),
                None => {}
            }
        }
        fields.finish(Self(ids))
    }
}

impl TryFrom<pb::PublishRangeAgainRequest> for Range {
    type Error = Violations;

    fn try_from(request: pb::PublishRangeAgainRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let from = fields.time("from_time", request.from_time.as_ref());
        let until = fields.time("until_time", request.until_time.as_ref());
        let (Some(from), Some(until)) = (from, until) else {
            return Err(fields.into());
        };
        if until <= from {
            fields.refuse("until_time", "OUT_OF_RANGE", "must be later than from_time");
        }
        fields.finish(Self { from, until })
    }
}

fn bounded(fields: &mut Fields, field: &str, items: usize) {
    if items == 0 {
        fields.refuse(field, "REQUIRED", "is required");
    } else if items > EVENTS {
        fields.refuse(field, "OUT_OF_RANGE", format!("must be at most {EVENTS}"));
    }
}

/// A name that may be left open.
fn name(fields: &mut Fields, field: &str, text: &str) -> Option<Option<String>> {
    let name = fields.line(field, text, 0..=NAME)?;
    Some(Some(name).filter(|name| !name.is_empty()))
}

fn letter_id(id: u64) -> Result<LetterId, Violations> {
    let mut fields = Fields::new();
    match number_of_letter(&mut fields, id) {
        Some(id) => fields.finish(LetterId(id)),
        None => Err(fields.into()),
    }
}

fn number_of_letter(fields: &mut Fields, id: u64) -> Option<i64> {
    let number = i64::try_from(id).ok().filter(|id| *id > 0);
    if id == 0 {
        fields.refuse("id", "REQUIRED", "is required");
    } else if number.is_none() {
        fields.refuse("id", "OUT_OF_RANGE", "is larger than any number of a dead letter");
    }
    number
}

fn letter_query(
    filter: Option<pb::DeadLetterFilter>,
    page_size: u32,
    page_token: &str,
) -> Result<LetterQuery, Violations> {
    let mut fields = Fields::new();
    let asked = filter.unwrap_or_default();
    let filter = fields.within("filter", |fields| {
        let stream = name(fields, "stream", &asked.stream);
        let event_type = name(fields, "event_type", &asked.event_type);
        let reason = reason_of(asked.reason);
        if reason.is_none() {
            fields.refuse("reason", "OUT_OF_RANGE", "must be a reason of dead letters");
        }
        let from = fields.time_if_set("from_time", asked.from_time.as_ref());
        let until = fields.time_if_set("until_time", asked.until_time.as_ref());
        Some(Filter {
            stream: stream?,
            event_type: event_type?,
            reason: reason?,
            from: from?,
            until: until?,
        })
    });
    let page = fields.page(page_size, page_token);
    let (Some(filter), Some(page)) = (filter, page) else {
        return Err(fields.into());
    };
    fields.finish(LetterQuery { filter, page })
}

/// The reason that a filter names; the inner one is `None` for any.
fn reason_of(wire: i32) -> Option<Option<Reason>> {
    Some(match pb::DeadLetterReason::try_from(wire).ok()? {
        pb::DeadLetterReason::Unspecified => None,
        pb::DeadLetterReason::Malformed => Some(Reason::Malformed),
        pb::DeadLetterReason::UnknownType => Some(Reason::UnknownType),
        pb::DeadLetterReason::Undecodable => Some(Reason::Undecodable),
        pb::DeadLetterReason::IdReused => Some(Reason::IdReused),
        pb::DeadLetterReason::Rejected => Some(Reason::Rejected),
        pb::DeadLetterReason::Panicked => Some(Reason::Panicked),
    })
}

pub(super) fn number(count: impl TryInto<u32>) -> u32 {
    count.try_into().unwrap_or(u32::MAX)
}

pub(super) fn timer(timer: SetTimer) -> pb::Timer {
    pb::Timer {
        kind: timer.kind,
        key: timer.key.to_string(),
        due_time: Some(to_wire_time(timer.due)),
        next_try_time: Some(to_wire_time(timer.next_try)),
        attempts: timer.attempts,
        last_error: timer.last_error.unwrap_or_default(),
    }
}

pub(super) fn letter(letter: &DeadLetter) -> pb::DeadLetter {
    let reason = match letter.reason {
        Reason::Malformed => pb::DeadLetterReason::Malformed,
        Reason::UnknownType => pb::DeadLetterReason::UnknownType,
        Reason::Undecodable => pb::DeadLetterReason::Undecodable,
        Reason::IdReused => pb::DeadLetterReason::IdReused,
        Reason::Rejected => pb::DeadLetterReason::Rejected,
        Reason::Panicked => pb::DeadLetterReason::Panicked,
    };
    pb::DeadLetter {
        id: letter.id.unsigned_abs(),
        message_id: letter.message_id.clone(),
        stream: letter.stream.clone(),
        sequence: letter.sequence,
        event_type: letter.event_type.clone(),
        reason: reason.into(),
        error: letter.error.clone(),
        create_time: Some(to_wire_time(letter.created_at)),
        retries: letter.retries,
        retry_time: letter.retried_at.map(to_wire_time),
    }
}

pub(super) fn closed(closed: &ClosedLetter) -> pb::ClosedDeadLetter {
    let outcome = match closed.outcome {
        Outcome::Applied => pb::closed_dead_letter::Outcome::Applied,
        Outcome::Discarded => pb::closed_dead_letter::Outcome::Discarded,
    };
    pb::ClosedDeadLetter {
        dead_letter: Some(letter(&closed.letter)),
        outcome: outcome.into(),
        closed_by: closed.by.clone(),
        reason: closed.reason.clone(),
        close_time: Some(to_wire_time(closed.at)),
    }
}

pub(super) fn published(event: Published) -> pb::PublishedEvent {
    pb::PublishedEvent {
        event_id: event.id.to_string(),
        event_type: event.event_type,
        time: Some(to_wire_time(event.time)),
        content_hash: event.hash.to_vec(),
        unpublished: event.unpublished,
    }
}

pub(super) fn unapplied((id, standing): (EventId, Standing)) -> pb::UnappliedEvent {
    let standing = match standing {
        Standing::Missing => pb::unapplied_event::Standing::Missing,
        Standing::DeadLetter => pb::unapplied_event::Standing::DeadLetter,
        Standing::Discarded => pb::unapplied_event::Standing::Discarded,
        Standing::OtherContent => pb::unapplied_event::Standing::OtherContent,
    };
    pb::UnappliedEvent {
        event_id: id.to_string(),
        standing: standing.into(),
    }
}
