//! What an OpenTelemetry collector receives, in memory, for tests to look at.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{AnyValue, KeyValue, any_value},
    logs::v1::LogRecord,
    trace::v1::{self as wire, span::SpanKind, status::StatusCode},
};
use tokio::{net::TcpListener, time::Instant};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, async_trait, transport::Server};

use crate::Error;

/// Receives what services export over OTLP/gRPC, until it is dropped.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Received,
    _stop: DropGuard,
}

/// A span as it arrived.
#[derive(Clone, Debug)]
pub struct Span {
    /// `service.name` of whoever exported it.
    pub service: String,
    /// What it is, with its ids, attributes, events and links.
    pub data: wire::Span,
}

#[derive(Clone, Debug, Default)]
struct Received(Arc<Mutex<Everything>>);

#[derive(Debug, Default)]
struct Everything {
    spans: Vec<Span>,
    logs: Vec<LogRecord>,
}

impl Collector {
    /// Listens on a free port.
    ///
    /// # Errors
    /// If there is none.
    pub async fn start() -> Result<Self, Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (received, stop) = (Received::default(), CancellationToken::new());
        let serving = Server::builder()
            .add_service(TraceServiceServer::new(received.clone()))
            .add_service(LogsServiceServer::new(received.clone()))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), stop.clone().cancelled_owned());
        tokio::spawn(serving);
        Ok(Self {
            address,
            received,
            _stop: stop.drop_guard(),
        })
    }

    /// Where it listens, as `telemetry.otlp_endpoint`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All spans that have arrived.
    #[must_use]
    pub fn spans(&self) -> Vec<Span> {
        self.received.lock().spans.clone()
    }

    /// Every name, attribute, event and message that was received, as text.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        let received = self.received.lock();
        let spans = received.spans.iter().map(|Span { data, .. }| {
            let links: Vec<_> = data
                .links
                .iter()
                .map(|link| (&link.attributes, &link.trace_state))
                .collect();
            let events: Vec<_> = data
                .events
                .iter()
                .map(|event| (&event.name, &event.attributes))
                .collect();
            let status = data.status.as_ref().map(|status| &status.message);
            format!("{} {:?} {links:?} {events:?} {status:?}", data.name, data.attributes)
        });
        let records = received.logs.iter().map(|record| {
            let name = &record.event_name;
            format!("{name} {:?} {:?}", record.body, record.attributes)
        });
        spans.chain(records).collect()
    }

    /// How many log records have arrived.
    #[must_use]
    pub fn log_records(&self) -> usize {
        self.received.lock().logs.len()
    }

    /// The first trace that is as wanted, as soon as it has arrived with the parents of all its spans.
    ///
    /// # Errors
    /// If there is none within `patience`: all traces with a span called `about`, as waterfalls.
    pub async fn trace(
        &self,
        about: &str,
        patience: Duration,
        wanted: impl Fn(&Trace) -> bool,
    ) -> Result<Trace, Error> {
        let deadline = Instant::now() + patience;
        loop {
            let traces = Trace::all(self.spans());
            if let Some(found) = traces.iter().find(|trace| trace.is_whole() && wanted(trace)) {
                return Ok(found.clone());
            }
            if Instant::now() > deadline {
                let seen = traces.iter().filter(|trace| trace.named(about).next().is_some());
                let seen: String = seen.map(Trace::waterfall).collect();
                return Err(format!("no such trace about {about}, only\n{seen}").into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The spans of one trace, the earliest first.
#[derive(Clone, Debug)]
pub struct Trace(pub Vec<Span>);

impl Trace {
    fn all(mut spans: Vec<Span>) -> Vec<Self> {
        spans.sort_by_key(|span| (span.data.trace_id.clone(), span.data.start_time_unix_nano));
        let traces = spans.chunk_by(|a, b| a.data.trace_id == b.data.trace_id);
        traces.map(|trace| Self(trace.to_vec())).collect()
    }

    fn knows(&self, id: &[u8]) -> bool {
        self.0.iter().any(|span| span.data.span_id == id)
    }

    fn is_whole(&self) -> bool {
        let mut parents = self.0.iter().map(|span| &span.data.parent_span_id);
        parents.all(|parent| parent.is_empty() || self.knows(parent))
    }

    /// Its spans of this name.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Span> {
        self.0.iter().filter(move |span| span.data.name == name)
    }

    /// Follows the path of names from a span to its child, its child's child, and so on; a step is `service: name`.
    ///
    /// # Panics
    /// With the waterfall, where the path ends too early.
    #[must_use]
    pub fn path(&self, steps: &[&str]) -> Vec<&Span> {
        let mut path: Vec<&Span> = Vec::new();
        for step in steps {
            let is_next = |span: &&Span| {
                format!("{}: {}", span.service, span.data.name) == *step
                    && path
                        .last()
                        .is_none_or(|last| last.data.span_id == span.data.parent_span_id)
            };
            let Some(next) = self.0.iter().find(is_next) else {
                panic!("no span {step:?} after {:?} in\n{}", names(&path), self.waterfall());
            };
            path.push(next);
        }
        path
    }

    /// The trace as a picture: one line for each span, below its parent, with its place in time.
    #[must_use]
    pub fn waterfall(&self) -> String {
        let (start, end) = self.0.iter().fold((u64::MAX, 0), |(start, end), span| {
            let data = &span.data;
            (start.min(data.start_time_unix_nano), end.max(data.end_time_unix_nano))
        });
        let mut text = String::new();
        for root in self.0.iter().filter(|span| !self.knows(&span.data.parent_span_id)) {
            self.draw(root, 0, (start, end.saturating_sub(start).max(1)), &mut text);
        }
        text.push('\n');
        text
    }

    fn draw(&self, span: &Span, depth: usize, (start, length): (u64, u64), text: &mut String) {
        const WIDTH: u64 = 40;
        let data = &span.data;
        let column = |at: u64| usize::try_from(at.saturating_sub(start) * WIDTH / length).unwrap_or(0);
        let (from, to) = (column(data.start_time_unix_nano), column(data.end_time_unix_nano));
        let bar = format!("{}{}", " ".repeat(from), "=".repeat((to - from).max(1)));
        let name = format!("{}{}: {}", "  ".repeat(depth), span.service, data.name);
        let micros = data.end_time_unix_nano.saturating_sub(data.start_time_unix_nano) / 1_000;
        let failed = if span.failed() { " FAILED" } else { "" };
        // Writing to a text cannot fail.
        let _ = writeln!(text, "|{bar:<41}| {name} [{}] {micros} us{failed}", span.kind());
        for child in self.0.iter().filter(|child| child.data.parent_span_id == data.span_id) {
            self.draw(child, depth + 1, (start, length), text);
        }
    }
}

impl Span {
    /// `SERVER`, `CLIENT`, `PRODUCER`, `CONSUMER` or `INTERNAL`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        let name = SpanKind::try_from(self.data.kind).unwrap_or_default().as_str_name();
        name.trim_start_matches("SPAN_KIND_")
    }

    /// Whether its status is an error.
    #[must_use]
    pub fn failed(&self) -> bool {
        let status = self.data.status.as_ref();
        status.is_some_and(|status| status.code() == StatusCode::Error)
    }

    /// The value of an attribute as text; empty if there is none.
    #[must_use]
    pub fn attribute(&self, key: &str) -> String {
        let found = self.data.attributes.iter().find(|attribute| attribute.key == key);
        found.map(text_of).unwrap_or_default()
    }

    /// Whether it links to that span.
    #[must_use]
    pub fn links_to(&self, other: &Self) -> bool {
        let same = |link: &wire::span::Link| link.span_id == other.data.span_id && link.trace_id == other.data.trace_id;
        self.data.links.iter().any(same)
    }
}

fn names(path: &[&Span]) -> Vec<String> {
    path.iter().map(|span| span.data.name.clone()).collect()
}

fn text_of(attribute: &KeyValue) -> String {
    match attribute.value.as_ref().and_then(|AnyValue { value }| value.as_ref()) {
        Some(any_value::Value::StringValue(text)) => text.clone(),
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(any_value::Value::BoolValue(truth)) => truth.to_string(),
        other => format!("{other:?}"),
    }
}

impl Received {
    fn lock(&self) -> MutexGuard<'_, Everything> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl TraceService for Received {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let attributes = resource.resource.unwrap_or_default().attributes;
            let service = attributes.iter().find(|attribute| attribute.key == "service.name");
            let service = service.map(text_of).unwrap_or_default();
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let spans = spans.map(|data| Span {
                service: service.clone(),
                data,
            });
            self.lock().spans.extend(spans);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[async_trait]
impl LogsService for Received {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        for resource in request.into_inner().resource_logs {
            let records = resource.scope_logs.into_iter().flat_map(|scope| scope.log_records);
            self.lock().logs.extend(records);
        }
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}
