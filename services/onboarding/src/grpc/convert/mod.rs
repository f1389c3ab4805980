//! From the wire to commands, with every violation told at once; and from the domain to the wire.

mod accounts;
mod cases;
mod documents;

use vouch_primitives::{DocumentId, NoteId, PersonId, RoomId};
use vouch_proto::Page;

/// A request that names one thing by its id.
pub(super) struct Id<I>(pub(super) I);

/// Asks for one page of a room's notes.
pub(super) struct ListNotes {
    pub(super) room_id: RoomId,
    pub(super) page: Page<NoteId>,
}

/// Asks for one page of a person's documents.
pub(super) struct ListDocuments {
    pub(super) person_id: PersonId,
    pub(super) page: Page<DocumentId>,
}
