//! Project rooms.

use vouch_primitives::{NoteId, RoomId};
use vouch_proto::{Listed, Page, onboarding::v1 as pb};
use vouch_storage::idempotency::RequestKey;

use super::{App, count};
use crate::{
    domain::{Author, Counted, Note},
    error::Error,
    store::{people, rooms as store},
};

/// Writes a note into a project room.
#[derive(Clone, Debug)]
pub struct PostNote {
    /// Which room.
    pub room_id: RoomId,
    /// What is written; never empty.
    pub text: String,
}

impl App {
    /// Writes a note into a project room, behind all others.
    ///
    /// # Errors
    /// If there is no such room, they have written too many notes there today, or the database fails.
    pub async fn post_note(
        &self,
        key: &RequestKey,
        command: &PostNote,
        author: Author,
    ) -> Result<pb::PostNoteResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                if let Author::Talent(person) = author {
                    let person = people::find_person(&*txn, person).await?;
                    person
                        .ok_or_else(|| Error::not_found("room", command.room_id))?
                        .expect_open()?;
                }
                count(&txn, now, Counted::NotesOf(author, command.room_id)).await?;
                let note = Note {
                    id: NoteId::new(),
                    author,
                    text: command.text.clone(),
                    created_at: now,
                };
                if !store::add_note(&txn, command.room_id, &note).await? {
                    return Err(Error::not_found("room", command.room_id));
                }
                let note = Some(note.into());
                Ok(pb::PostNoteResponse { note })
            })
            .await
    }

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
