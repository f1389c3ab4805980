//! Project rooms.

use vouch_primitives::{NoteId, RoomId};
use vouch_proto::{Listed, Page};

use super::App;
use crate::{domain::Note, error::Error, store::rooms as store};

impl App {
    /// Reads one page of the notes of a project room, the oldest first.
    ///
    /// # Errors
    /// If there is no such room, or the database fails.
    pub async fn list_notes(&self, room: RoomId, page: &Page<NoteId>) -> Result<Listed<Note, NoteId>, Error> {
        let found = store::list_notes(self.db().reader(), room, page.after, page.limit()).await?;
        let notes = found.ok_or_else(|| Error::not_found("room", room))?;
        Ok(page.cut(notes, |note| note.id))
    }
}
