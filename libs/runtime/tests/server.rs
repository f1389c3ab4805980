//! The gRPC server as its clients see it, over a real connection.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::uri::PathAndQuery;
use support::{PATIENCE, Scripted, Served, config};
use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tonic::service::Interceptor;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;
use tonic_reflection::pb::{v1, v1alpha};
use tonic_types::StatusExt;
use vouch_proto::payments::v1::{GetEarningRequest, GetEarningResponse, RefundEarningRequest};
use vouch_runtime::server::Stopped;
use vouch_testkit::eventually;

const EARNINGS: &str = "vouch.payments.v1.EarningService";

/// A server whose handler is `handler`, with these settings.
async fn serve<F, Fut>(overrides: &str, handler: F) -> Served
where
    F: Fn(Request<GetEarningRequest>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Status>> + Send + 'static,
{
    Served::start(support::server(&config(overrides)).with(Scripted::server(handler))).await
}

async fn health_of(served: &Served, name: &str) -> Result<i32, Code> {
    let request = HealthCheckRequest {
        service: name.to_owned(),
    };
    let mut client = HealthClient::new(served.channel().await);
    client
        .check(request)
        .await
        .map(|answer| answer.into_inner().status)
        .map_err(|status| status.code())
}

#[tokio::test]
async fn health_tells_liveness_and_readiness_apart() {
    let server = support::server(&config("")).with(Scripted::server(async |_| Ok(())));
    let health = server.health();
    health.set_ready(false).await;
    let served = Served::start(server).await;
    let (serving, not_serving) = (i32::from(ServingStatus::Serving), i32::from(ServingStatus::NotServing));
    assert_eq!(health_of(&served, "liveness").await, Ok(serving));
    for name in ["", "readiness", EARNINGS] {
        assert_eq!(health_of(&served, name).await, Ok(not_serving), "{name}");
    }
    health.set_ready(true).await;
    for name in ["", "liveness", "readiness", EARNINGS] {
        assert_eq!(health_of(&served, name).await, Ok(serving), "{name}");
    }
    assert_eq!(
        health_of(&served, "vouch.payments.v1.PaymentsService").await,
        Err(Code::NotFound)
    );
}

#[tokio::test]
async fn reflection_lists_what_is_served_here_in_both_versions() {
    let served = serve("", async |_| Ok(())).await;
    let mut new = v1::server_reflection_client::ServerReflectionClient::new(served.channel().await);
    let ask = v1::ServerReflectionRequest {
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
        ..Default::default()
    };
    let mut answers = new
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .expect("v1")
        .into_inner();
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) = answers
        .message()
        .await
        .expect("answered")
        .expect("one answer")
        .message_response
    else {
        panic!("no list of services");
    };
    let mut names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(
        names,
        ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", EARNINGS]
    );

    let mut old = v1alpha::server_reflection_client::ServerReflectionClient::new(served.channel().await);
    let ask = v1alpha::ServerReflectionRequest {
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(format!("{EARNINGS}.GetEarning")),
        ),
        ..Default::default()
    };
    let mut answers = old
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .expect("v1alpha")
        .into_inner();
    let answer = answers
        .message()
        .await
        .expect("answered")
        .expect("one answer")
        .message_response;
    let described = matches!(
        answer,
        Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_))
    );
    assert!(described, "{answer:?}");
}

#[tokio::test]
async fn a_deadline_ends_the_call_and_not_the_handler() {
    let done = Arc::new(Notify::new());
    let (tell, go) = (done.clone(), Arc::new(Notify::new()));
    let wait = go.clone();
    let served = serve("[server]\ndeadline = '100ms'", move |_| {
        let (tell, wait) = (tell.clone(), wait.clone());
        async move {
            wait.notified().await;
            tell.notify_one();
            Ok(())
        }
    })
    .await;
    let status = served
        .client()
        .await
        .get_earning(GetEarningRequest::default())
        .await
        .expect_err("too late");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    go.notify_one();
    timeout(PATIENCE, done.notified())
        .await
        .expect("the handler goes on to its end");
}

