//! What comes and goes in pieces. Who lets the service wait for long holds a place that others wait for.

use std::time::Duration;

use tokio::{
    sync::mpsc::Sender,
    time::{Instant, timeout, timeout_at},
};
use tonic::{Status, Streaming};
use vouch_proto::Fields;

use super::status;

/// How long a caller may let the service wait for the next piece, or for the next answer to be taken.
pub const IDLE: Duration = Duration::from_secs(60);

/// The next piece of what a caller sends in `field`. A stream that ends before its last piece was cut off: it looks like
/// one that its caller has ended.
///
/// # Errors
/// INVALID_ARGUMENT with INCOMPLETE if there is none, DEADLINE_EXCEEDED if it has not come by `due`.
pub async fn next_piece<R>(messages: &mut Streaming<R>, field: &str, due: Instant) -> Result<R, Status> {
    match timeout_at(due, messages.message()).await {
        Ok(Ok(Some(piece))) => Ok(piece),
        Ok(Ok(None)) => Err(incomplete(field, "ends before the piece that is marked as the last")),
        // What the house says has a reason; what the transport says has none.
        Ok(Err(told)) if !told.details().is_empty() => Err(told),
        Ok(Err(_)) => Err(incomplete(field, "broke off")),
        Err(_) => Err(status::deadline_exceeded("the next piece has not come")),
    }
}

/// Gives an answer, and says whether somebody has taken it in time.
pub async fn tell<R>(told: &Sender<Result<R, Status>>, answer: Result<R, Status>) -> bool {
    matches!(timeout(IDLE, told.send(answer)).await, Ok(Ok(())))
}

fn incomplete(field: &str, description: &str) -> Status {
    let mut fields = Fields::new();
    fields.refuse(field, "INCOMPLETE", description);
    status::invalid_argument(&fields.into())
}
