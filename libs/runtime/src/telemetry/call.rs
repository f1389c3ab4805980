//! One remote call, as it is told: a span with its status, and its duration by method and status.
//!
//! The status of a call is in the headers when there is no message, and in the trailers otherwise; so the body of
//! the answer is watched to its end.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use opentelemetry::KeyValue;
use opentelemetry::metrics::Histogram;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::{Span, field};

use super::rpc::{self, Side};

/// A call that runs. Dropped before its end, it was given up by the client.
#[derive(Debug)]
pub(crate) struct Call {
    method: String,
    begun: Instant,
    duration: Histogram<f64>,
    span: Span,
    ended: bool,
}

impl Call {
    /// Begins a call of `method`, `package.Service/Method`.
    pub(crate) fn begin(side: Side, method: &str, duration: &Histogram<f64>) -> Self {
        let span = tracing::info_span!(
            "rpc",
            otel.name = method,
            otel.kind = side.kind(),
            otel.status_code = field::Empty,
            { rpc::SYSTEM } = rpc::GRPC,
            { rpc::METHOD } = method,
            { rpc::STATUS } = field::Empty,
            { rpc::ERROR } = field::Empty,
            trace_id = field::Empty,
        );
        Self {
            method: method.to_owned(),
            begun: Instant::now(),
            duration: duration.clone(),
            span,
            ended: false,
        }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Watches the answer for its status, which may be at its very end.
    pub(crate) fn watch(mut self, response: Response<Body>) -> Response<Body> {
        match code_of(response.headers()) {
            Some(code) => {
                self.record(code);
                response
            }
            None => response.map(|inner| {
                Body::new(WatchedBody {
                    inner,
                    call: Some(self),
                })
            }),
        }
    }

    fn record(&mut self, code: Code) {
        self.ended = true;
        let status = rpc::status_name(code);
        // A method nobody serves is named by whoever calls it; as a label it would grow without bounds.
        let method = if code == Code::Unimplemented {
            "_OTHER"
        } else {
            &self.method
        };
        let mut labels = vec![
            KeyValue::new(rpc::SYSTEM, rpc::GRPC),
            KeyValue::new(rpc::METHOD, method.to_owned()),
            KeyValue::new(rpc::STATUS, status),
        ];
        self.span.record(rpc::STATUS, status);
        if rpc::is_server_error(code) {
            labels.push(KeyValue::new(rpc::ERROR, status));
            self.span.record(rpc::ERROR, status).record("otel.status_code", "ERROR");
        }
        let elapsed = self.begun.elapsed();
        self.duration.record(elapsed.as_secs_f64(), &labels);
        self.span.in_scope(|| tracing::debug!(status, ?elapsed, "call ended"));
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.ended {
            self.record(Code::Cancelled);
        }
    }
}

/// The status in headers or trailers, if it is there.
fn code_of(headers: &HeaderMap) -> Option<Code> {
    headers
        .get(Status::GRPC_STATUS)
        .map(|value| Code::from_bytes(value.as_bytes()))
}

#[derive(Debug)]
struct WatchedBody {
    inner: Body,
    call: Option<Call>,
}

impl WatchedBody {
    fn end(&mut self, code: Code) {
        if let Some(mut call) = self.call.take() {
            call.record(code);
        }
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.end(code_of(trailers).unwrap_or(Code::Unknown));
                }
            }
            Poll::Ready(Some(Err(status))) => self.end(status.code()),
            Poll::Ready(None) => self.end(Code::Unknown),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
