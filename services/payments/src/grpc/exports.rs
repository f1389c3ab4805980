//! Files, handed out in pieces.

use std::{sync::Arc, time::Duration};

use sha2::{Digest, Sha256};
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use vouch_proto::payments::v1::{self as pb, file_part::Part};
use vouch_runtime::grpc::{pieces, status};

use crate::app::documents::Export;

/// How many files are handed out at a time; each holds some hundred kilobytes.
const FILES: usize = 64;
/// How large a piece is.
const PIECE: usize = 64 * 1024;
/// How long it may take, whether the caller reads or not.
const AT_MOST: Duration = Duration::from_secs(600);

/// The parts of a file, each in the answer of its method.
pub(super) type Parts<R> = ReceiverStream<Result<R, Status>>;

/// How many more files may be handed out. Clones share the count.
#[derive(Clone, Debug)]
pub(super) struct Slots(Arc<Semaphore>);

impl Default for Slots {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(FILES)))
    }
}

/// Begins to hand a file out. It goes only as fast as the caller reads, and ends when the caller leaves.
pub(super) fn begin<R>(slots: &Slots, export: Export, answer: fn(pb::FilePart) -> R) -> Result<Parts<R>, Status>
where
    R: Send + 'static,
{
    let too_many = |_| {
        status::unavailable(
            "there are as many of these streams as the service takes on",
            status::OVERLOADED,
        )
    };
    let slot = Arc::clone(&slots.0).try_acquire_owned().map_err(too_many)?;
    let (told, parts) = mpsc::channel(1);
    tokio::spawn(async move {
        let _slot = slot;
        let refused = match timeout(AT_MOST, hand_out(export, &told, answer)).await {
            Ok(Ok(())) => return,
            Ok(Err(refused)) => refused,
            Err(_) => status::deadline_exceeded("the file has taken too long"),
        };
        // An end without a word would look like the end of the file.
        pieces::tell(&told, Err(refused)).await;
    });
    Ok(ReceiverStream::new(parts))
}

async fn hand_out<R>(
    mut export: Export,
    told: &mpsc::Sender<Result<R, Status>>,
    answer: fn(pb::FilePart) -> R,
) -> Result<(), Status> {
    let head = pb::FileHead {
        file_name: export.name.clone(),
        media_type: export.format.media_type().to_owned(),
    };
    if !tell(told, answer, Part::Head(head)).await {
        return Ok(());
    }
    let (mut hash, mut size) = (Sha256::new(), 0);
    while let Some(bytes) = export.next().await? {
        hash.update(&bytes);
        size += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        for piece in bytes.chunks(PIECE) {
            if !tell(told, answer, Part::Data(piece.to_vec())).await {
                return Ok(());
            }
        }
    }
    let sha256 = hash.finalize().to_vec();
    tell(told, answer, Part::End(pb::FileEnd { sha256, size })).await;
    Ok(())
}

/// Whether somebody is there to hear it.
async fn tell<R>(told: &mpsc::Sender<Result<R, Status>>, answer: fn(pb::FilePart) -> R, part: Part) -> bool {
    told.send(Ok(answer(pb::FilePart { part: Some(part) }))).await.is_ok()
}
