//! The layer that lets callers in.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{GrpcService, is_open};
use crate::access::Gate;

#[derive(Clone, Debug)]
pub(super) struct AdmitLayer(pub(super) Gate);

impl<S> Layer<S> for AdmitLayer {
    type Service = Admit<S>;

    fn layer(&self, inner: S) -> Admit<S> {
        Admit {
            inner,
            gate: self.0.clone(),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Admit<S> {
    inner: S,
    gate: Gate,
}

impl<S> Service<Request<Body>> for Admit<S>
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

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        if is_open(&request) {
            return Box::pin(self.inner.call(request));
        }
        match self.gate.admit(request.uri().path(), request.headers()) {
            Ok((caller, policy)) => {
                // Nobody further in has any use for it, and a log cannot show what is not there.
                request.headers_mut().remove(http::header::AUTHORIZATION);
                request.extensions_mut().insert(caller);
                request.extensions_mut().insert(policy);
                Box::pin(self.inner.call(request))
            }
            Err(refused) => Box::pin(std::future::ready(Ok(refused.into_http()))),
        }
    }
}
