//! From the wire to commands, with every violation told at once; and from the domain to the wire.

mod accounts;
mod cases;
mod documents;
mod forms;
mod profiles;
mod search;
mod task_templates;
mod tasks;
mod taxes;

use std::{fmt::Display, str::FromStr};

pub(super) use search::Search;

use vouch_primitives::{DocumentId, NoteId, PersonId, RoomId};
use vouch_proto::{Fields, Page};

use crate::domain::{agency::AGENCY_NAME_LENGTH, template::MAX_TEMPLATES};

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

/// A text that must be one of a kind.
fn known<T: FromStr<Err: Display>>(fields: &mut Fields, field: &str, text: &str) -> Option<T> {
    if text.is_empty() {
        fields.refuse(field, "REQUIRED", "is required");
        return None;
    }
    text.parse()
        .map_err(|error: T::Err| fields.refuse(field, "INVALID_FORMAT", error.to_string()))
        .ok()
}

/// The page size of a list that callers get as a whole unless they ask for less of it.
const fn all_unless(page_size: u32) -> u32 {
    match page_size {
        0 => 2 * MAX_TEMPLATES,
        asked => asked,
    }
}

/// Reads the name of an agency, which may be left out [B30].
fn agency_name(fields: &mut Fields, name: &str) -> Option<Option<String>> {
    match name.trim() {
        "" => Some(None),
        name => fields.line("agency_name", name, AGENCY_NAME_LENGTH).map(Some),
    }
}
