//! Project rooms: where talent and client write to one another. The first note is the message with which the offer
//! was accepted [B28].

use vouch_primitives::{ClientId, NoteId, PersonId, Timestamp};

/// A note in a project room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its id.
    pub id: NoteId,
    /// Who wrote it.
    pub author: Author,
    /// What they wrote, plain text.
    pub text: String,
    /// When.
    pub created_at: Timestamp,
}

/// Who writes in a project room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// The talent.
    Talent(PersonId),
    /// The client, in the name of its hiring manager.
    Client(ClientId),
}
