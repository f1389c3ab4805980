//! `vouch.operations.v1.OperationsService`: what operators need, the same of every service.

mod clock;
mod convert;
mod letters;
mod status;

use std::sync::Arc;

use tonic::{Request, Response, Status};
use vouch_messaging::{Reapply, dead_letter, outbox, reconcile};
use vouch_primitives::{Clock, EventId, TestClock, Timestamp, Uuid};
use vouch_proto::operations::v1 as pb;
use vouch_proto::operations::v1::operations_service_server::{self, OperationsServiceServer};
use vouch_storage::{StorageError, timers};

use crate::access::{Caller, FindOwners, Owners};
use crate::backlog::Workload;
use crate::commands::Commands;
use crate::grpc::{parse_mutation, parse_query, status as refuse};

/// The clock was asked to go back.
pub const CLOCK_WENT_BACK: &str = "CLOCK_WENT_BACK";
/// The clock of this service is the process clock.
pub const TEST_CLOCK_OFF: &str = "TEST_CLOCK_OFF";
/// The bus cannot tell what is left.
pub const BUS_UNAVAILABLE: &str = "BUS_UNAVAILABLE";
/// A dead letter without an id, or with the id of another event, can never be applied.
pub const DEAD_LETTER_FINAL: &str = "DEAD_LETTER_FINAL";
/// The handler of a dead letter cannot get at what it needs.
pub const HANDLER_UNAVAILABLE: &str = "HANDLER_UNAVAILABLE";
/// Events that the outbox does not have.
pub const EVENTS_UNKNOWN: &str = "EVENTS_UNKNOWN";
/// More events than are published again at a time.
pub const TOO_MANY_EVENTS: &str = "TOO_MANY_EVENTS";

/// The most events that one call publishes again.
const EVENTS_AT_ONCE: u64 = 10_000;

/// Answers operators.
pub(crate) struct Operations {
    pub(crate) commands: Commands,
    pub(crate) work: Workload,
    pub(crate) reappliers: Vec<Arc<dyn Reapply>>,
    /// Only in development and tests.
    pub(crate) test_clock: Option<Arc<TestClock>>,
}

/// Nothing here belongs to a client or a person: the policies name operators and services alone.
impl FindOwners for Operations {
    async fn find_owners(&self, _field: &str, _id: Uuid) -> Result<Option<Owners>, StorageError> {
        Ok(None)
    }
}

impl Operations {
    pub(crate) fn server(self) -> OperationsServiceServer<Self> {
        OperationsServiceServer::new(self)
    }

    fn now(&self) -> Timestamp {
        self.commands.now()
    }
}

fn stored(error: impl std::borrow::Borrow<StorageError>) -> Status {
    refuse::storage(error.borrow())
}

#[tonic::async_trait]
impl operations_service_server::OperationsService for Operations {
    async fn get_test_clock(
        &self,
        _request: Request<pb::GetTestClockRequest>,
    ) -> Result<Response<pb::GetTestClockResponse>, Status> {
        let clock = clock::of(self.test_clock.as_ref())?;
        Ok(Response::new(clock::look(clock.now(), &self.work).await?))
    }

    async fn set_test_clock(
        &self,
        request: Request<pb::SetTestClockRequest>,
    ) -> Result<Response<pb::SetTestClockResponse>, Status> {
        let clock = clock::of(self.test_clock.as_ref())?;
        Ok(Response::new(
            clock::set(clock, &self.work.db, request.into_inner()).await?,
        ))
    }

    async fn get_status(
        &self,
        _request: Request<pb::GetStatusRequest>,
    ) -> Result<Response<pb::GetStatusResponse>, Status> {
        let answer = status::read(&self.work, self.now()).await.map_err(stored)?;
        Ok(Response::new(answer))
    }

