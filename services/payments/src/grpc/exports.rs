//! Files, handed out in pieces.

use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::{sync::mpsc, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use vouch_proto::payments::v1::{self as pb, file_part::Part};
use vouch_runtime::{
    access::Caller,
    grpc::{pieces, slots::Slots, status},
};

use crate::app::documents::Export;

/// How many files are handed out at a time; each holds some hundred kilobytes.
const FILES: usize = 64;
/// How many of them one caller may have.
const FILES_OF_ONE: usize = 8;
/// How large a piece is.
const PIECE: usize = 64 * 1024;
/// How long it may take, whether the caller reads or not.
const AT_MOST: Duration = Duration::from_secs(600);

/// The parts of a file, each in the answer of its method.
pub(super) type Parts<R> = ReceiverStream<Result<R, Status>>;

/// The counter of files.
pub(super) fn slots() -> Slots<Caller> {
    Slots::new(FILES, FILES_OF_ONE)
}

/// Begins to hand a file out. It goes only as fast as the caller reads, and ends when the caller leaves.
pub(super) fn begin<R>(
    slots: &Slots<Caller>,
    caller: Caller,
    export: Export,
    answer: fn(pb::FilePart) -> R,
) -> Result<Parts<R>, Status>
where
    R: Send + 'static,
{
    let slot = slots.take(caller)?;
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

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;
    use tonic::Code;
    use vouch_primitives::{ClientId, PersonId};

    use super::*;

    #[tokio::test]
    async fn who_reads_nothing_leaves_room_for_others() {
        let slots = slots();
        let [ada, acme] = [Caller::Person(PersonId::new()), Caller::Client(ClientId::new())];
        let begun = |caller: &Caller| {
            let export = Export::of_bytes("file.csv", vec![b'x'; 4 * PIECE]);
            begin(&slots, caller.clone(), export, |part| part)
        };
        let held: Vec<_> = (0..FILES_OF_ONE).map(|_| begun(&ada).expect("a file")).collect();
        let refused = begun(&ada).expect_err("one too many");
        assert_eq!(refused.code(), Code::Unavailable);
        begun(&acme).expect("another caller's");
        drop(held);
        while begun(&ada).is_err() {
            yield_now().await;
        }
    }
}
