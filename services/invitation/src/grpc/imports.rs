//! `ImportInvitations`: a stream of pieces of a CSV file in, a stream of progress out.
//!
//! ```text
//! messages ─► pieces of the file ─► rows, parsed in a thread of its own ─► batches ─► progress
//! ```
//!
//! Between each two there is room for a few, so that an import holds little in memory however long the file is, and a
//! file comes no faster than its rows are sent.

use std::{
    cell::Cell,
    io::{self, Cursor, Read},
    mem,
    rc::Rc,
    sync::Arc,
};

use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};
use sha2::{Digest, Sha256};
use tokio::{
    sync::{Semaphore, mpsc},
    time::Instant,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};
use vouch_proto::{Fields, Violation, Violations, invitation::v1 as pb};
use vouch_runtime::grpc::{
    parse_mutation,
    pieces::{IDLE, next_piece, tell},
    status,
};

use super::convert::{ImportInvitations, Template};
use crate::{
    app::{
        App,
        import::{Batch, Import},
    },
    domain::Draft,
};

/// How many imports go on at a time; each has a thread.
pub(super) const IMPORTS: usize = 8;

/// How many rows are sent in one transaction.
const ROWS: usize = 500;

/// How many rows a file may have.
const MOST_ROWS: u64 = 100_000;

/// How long a row may be, in bytes: one that never ends would be held in memory.
const LONGEST_ROW: usize = 256 * 1024;

/// The progress of one import.
pub(super) type Progress = ReceiverStream<Result<pb::ImportInvitationsResponse, Status>>;

/// Begins an import.
pub(super) async fn begin(
    app: &App,
    slots: &Arc<Semaphore>,
    request: Request<Streaming<pb::ImportInvitationsRequest>>,
) -> Result<Progress, Status> {
    let (metadata, extensions, mut messages) = request.into_parts();
    let mut first = messages.message().await?.unwrap_or_default();
    let head = (mem::take(&mut first.data), mem::take(&mut first.last));
    let (key, command) =
        parse_mutation::<_, ImportInvitations>(app, Request::from_parts(metadata, extensions, first)).await?;
    let slot = Arc::clone(slots).try_acquire_owned();
    let slot =
        slot.map_err(|_| status::unavailable("there are as many imports as the service takes on", status::OVERLOADED))?;
    let ImportInvitations {
        inviter,
        template,
        dry_run,
    } = command;

    let (pieces, file) = mpsc::channel(4);
    let (read, mut batches) = mpsc::channel(2);
    let (told, progress) = mpsc::channel(2);
    tokio::spawn(feed(head, messages, pieces));
    tokio::task::spawn_blocking(move || parse(file, &template, &read));
    let mut import = Import::new(app.clone(), key, inviter, dry_run);
    tokio::spawn(async move {
        let _slot = slot;
        // Who has left hears nothing more, and nothing more is sent.
        while let Some(batch) = batches.recv().await {
            let answer = match batch {
                Ok(batch) => import.take(batch).await.map_err(Status::from),
                Err(refused) => Err(refused),
            };
            let over = answer.is_err();
            if !tell(&told, answer).await || over {
                return;
            }
        }
        tell(&told, Ok(import.done())).await;
    });
    Ok(ReceiverStream::new(progress))
}

/// A piece of the file, or that no more will come although it is not at its end.
type Piece = Result<Vec<u8>, Status>;

async fn feed(
    (head, mut last): (Vec<u8>, bool),
    mut messages: Streaming<pb::ImportInvitationsRequest>,
    pieces: mpsc::Sender<Piece>,
) {
    let mut piece = Ok(head);
    loop {
        let broken = piece.is_err();
        if pieces.send(piece).await.is_err() || broken || last {
            return;
        }
        let next = next_piece(&mut messages, "data", Instant::now() + IDLE).await;
        piece = next.map(|message| {
            last = message.last;
            message.data
        });
    }
}

/// Reads the file to its end, or to its first mistake that makes the rest unreadable.
fn parse(file: mpsc::Receiver<Piece>, template: &Template, batches: &mpsc::Sender<Result<Batch, Status>>) {
    let row_bytes = Rc::new(Cell::new(0));
    let mut reader = ReaderBuilder::new()
        .trim(Trim::Headers)
        .flexible(false)
        .from_reader(Pieces {
            file,
            piece: Cursor::default(),
            ended: false,
            row_bytes: Rc::clone(&row_bytes),
        });
    if let Err(refused) = read_rows(&mut reader, template, &row_bytes, |batch| {
        batches.blocking_send(Ok(batch)).is_ok()
    }) {
        // Who has left is told nothing.
        let _ = batches.blocking_send(Err(refused));
    }
}

