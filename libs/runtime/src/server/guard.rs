//! The life of one call: refused when there are too many, bounded by a deadline, run in a task of its own.
//!
//! Tonic drops a handler when its client leaves or its time is up, and that could happen between a commit and what
//! follows it. Here the handler is a task that goes on to its end; only the answer is given up.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use tokio::sync::Semaphore;
use tokio::task::JoinError;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::Instrument;
use vouch_storage::describe_panic;

use super::limit::LimitedBody;
use super::{GrpcService, is_health_check};
use crate::config::ServerConfig;
use crate::grpc::status;

/// A handler whose caller has long gone is ended after so many deadlines: it can only be waiting for a request that
/// never came in full, as PostgreSQL bounds every statement by less and SQLite has nothing to wait for
/// but the disk.
const ABANDONED_AFTER_DEADLINES: u32 = 6;

/// What is kept back of a caller's deadline, at most, for the answer's way.
const DEADLINE_MARGIN: Duration = Duration::from_millis(100);

/// The running calls of one server.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
    deadline: Duration,
    max_message_bytes: u32,
}

impl Calls {
    pub(super) fn new(config: &ServerConfig) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(config.max_concurrent_calls)),
            tasks: TaskTracker::new(),
            deadline: config.deadline,
            max_message_bytes: config.max_message_bytes,
        }
    }

    /// Waits until every handler has ended.
    pub(super) async fn finished(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

#[derive(Clone, Debug)]
pub(super) struct GuardLayer {
    calls: Calls,
}

impl GuardLayer {
    pub(super) fn new(calls: Calls) -> Self {
        Self { calls }
    }
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard {
            inner,
            calls: self.calls.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Guard<S> {
    inner: S,
    calls: Calls,
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: GrpcService + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if is_health_check(&request) {
            return Box::pin(self.inner.call(request));
        }
        let Ok(permit) = Arc::clone(&self.calls.permits).try_acquire_owned() else {
            return answer(status::unavailable(
                "the service has as many calls as it can take",
                status::OVERLOADED,
            ));
        };
        let limit = deadline(request.headers(), self.calls.deadline);
        let max_bytes = self.calls.max_message_bytes;
        let request = request.map(|body| Body::new(LimitedBody::new(body, max_bytes)));
        let call = timeout(
            self.calls.deadline * ABANDONED_AFTER_DEADLINES,
            self.inner.call(request),
        );
        let handler = async move {
            let _permit = permit;
            call.await
        };
        let task = self.calls.tasks.spawn(handler.in_current_span());
        Box::pin(async move {
            Ok(match timeout(limit, task).await {
                Ok(Ok(Ok(Ok(response)))) => explained(response),
                Ok(Err(failure)) => panicked(failure).into_http(),
                Err(_) | Ok(Ok(Err(_))) => status::deadline_exceeded("the deadline has passed").into_http(),
            })
        })
    }
}

/// What tonic refuses by itself, before a handler is called, has no details, and calls bytes that are no message INTERNAL.
fn explained(response: Response<Body>) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(told) if told.code() != Code::Ok && told.details().is_empty() => status::explained(&told).into_http(),
        _ => response,
    }
}

fn answer<E: Send + 'static>(status: Status) -> BoxFuture<'static, Result<Response<Body>, E>> {
    Box::pin(std::future::ready(Ok(status.into_http())))
}

fn panicked(failure: JoinError) -> Status {
    let text = failure
        .try_into_panic()
        .map_or_else(|error| error.to_string(), |panic| describe_panic(&*panic));
    tracing::error!(panic = text, "a handler panicked");
    status::internal_silent()
}

/// The shorter of our own limit and the caller's. An answer at the caller's very deadline would come too late (and
/// tonic's own timer would win), so a little of it is kept back.
fn deadline(headers: &HeaderMap, own: Duration) -> Duration {
    let asked = headers
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok())
        .and_then(parse_grpc_timeout);
    asked.map_or(own, |asked| own.min(asked - (asked / 10).min(DEADLINE_MARGIN)))
}

/// `TimeoutValue TimeoutUnit` of gRPC over HTTP/2: at most 8 digits and one of H, M, S, m, u, n.
fn parse_grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shorter_deadline_wins() {
        let own = Duration::from_secs(10);
        for (header, expected) in [
            (None, own),
            (Some("1H"), own),
            (Some("1S"), Duration::from_millis(900)),
            (Some("9S"), Duration::from_millis(8900)),
            (Some("100m"), Duration::from_millis(90)),
            (Some("0n"), Duration::ZERO),
            (Some("123456789S"), own),
            (Some("+1S"), own),
            (Some("S"), own),
            (Some(""), own),
            (Some("5x"), own),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(text) = header {
                headers.insert("grpc-timeout", text.parse().expect("a header value"));
            }
            assert_eq!(deadline(&headers, own), expected, "{header:?}");
        }
    }
}