#[tokio::test]
async fn the_callers_own_deadline_is_honoured_by_the_server() {
    let served = serve("", async |_| std::future::pending().await).await;
    // The client watches this deadline, too, but calls it CANCELLED: only the server says DEADLINE_EXCEEDED.
    let mut request = Request::new(GetEarningRequest::default());
    request
        .metadata_mut()
        .insert("grpc-timeout", "1S".parse().expect("a value"));
    let call = async { served.client().await.get_earning(request).await };
    let status = timeout(PATIENCE, call)
        .await
        .expect("answered in time")
        .expect_err("too late");
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
}

#[tokio::test]
async fn a_client_that_leaves_does_not_take_the_handler_with_it() {
    let (begun, go, done) = (
        Arc::new(Notify::new()),
        Arc::new(Notify::new()),
        Arc::new(Notify::new()),
    );
    let script = (begun.clone(), go.clone(), done.clone());
    let served = serve("", move |_| {
        let (begun, go, done) = script.clone();
        async move {
            begun.notify_one();
            go.notified().await;
            done.notify_one();
            Ok(())
        }
    })
    .await;
    let mut client = served.client().await;
    let mut same_connection = client.clone();
    let call = tokio::spawn(async move { client.get_earning(GetEarningRequest::default()).await });
    timeout(PATIENCE, begun.notified())
        .await
        .expect("the handler has begun");
    call.abort();
    assert!(call.await.expect_err("aborted").is_cancelled());
    // An answer on the same connection: by now the server knows that the first call was given up.
    same_connection
        .refund_earning(RefundEarningRequest::default())
        .await
        .expect_err("permission denied");
    go.notify_one();
    timeout(PATIENCE, done.notified())
        .await
        .expect("the handler goes on to its end");
}

#[tokio::test]
async fn a_message_above_the_limit_is_refused() {
    let reached = Arc::new(AtomicBool::new(false));
    let seen = reached.clone();
    let served = serve("[server]\nmax_message_bytes = 1000", move |_| {
        seen.store(true, Ordering::SeqCst);
        async { Ok(()) }
    })
    .await;
    // Any message with one text in it is a well-formed request here: unknown fields are skipped.
    let channel = served.channel().await;
    let call = |bytes: usize| {
        let mut grpc = tonic::client::Grpc::new(channel.clone());
        async move {
            grpc.ready().await.expect("connected");
            let path = PathAndQuery::from_static("/vouch.payments.v1.EarningService/GetEarning");
            let codec = ProstCodec::<String, GetEarningResponse>::default();
            let request = support::signer("operator:test").call(Request::new(()))?;
            grpc.unary(request.map(|()| "x".repeat(bytes)), path, codec).await
        }
    };
    let status = call(2000).await.expect_err("too large");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().contains("at most 1000"), "{status}");
    assert!(!reached.load(Ordering::SeqCst));
    call(900).await.expect("small enough");
    assert!(reached.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_server_lives() {
    let calls = AtomicUsize::new(0);
    let served = serve("", move |_| {
        let first = calls.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            assert!(!first, "secret of the house");
            Ok(())
        }
    })
    .await;
    let mut client = served.client().await;
    let status = client
        .get_earning(GetEarningRequest::default())
        .await
        .expect_err("a panic");
    assert_eq!(status.code(), Code::Internal);
    assert!(!status.message().contains("secret"), "{status}");
    let answer = client
        .get_earning(GetEarningRequest::default())
        .await
        .expect("the same connection still works");
    assert_eq!(answer.into_inner(), support::scripted());
}

#[tokio::test]
async fn one_call_too_many_is_told_when_to_come_again() {
    let (arrived, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let script = (arrived.clone(), go.clone());
    let served = serve("[server]\nmax_concurrent_calls = 2", move |_| {
        let (arrived, go) = script.clone();
        async move {
            arrived.add_permits(1);
            go.acquire().await.expect("open").forget();
            Ok(())
        }
    })
    .await;
    let client = served.client().await;
    let call = || {
        let mut client = client.clone();
        tokio::spawn(async move { client.get_earning(GetEarningRequest::default()).await })
    };
    let running = [call(), call()];
    timeout(PATIENCE, arrived.acquire_many(2))
        .await
        .expect("both run")
        .expect("open")
        .forget();
    let status = call().await.expect("no panic").expect_err("one too many");
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.get_details_error_info().expect("a reason").reason, "OVERLOADED");
    assert!(status.get_details_retry_info().expect("a hint").retry_delay.is_some());
    // However busy, the probes are answered.
    health_of(&served, "").await.expect("answered");
    go.add_permits(3);
    for call in running {
        call.await.expect("no panic").expect("answered");
    }
    call().await.expect("no panic").expect("there is room again");
}