    async fn list_timers(
        &self,
        request: Request<pb::ListTimersRequest>,
    ) -> Result<Response<pb::ListTimersResponse>, Status> {
        let convert::TimerQuery { kind, page } = parse_query(self, request).await?;
        let after = page.after.as_ref().map(|at| (at.next_try, &*at.kind, at.key));
        let timers = timers::list(self.work.db.reader(), kind.as_deref(), after, page.limit()).await;
        let listed = page.cut(timers.map_err(stored)?, convert::TimerPlace::of);
        Ok(Response::new(pb::ListTimersResponse {
            next_page_token: listed.next_page_token(),
            timers: listed.items.into_iter().map(convert::timer).collect(),
        }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<pb::ListDeadLettersRequest>,
    ) -> Result<Response<pb::ListDeadLettersResponse>, Status> {
        let convert::LetterQuery { filter, page } = parse_query(self, request).await?;
        let letters = dead_letter::find(self.work.db.reader(), &filter, page.after, page.limit()).await;
        let listed = page.cut(letters.map_err(stored)?, |letter| letter.id);
        Ok(Response::new(pb::ListDeadLettersResponse {
            next_page_token: listed.next_page_token(),
            dead_letters: listed.items.iter().map(convert::letter).collect(),
        }))
    }

    async fn get_dead_letter(
        &self,
        request: Request<pb::GetDeadLetterRequest>,
    ) -> Result<Response<pb::GetDeadLetterResponse>, Status> {
        let convert::LetterId(id) = parse_query(self, request).await?;
        let letter = dead_letter::get(self.work.db.reader(), id).await.map_err(stored)?;
        let letter = letter.ok_or_else(|| refuse::not_found("dead_letter", id))?;
        Ok(Response::new(pb::GetDeadLetterResponse {
            dead_letter: Some(convert::letter(&letter)),
            headers: letter.headers,
            payload: letter.payload,
        }))
    }

    async fn retry_dead_letter(
        &self,
        request: Request<pb::RetryDeadLetterRequest>,
    ) -> Result<Response<pb::RetryDeadLetterResponse>, Status> {
        let by = Caller::of(&request).to_string();
        let (key, convert::LetterId(id)) = parse_mutation(self, request).await?;
        Ok(Response::new(self.retry_one(&key, id, &by).await?))
    }

    async fn retry_dead_letters(
        &self,
        request: Request<pb::RetryDeadLettersRequest>,
    ) -> Result<Response<pb::RetryDeadLettersResponse>, Status> {
        let by = Caller::of(&request).to_string();
        let (key, convert::LetterQuery { filter, page }) = parse_mutation(self, request).await?;
        Ok(Response::new(self.retry_page(&key, &filter, &page, &by).await?))
    }

    async fn discard_dead_letter(
        &self,
        request: Request<pb::DiscardDeadLetterRequest>,
    ) -> Result<Response<pb::DiscardDeadLetterResponse>, Status> {
        let by = Caller::of(&request).to_string();
        let (key, convert::Discard { id, reason }) = parse_mutation(self, request).await?;
        Ok(Response::new(self.discard(&key, id, &reason, &by).await?))
    }

    async fn list_closed_dead_letters(
        &self,
        request: Request<pb::ListClosedDeadLettersRequest>,
    ) -> Result<Response<pb::ListClosedDeadLettersResponse>, Status> {
        let convert::ClosedQuery(page) = parse_query(self, request).await?;
        let after = page.after.map(|place| (place.time, place.id));
        let closed = dead_letter::list_closed(self.work.db.reader(), after, page.limit()).await;
        let listed = page.cut(closed.map_err(stored)?, |closed| convert::Place {
            time: closed.at,
            id: closed.letter.id,
        });
        Ok(Response::new(pb::ListClosedDeadLettersResponse {
            next_page_token: listed.next_page_token(),
            closed: listed.items.iter().map(convert::closed).collect(),
        }))
    }

    async fn list_published_events(
        &self,
        request: Request<pb::ListPublishedEventsRequest>,
    ) -> Result<Response<pb::ListPublishedEventsResponse>, Status> {
        let convert::PublishedQuery {
            from,
            until,
            types,
            page,
        } = parse_query(self, request).await?;
        let span = reconcile::Span {
            from: from.unwrap_or(Timestamp::EPOCH),
            until: until.unwrap_or_else(|| self.now().saturating_sub(convert::ON_ITS_WAY)),
            event_types: types,
        };
        let after = page.after.map(|place| (place.time, place.id));
        let events = reconcile::published(self.work.db.reader(), &span, after, page.limit()).await;
        let listed = page.cut(events.map_err(stored)?, |event| convert::Place {
            time: event.time,
            id: event.id,
        });
        Ok(Response::new(pb::ListPublishedEventsResponse {
            next_page_token: listed.next_page_token(),
            events: listed.items.into_iter().map(convert::published).collect(),
        }))
    }

    async fn check_applied(
        &self,
        request: Request<pb::CheckAppliedRequest>,
    ) -> Result<Response<pb::CheckAppliedResponse>, Status> {
        let convert::Events(mut events) = parse_query(self, request).await?;
        let wanted = |event_type: &String| {
            let subscriptions = &self.work.subscriptions;
            subscriptions.iter().any(|one| one.subjects.contains(event_type))
        };
        events.retain(|(_, event_type, _)| wanted(event_type));
        let events: Vec<_> = events.into_iter().map(|(id, _, hash)| (id, hash)).collect();
        let unapplied = reconcile::unapplied(self.work.db.reader(), &events)
            .await
            .map_err(stored)?;
        let applied = u32::try_from(events.len() - unapplied.len()).unwrap_or(u32::MAX);
        Ok(Response::new(pb::CheckAppliedResponse {
            applied,
            unapplied: unapplied.into_iter().map(convert::unapplied).collect(),
        }))
    }

    async fn publish_again(
        &self,
        request: Request<pb::PublishAgainRequest>,
    ) -> Result<Response<pb::PublishAgainResponse>, Status> {
        let (key, convert::EventIds(ids)) = parse_mutation(self, request).await?;
        let ids = &ids;
        let answer = self.commands.once(&key, |txn, _| async move {
            let unknown = outbox::unknown(&*txn, ids).await?;
            if !unknown.is_empty() {
                return Err(NotPublished::Unknown(unknown));
            }
            let handed_over = outbox::publish_these_again(&txn, ids).await?;
            Ok(pb::PublishAgainResponse {
                handed_over: convert::number(handed_over),
                still_waiting: convert::number(ids.len()).saturating_sub(convert::number(handed_over)),
            })
        });
        Ok(Response::new(answer.await?))
    }

    async fn publish_range_again(
        &self,
        request: Request<pb::PublishRangeAgainRequest>,
    ) -> Result<Response<pb::PublishRangeAgainResponse>, Status> {
        let (key, convert::Range { from, until }) = parse_mutation(self, request).await?;
        let answer = self.commands.once(&key, |txn, _| async move {
            let all = outbox::count(&*txn, from, until).await?;
            if all > EVENTS_AT_ONCE {
                return Err(NotPublished::TooMany(all));
            }
            let handed_over = outbox::publish_again(&txn, from, until).await?;
            Ok(pb::PublishRangeAgainResponse {
                handed_over: convert::number(handed_over),
                still_waiting: convert::number(all.saturating_sub(handed_over)),
            })
        });
        Ok(Response::new(answer.await?))
    }
}

/// Why events were not handed to the relay.
#[derive(Debug, thiserror::Error)]
enum NotPublished {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("the outbox does not have the events {}", list(.0))]
    Unknown(Vec<EventId>),
    #[error("{0} events were recorded between the two moments, and {EVENTS_AT_ONCE} can be published again at a time")]
    TooMany(u64),
}

fn list(ids: &[EventId]) -> String {
    ids.iter().map(EventId::to_string).collect::<Vec<_>>().join(", ")
}

impl From<NotPublished> for Status {
    fn from(error: NotPublished) -> Self {
        let text = error.to_string();
        match error {
            NotPublished::Storage(error) => stored(error),
            NotPublished::Unknown(_) => refuse::with_reason(tonic::Code::NotFound, EVENTS_UNKNOWN, text),
            NotPublished::TooMany(_) => refuse::failed_precondition(TOO_MANY_EVENTS, text),
        }
    }
}
