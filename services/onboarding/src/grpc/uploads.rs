//! `UploadDocument`: a stream of the pieces of a file in, one answer out.
//!
//! Each piece is written away before the next one is asked for, so that an upload holds no more than one in memory. What is
//! known to be bad is answered at once, however much is still to come.

use std::{mem, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};
use vouch_primitives::PersonId;
use vouch_proto::onboarding::v1 as pb;
use vouch_runtime::grpc::{
    parse_mutation,
    pieces::{IDLE, next_piece},
    slots::Slots,
    status,
};

use crate::app::{
    App,
    documents::{Upload, UploadDocument},
};

/// How many uploads go on at a time.
const UPLOADS: usize = 16;
/// How many of them one person may have.
const UPLOADS_OF_ONE: usize = 2;
/// How many bytes have to come in the time in which another piece has to: who sends a byte now and then holds a place that
/// others wait for.
const PROGRESS: usize = 64 * 1024;
/// How long an upload may last: 25 MiB come in this time over half a megabit a second.
const AT_MOST: Duration = Duration::from_secs(600);

/// The answer, once it is there.
pub(super) type Answer = ReceiverStream<Result<pb::UploadDocumentResponse, Status>>;

type Pieces = Streaming<pb::UploadDocumentRequest>;

/// The counter of uploads.
pub(super) fn slots() -> Slots<PersonId> {
    Slots::new(UPLOADS, UPLOADS_OF_ONE)
}

/// Begins an upload.
pub(super) async fn begin(app: &App, slots: &Slots<PersonId>, request: Request<Pieces>) -> Result<Answer, Status> {
    let (metadata, extensions, mut pieces) = request.into_parts();
    let mut first = pieces.message().await?.unwrap_or_default();
    let head = (mem::take(&mut first.data), mem::take(&mut first.last));
    let (key, command) =
        parse_mutation::<_, UploadDocument>(app, Request::from_parts(metadata, extensions, first)).await?;
    let slot = slots.take(command.person_id)?;
    let upload = app.begin_upload(key, command).await?;
    let (told, answer) = mpsc::channel(1);
    tokio::spawn(async move {
        let _slot = slot;
        let late = || status::deadline_exceeded("the upload has taken too long");
        let taken = timeout(AT_MOST, take(upload, head, pieces)).await;
        // Who has left hears nothing.
        let _ = told.send(taken.unwrap_or_else(|_| Err(late()))).await;
    });
    Ok(ReceiverStream::new(answer))
}

async fn take(
    mut upload: Upload,
    (mut piece, mut last): (Vec<u8>, bool),
    mut pieces: Pieces,
) -> Result<pb::UploadDocumentResponse, Status> {
    let mut pace = Pace::begin(Instant::now());
    loop {
        upload.take(&piece).await?;
        if last {
            return Ok(upload.finish().await?);
        }
        pace.came(piece.len(), Instant::now());
        let next = next_piece(&mut pieces, "data", pace.due).await?;
        (piece, last) = (next.data, next.last);
    }
}

/// How fast a file comes.
struct Pace {
    /// When the next bytes have to be there.
    due: Instant,
    /// How many have come since that was said.
    came: usize,
}

impl Pace {
    fn begin(now: Instant) -> Self {
        Self {
            due: now + IDLE,
            came: 0,
        }
    }

    fn came(&mut self, bytes: usize, now: Instant) {
        self.came = self.came.saturating_add(bytes);
        if self.came >= PROGRESS {
            *self = Self::begin(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_now_and_then_is_no_progress() {
        let begun = Instant::now();
        let mut pace = Pace::begin(begun);
        for second in 1..60 {
            pace.came(1, begun + Duration::from_secs(second));
        }
        assert_eq!(pace.due, begun + IDLE);
        let late = begun + IDLE - Duration::from_secs(1);
        pace.came(PROGRESS - 59, late);
        assert_eq!(pace.due, late + IDLE);
        pace.came(PROGRESS - 1, late);
        assert_eq!(pace.due, late + IDLE);
    }
}