fn read_rows(
    reader: &mut csv::Reader<Pieces>,
    template: &Template,
    row_bytes: &Cell<usize>,
    mut send: impl FnMut(Batch) -> bool,
) -> Result<(), Status> {
    let headers = reader.headers().map_err(unreadable)?;
    let columns = Columns::of(headers)?;
    let head = Sha256::new().chain_update(headers.as_slice()).chain_update([0]);
    let (mut rows, mut hash, mut count) = (Vec::with_capacity(ROWS), head.clone(), 0);
    let mut record = ByteRecord::new();
    loop {
        row_bytes.set(0);
        let draft = match reader.read_byte_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {
                for field in &record {
                    hash.update(field.len().to_le_bytes());
                    hash.update(field);
                }
                columns.draft(template, &record)
            }
            Err(error) => match error.kind() {
                csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                    hash.update(len.to_le_bytes());
                    Err(row_violation(format!("has {len} columns, not {expected_len}")))
                }
                _ => return Err(unreadable(error)),
            },
        };
        count += 1;
        if count > MOST_ROWS {
            return Err(refuse("OUT_OF_RANGE", "has more than 100,000 rows"));
        }
        rows.push((line_of(&record, reader.position()), draft));
        if rows.len() == ROWS {
            let batch = Batch {
                rows: mem::replace(&mut rows, Vec::with_capacity(ROWS)),
                hash: mem::replace(&mut hash, head.clone()).finalize().into(),
            };
            if !send(batch) {
                return Ok(());
            }
        }
    }
    if !rows.is_empty() {
        let hash = hash.finalize().into();
        send(Batch { rows, hash });
    }
    Ok(())
}

/// The line at which a record begins, when the reader stands at the beginning of the line after it. What csv says itself
/// is where it began to look for the record, before empty lines.
fn line_of(record: &ByteRecord, after: &csv::Position) -> u64 {
    let inside = record.as_slice().iter().filter(|byte| **byte == b'\n').count();
    let lines = u64::try_from(inside).unwrap_or(0) + 1;
    after.line().saturating_sub(lines)
}

/// Where the columns stand.
struct Columns {
    email: usize,
    name: Option<usize>,
    message: Option<usize>,
}

impl Columns {
    fn of(headers: &StringRecord) -> Result<Self, Status> {
        let find = |name: &str| headers.iter().position(|header| header == name);
        let known = ["recipient_email", "recipient_name", "personal_message"];
        let strange = headers.iter().find(|header| !known.contains(header));
        if let Some(strange) = strange.filter(|_| !headers.is_empty()) {
            let shown: String = strange.chars().take(50).collect();
            return Err(refuse(
                "INVALID_FORMAT",
                &format!("has a column {shown:?}; there are {}", known.join(", ")),
            ));
        }
        let email = find(known[0]);
        Ok(Self {
            email: email.ok_or_else(|| {
                refuse(
                    "REQUIRED",
                    "must begin with the names of the columns, recipient_email among them",
                )
            })?,
            name: find(known[1]),
            message: find(known[2]),
        })
    }

    fn draft(&self, template: &Template, record: &ByteRecord) -> Result<Draft, Violations> {
        let mut fields = Fields::new();
        let mut text = |column: &str, at: Option<usize>| {
            let bytes = at.and_then(|at| record.get(at)).unwrap_or_default();
            let text = std::str::from_utf8(bytes).ok();
            if text.is_none() {
                fields.refuse(column, "INVALID_FORMAT", "must be UTF-8");
            }
            text.unwrap_or_default().trim()
        };
        let email = text("recipient_email", Some(self.email));
        let name = text("recipient_name", self.name);
        let message = text("personal_message", self.message);
        match template.draft(&mut fields, email, name, message) {
            Some(draft) => fields.finish(draft),
            None => Err(fields.into()),
        }
    }
}

/// The pieces as one file, whose lines all end with a line feed and nothing else. It is read in a thread that may wait.
struct Pieces {
    file: mpsc::Receiver<Piece>,
    piece: Cursor<Vec<u8>>,
    ended: bool,
    /// How much was read since the last row ended.
    row_bytes: Rc<Cell<usize>>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.row_bytes.get() > LONGEST_ROW {
            return Err(io::Error::other(refuse("TOO_LONG", "has a row of more than 256 KiB")));
        }
        loop {
            let read = self.piece.read(buffer)?;
            let read = without_returns(&mut buffer[..read]);
            if read > 0 {
                self.row_bytes.set(self.row_bytes.get() + read);
                return Ok(read);
            }
            match self.file.blocking_recv() {
                Some(Ok(piece)) => self.piece = Cursor::new(piece),
                Some(Err(status)) => return Err(io::Error::other(status)),
                None if self.ended => return Ok(0),
                None => {
                    self.ended = true;
                    self.piece = Cursor::new(b"\n".to_vec());
                }
            }
        }
    }
}

/// Takes the carriage returns out and gives the new length.
fn without_returns(bytes: &mut [u8]) -> usize {
    let mut kept = 0;
    for at in 0..bytes.len() {
        if bytes[at] != b'\r' {
            bytes[kept] = bytes[at];
            kept += 1;
        }
    }
    kept
}

/// The status that stopped the file, or what is wrong with it.
fn unreadable(error: csv::Error) -> Status {
    let description = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(error) => match error.downcast::<Status>() {
            Ok(status) => status,
            Err(_) => refuse("INVALID_FORMAT", &description),
        },
        _ => refuse("INVALID_FORMAT", &description),
    }
}

fn refuse(reason: &'static str, description: &str) -> Status {
    let mut fields = Fields::new();
    fields.refuse("data", reason, description);
    status::invalid_argument(&fields.into())
}

fn row_violation(description: String) -> Violations {
    let field = String::new();
    let reason = "INVALID_FORMAT";
    Violations(vec![Violation {
        field,
        reason,
        description,
    }])
}
