//! The outermost layer: each call is told (span, duration, status), and an open stream ends when the server drains.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use opentelemetry::metrics::Histogram;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tower::{Layer, Service};
use tracing::Instrument;

use super::{GrpcService, is_health_check, method_of};
use crate::body::EndingBody;
use crate::grpc::status;
use crate::telemetry::call::Call;
use crate::telemetry::rpc::{self, Side};
use crate::telemetry::trace;

#[derive(Clone, Debug)]
pub(super) struct ObserveLayer {
    duration: Histogram<f64>,
    drain: CancellationToken,
}

impl ObserveLayer {
    pub(super) fn new(drain: CancellationToken) -> Self {
        Self {
            duration: rpc::duration_histogram(Side::Server),
            drain,
        }
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe {
            inner,
            layer: self.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Observe<S> {
    inner: S,
    layer: ObserveLayer,
}

impl<S> Service<Request<Body>> for Observe<S>
where
    S: GrpcService,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let drain = self.layer.drain.clone();
        let draining = async move {
            drain.cancelled().await;
            status::unavailable("the service is stopping", status::STOPPING)
        };
        let ending = |response: Response<Body>| response.map(|inner| Body::new(EndingBody::new(inner, draining)));
        // Probes come every few seconds for ever and would drown everything else.
        if is_health_check(&request) {
            let answer = self.inner.call(request);
            return Box::pin(async move { answer.await.map(ending) });
        }
        let call = Call::begin(Side::Server, method_of(request.uri().path()), &self.layer.duration);
        trace::continue_from(call.span(), request.headers());
        let answer = call
            .span()
            .in_scope(|| self.inner.call(request))
            .instrument(call.span().clone());
        Box::pin(async move { Ok(call.watch(ending(answer.await?))) })
    }
}
