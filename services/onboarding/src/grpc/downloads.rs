//! `DownloadDocument`: the document, and then its file in pieces.

use std::time::Duration;

use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use vouch_proto::onboarding::v1::{self as pb, download_document_response::Part};
use vouch_runtime::{
    access::Caller,
    grpc::{
        pieces::{self, IDLE},
        slots::Slots,
        status,
    },
};

use crate::app::{
    App,
    documents::{Download, ReadDocument},
};

/// How many downloads go on at a time; each holds a mebibyte.
const DOWNLOADS: usize = 32;
/// How many of them one caller may have: a client that reads takes nothing from whose documents it reads.
const DOWNLOADS_OF_ONE: usize = 4;
/// How large a piece is.
const PIECE: usize = 64 * 1024;
/// How long a download lasts at most.
const AT_MOST: Duration = Duration::from_secs(600);

/// The document, and its pieces.
pub(super) type Parts = ReceiverStream<Result<pb::DownloadDocumentResponse, Status>>;

type Told = mpsc::Sender<Result<pb::DownloadDocumentResponse, Status>>;

/// The counter of downloads.
pub(super) fn slots() -> Slots<Caller> {
    Slots::new(DOWNLOADS, DOWNLOADS_OF_ONE)
}

/// Begins a download. It goes only as fast as the caller reads, and ends when the caller leaves.
pub(super) async fn begin(
    app: &App,
    slots: &Slots<Caller>,
    caller: Caller,
    read: ReadDocument,
) -> Result<Parts, Status> {
    let download = app.begin_download(read).await?;
    let slot = slots.take(caller)?;
    let (told, parts) = mpsc::channel(1);
    tokio::spawn(async move {
        let _slot = slot;
        let refused = match timeout(AT_MOST, hand_out(download, &told)).await {
            Ok(Ok(())) => return,
            Ok(Err(refused)) => refused,
            Err(_) => status::deadline_exceeded("the download has taken too long"),
        };
        // An end without a word would look like the end of the file.
        pieces::tell(&told, Err(refused)).await;
    });
    Ok(ReceiverStream::new(parts))
}

async fn hand_out(mut download: Download, told: &Told) -> Result<(), Status> {
    if !tell(told, Part::Document(download.document.clone().into()), IDLE).await? {
        return Ok(());
    }
    while let Some(bytes) = download.next().await? {
        for piece in bytes.chunks(PIECE) {
            if !tell(told, Part::Data(piece.to_vec()), IDLE).await? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Whether somebody is there to hear it. Who takes nothing for long holds a place that others wait for.
async fn tell(told: &Told, part: Part, limit: Duration) -> Result<bool, Status> {
    let part = Some(part);
    let taken = timeout(limit, told.send(Ok(pb::DownloadDocumentResponse { part }))).await;
    let taken = taken.map_err(|_| status::deadline_exceeded("the next piece of the file has not been taken"))?;
    Ok(taken.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_takes_nothing_is_not_waited_for() {
        let (told, mut parts) = mpsc::channel(1);
        let piece = || Part::Data(vec![1]);
        assert!(tell(&told, piece(), IDLE).await.expect("room for one"));
        let refused = tell(&told, piece(), Duration::from_millis(20)).await;
        let refused = refused.expect_err("nobody takes it");
        assert_eq!(refused.code(), tonic::Code::DeadlineExceeded);
        parts.recv().await.expect("the first").expect("a piece");
        assert!(tell(&told, piece(), IDLE).await.expect("room again"));
        drop(parts);
        assert!(!tell(&told, piece(), IDLE).await.expect("nobody is there"));
    }
}
