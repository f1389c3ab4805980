//! A stream of an answer that ends, with a status, when something else happens first.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;

/// Passes the frames of `inner` on; when there is none at hand and `end` is ready, ends with its status.
pub(crate) struct EndingBody {
    inner: Body,
    end: BoxFuture<'static, Status>,
    ended: bool,
}

impl EndingBody {
    pub(crate) fn new(inner: Body, end: impl Future<Output = Status> + Send + 'static) -> Self {
        Self {
            inner,
            end: Box::pin(end),
            ended: false,
        }
    }
}

impl HttpBody for EndingBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let ready @ Poll::Ready(_) = Pin::new(&mut self.inner).poll_frame(cx) {
            return ready;
        }
        self.end.as_mut().poll(cx).map(|status| {
            self.ended = true;
            let mut trailers = HeaderMap::new();
            Some(status.add_header(&mut trailers).map(|()| Frame::trailers(trailers)))
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl fmt::Debug for EndingBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndingBody")
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
