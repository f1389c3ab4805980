//! Project rooms: where talent and client write to one another. The first note is the message with which the offer
//! was accepted [B28].

use vouch_primitives::{NoteId, PersonId, Timestamp};

/// A note in a project room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its id; notes of a room are read in this order.
    pub id: NoteId,
    /// Who wrote it.
    pub person_id: PersonId,
    /// What they wrote, plain text.
    pub text: String,
    /// When.
    pub created_at: Timestamp,
}
