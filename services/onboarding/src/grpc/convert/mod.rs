//! From the wire to commands, with every violation told at once; and from the domain to the wire.

mod accounts;
mod cases;
mod profiles;
mod search;

pub(super) use search::Search;

use vouch_primitives::{NoteId, RoomId};
use vouch_proto::Page;

/// A request that names one thing by its id.
pub(super) struct Id<I>(pub(super) I);

/// Asks for one page of a room's notes.
pub(super) struct ListNotes {
    pub(super) room_id: RoomId,
    pub(super) page: Page<NoteId>,
}