#[tokio::test]
async fn shutdown_waits_for_the_calls_that_run() {
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let script = (begun.clone(), go.clone());
    let served = serve("", move |_| {
        let (begun, go) = script.clone();
        async move {
            begun.notify_one();
            go.notified().await;
            Ok(())
        }
    })
    .await;
    let mut client = served.client().await;
    let call = tokio::spawn(async move { client.get_earning(GetEarningRequest::default()).await });
    timeout(PATIENCE, begun.notified())
        .await
        .expect("the handler has begun");
    let address = served.address;
    let mut stopping = tokio::spawn(served.stop());
    eventually(
        "the port is closed",
        PATIENCE,
        async || match tokio::net::TcpStream::connect(address).await {
            Ok(_) => Err("still accepted".to_owned()),
            Err(_) => Ok(()),
        },
    )
    .await;
    assert!(
        timeout(Duration::from_millis(50), &mut stopping).await.is_err(),
        "stopped before the call had ended"
    );
    go.notify_one();
    call.await
        .expect("no panic")
        .expect("answered although the server stops");
    assert_eq!(stopping.await.expect("no panic"), Stopped::Drained);
}

#[tokio::test]
async fn shutdown_waits_for_handlers_whose_client_has_left() {
    let (begun, go, done) = (
        Arc::new(Notify::new()),
        Arc::new(Notify::new()),
        Arc::new(AtomicBool::new(false)),
    );
    let script = (begun.clone(), go.clone(), done.clone());
    let served = serve("", move |_| {
        let (begun, go, done) = script.clone();
        async move {
            begun.notify_one();
            go.notified().await;
            done.store(true, Ordering::SeqCst);
            Ok(())
        }
    })
    .await;
    let mut client = served.client().await;
    let call = tokio::spawn(async move { client.get_earning(GetEarningRequest::default()).await });
    timeout(PATIENCE, begun.notified())
        .await
        .expect("the handler has begun");
    call.abort();
    let _ = call.await;
    let mut stopping = tokio::spawn(served.stop());
    assert!(
        timeout(Duration::from_millis(100), &mut stopping).await.is_err(),
        "the handler still runs"
    );
    go.notify_one();
    assert_eq!(stopping.await.expect("no panic"), Stopped::Drained);
    assert!(done.load(Ordering::SeqCst));
}

#[tokio::test]
async fn shutdown_is_bounded_when_a_client_never_goes_away() {
    let server = support::server(&config("")).with(Scripted::server(async |_| std::future::pending().await));
    let served = Served::start_with_patience(server, Duration::from_millis(200)).await;
    let mut client = served.client().await;
    let call = tokio::spawn(async move { client.get_earning(GetEarningRequest::default()).await });
    // A connection that never says a word, which tonic alone would wait for without end.
    let silent = tokio::net::TcpStream::connect(served.address).await.expect("connected");
    let stopped = timeout(PATIENCE, served.stop()).await.expect("bounded");
    assert_eq!(stopped, Stopped::TimedOut);
    drop(silent);
    call.abort();
}

#[tokio::test]
async fn open_streams_end_at_once_when_the_server_drains() {
    let served = serve("", async |_| Ok(())).await;
    let mut client = HealthClient::new(served.channel().await);
    let request = HealthCheckRequest { service: String::new() };
    let mut watch = client.watch(request).await.expect("watching").into_inner();
    watch.next().await.expect("the present state").expect("no error");
    let stopping = tokio::spawn(served.stop());
    let ended = timeout(PATIENCE, watch.next())
        .await
        .expect("at once")
        .expect("a status")
        .expect_err("the end");
    assert_eq!(ended.code(), Code::Unavailable);
    assert_eq!(stopping.await.expect("no panic"), Stopped::Drained);
}
