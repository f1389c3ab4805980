//! The size limit of request messages, checked before a byte of the message is kept.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};

use crate::grpc::status;

/// A gRPC frame begins with one byte of flags and four of length.
const PREFIX: usize = 5;

/// A request body that fails with RESOURCE_EXHAUSTED at the first message prefix that announces too much.
#[derive(Debug)]
pub(super) struct LimitedBody {
    inner: Body,
    max_bytes: u32,
    prefix: Vec<u8>,
    /// Bytes of the present message still to come.
    rest: usize,
}

impl LimitedBody {
    pub(super) fn new(inner: Body, max_bytes: u32) -> Self {
        Self {
            inner,
            max_bytes,
            prefix: Vec::with_capacity(PREFIX),
            rest: 0,
        }
    }

    fn check(&mut self, mut data: Bytes) -> Result<(), Status> {
        while data.has_remaining() {
            let skip = self.rest.min(data.len());
            data.advance(skip);
            self.rest -= skip;
            let missing = (PREFIX - self.prefix.len()).min(data.len());
            if self.rest == 0 && missing > 0 {
                self.prefix.extend_from_slice(&data.split_to(missing));
            }
            if let [_, length @ ..] = self.prefix.as_slice()
                && let Ok(length) = <[u8; 4]>::try_from(length)
            {
                self.begin(u32::from_be_bytes(length))?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, length: u32) -> Result<(), Status> {
        if length > self.max_bytes {
            let max = self.max_bytes;
            return Err(status::with_reason(
                Code::ResourceExhausted,
                status::MESSAGE_TOO_LARGE,
                format!("the request has {length} bytes, at most {max} are taken"),
            ));
        }
        self.prefix.clear();
        self.rest = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(())
    }
}

impl HttpBody for LimitedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            other => return Poll::Ready(other),
        };
        let checked = frame.data_ref().cloned().map_or(Ok(()), |data| self.check(data));
        Poll::Ready(Some(checked.map(|()| frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(PREFIX + usize::try_from(length).expect("a small message"), 7);
        bytes
    }

    #[test]
    fn each_message_is_measured_however_the_bytes_are_cut() {
        let stream: Vec<u8> = [message(10), message(0), message(3), message(11)].concat();
        for cut in 1..stream.len() {
            let mut body = LimitedBody::new(Body::empty(), 10);
            let mut seen = 0;
            let refused = stream.chunks(cut).find_map(|chunk| {
                seen += chunk.len();
                body.check(Bytes::copy_from_slice(chunk)).err()
            });
            let status = refused.expect("the message of 11 bytes is refused");
            assert_eq!(status.code(), Code::ResourceExhausted);
            assert!(
                seen >= 33,
                "refused before the prefix of the fourth message was there, in pieces of {cut}"
            );
        }
    }
}
