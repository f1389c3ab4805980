//! What is told about calls: one trace over both ends, and durations by method and status. One process, one telemetry.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::uri::PathAndQuery;
use opentelemetry::trace::TraceContextExt;
use support::{Scripted, Served, config, signer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use vouch_proto::payments::v1::earning_service_client::EarningServiceClient;
use vouch_proto::payments::v1::{GetEarningRequest, RefundEarningRequest};
use vouch_runtime::{Peer, Tls, telemetry};
use vouch_testkit::tools;

fn trace_of(span: &Span) -> String {
    span.context().span().span_context().trace_id().to_string()
}

/// A server whose handler notes the trace it runs in and the deadline it was told.
async fn server(seen: &Arc<Mutex<Vec<Seen>>>) -> Served {
    let seen = seen.clone();
    let handler = move |request: Request<GetEarningRequest>| {
        let timeout = request
            .metadata()
            .get("grpc-timeout")
            .and_then(|value| value.to_str().ok());
        seen.lock().expect("no panic").push(Seen {
            trace: trace_of(&Span::current()),
            timeout: timeout.map(str::to_owned),
        });
        async { Ok(()) }
    };
    Served::start(support::server(&config("")).with(Scripted::server(handler))).await
}

#[derive(Debug, PartialEq)]
struct Seen {
    trace: String,
    timeout: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_traced_and_measured_and_a_dead_collector_does_not_hold_up_the_end() {
    // A collector that takes connections and never answers.
    let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let metrics = format!("127.0.0.1:{}", tools::free_port().expect("a port"));
    let mut settings = config("").telemetry;
    settings.metrics_listen = metrics.clone();
    settings.otlp_endpoint = format!("http://{}", collector.local_addr().expect("an address"));
    let telemetry = telemetry::init("test", "1.2.3", &settings).await.expect("telemetry");

    let seen = Arc::default();
    let served = server(&seen).await;
    let trace = make_calls(&served).await;
    assert_eq!(
        *seen.lock().expect("no panic"),
        [Seen {
            trace,
            timeout: Some("5000m".to_owned())
        }]
    );

    let text = scrape(&metrics).await;
    for (side, method, status) in [
        ("server", "vouch.payments.v1.EarningService/GetEarning", "OK"),
        (
            "server",
            "vouch.payments.v1.EarningService/RefundEarning",
            "PERMISSION_DENIED",
        ),
        ("server", "_OTHER", "UNIMPLEMENTED"),
        ("client", "vouch.payments.v1.EarningService/GetEarning", "OK"),
        ("client", "vouch.payments.v1.EarningService/GetEarning", "UNAVAILABLE"),
    ] {
        let line = text.lines().find(|line| {
            line.starts_with(&format!("rpc_{side}_call_duration_seconds_count{{"))
                && line.contains(&format!("rpc_method=\"{method}\""))
                && line.contains(&format!("rpc_response_status_code=\"{status}\""))
        });
        assert!(
            line.is_some_and(|line| line.ends_with(" 1")),
            "{side} {method} {status}: {line:?} in\n{text}"
        );
    }
    assert!(!text.contains("made.up"), "{text}");
    assert!(text.contains("service_name=\"vouch-test\""), "{text}");

    let asked = Instant::now();
    telemetry.shutdown(Duration::from_millis(500)).await;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}

/// One call that works, and one of each kind that does not. Returns the trace of the first.
async fn make_calls(served: &Served) -> String {
    let peers = BTreeMap::from([
        ("payments".to_owned(), format!("http://{}", served.address)),
        ("referral".to_owned(), "http://127.0.0.1:1".to_owned()),
    ]);
    let span = tracing::info_span!("a business");
    let trace = trace_of(&span);
    let peer = Peer::connect(&peers, "payments", &Tls::default(), signer("operator:test")).expect("a peer");
    let mut client = EarningServiceClient::new(peer.clone());
    let answer = client.get_earning(GetEarningRequest::default()).instrument(span).await;
    assert_eq!(answer.expect("answered").into_inner(), support::scripted());

    let refused = client
        .refund_earning(RefundEarningRequest::default())
        .await
        .expect_err("refused");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let mut grpc = tonic::client::Grpc::new(peer);
    grpc.ready().await.expect("ready");
    let path = PathAndQuery::from_static("/made.up.Service/Method");
    let unknown = grpc
        .unary(Request::new(()), path, ProstCodec::<(), ()>::default())
        .await
        .expect_err("unknown");
    assert_eq!(unknown.code(), Code::Unimplemented);
    let away = Peer::connect(&peers, "referral", &Tls::default(), signer("operator:test")).expect("a peer");
    let away = EarningServiceClient::new(away)
        .get_earning(GetEarningRequest::default())
        .await
        .expect_err("away");
    assert_eq!(away.code(), Code::Unavailable, "{away}");
    assert!(Peer::connect(&peers, "onboarding", &Tls::default(), signer("operator:test")).is_err());
    trace
}

async fn scrape(address: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("asked");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("answered");
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    text
}
