//! Project rooms.

use vouch_primitives::{NoteId, RoomId};

use super::App;
use crate::{domain::Note, error::Error, store::rooms as store};

/// Asks for one page of a room's notes.
#[derive(Clone, Copy, Debug)]
pub struct ListNotes {
    /// Which room.
    pub room_id: RoomId,
    /// How many at most.
    pub page_size: u64,
    /// The last one of the page before.
    pub after: Option<NoteId>,
}

/// One page of notes, the oldest first.
#[derive(Clone, Debug)]
pub struct NotePage {
    /// The notes.
    pub notes: Vec<Note>,
    /// The last one, if there are more after it.
    pub next: Option<NoteId>,
}

impl App {
    /// Reads one page of the notes of a project room.
    ///
    /// # Errors
    /// If there is no such room, or the database fails.
    pub async fn list_notes(&self, query: &ListNotes) -> Result<NotePage, Error> {
        let ListNotes {
            room_id,
            page_size,
            after,
        } = *query;
        // One more than asked for tells whether there is another page.
        let found = store::list_notes(self.db().reader(), room_id, after, page_size + 1).await?;
        let mut notes = found.ok_or_else(|| Error::not_found("room", room_id))?;
        let size = usize::try_from(page_size).unwrap_or(usize::MAX);
        let more = notes.len() > size;
        notes.truncate(size);
        let next = notes.last().filter(|_| more).map(|last| last.id);
        Ok(NotePage { notes, next })
    }
}
