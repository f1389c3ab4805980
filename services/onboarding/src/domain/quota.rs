//! What is counted by the day, so that nobody can flood anybody, or fill what belongs to all.

use std::fmt;

use vouch_primitives::{CaseId, ClientId, PersonId, RoomId, Timestamp, Uuid};

use super::{Author, EmailHash};

/// Something of which there is a most in a day of UTC, with whom it is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The verification mails that a person asks for.
    MailsAskedBy(PersonId),
    /// The mails to an address that ask whoever has it to verify it, or tell them that somebody has named it, because somebody
    /// has registered with it, who can be anybody.
    MailsTo(EmailHash),
    /// The same, because people have asked for them who are signed in. They are counted apart, so that no stranger uses up what
    /// the owner of an address needs.
    MailsAskedTo(EmailHash),
    /// The letters that tell of changes of one offer. The changes themselves are not counted.
    LettersOfChanges(CaseId),
    /// The notes that somebody writes in one project room.
    NotesOf(Author, RoomId),
    /// The tax forms that a person hands in.
    TaxFormsOf(PersonId),
    /// The versions of task templates that a client writes, or the platform.
    TemplatesOf(Option<ClientId>),
}

impl Counted {
    /// How many there may be in a day [default]. An address may get all that one person may ask for, and as many again.
    #[must_use]
    pub const fn a_day(&self) -> u32 {
        match self {
            Self::MailsAskedBy(_) => 5,
            Self::MailsTo(_) | Self::TaxFormsOf(_) => 10,
            Self::MailsAskedTo(_) => 20,
            Self::LettersOfChanges(_) => 3,
            Self::NotesOf(..) | Self::TemplatesOf(_) => 200,
        }
    }

    /// The kind's name, as in the database.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::MailsAskedBy(_) => "MAILS_ASKED_BY",
            Self::MailsTo(_) => "MAILS_TO",
            Self::MailsAskedTo(_) => "MAILS_ASKED_TO",
            Self::LettersOfChanges(_) => "LETTERS_OF_CHANGES",
            Self::NotesOf(Author::Talent(_), _) => "NOTES_OF_TALENT",
            Self::NotesOf(Author::Client(_), _) => "NOTES_OF_CLIENT",
            Self::TaxFormsOf(_) => "TAX_FORMS_OF",
            Self::TemplatesOf(_) => "TEMPLATES_OF",
        }
    }

    /// Whom it is counted for: an id, two of them, or the SHA-256 of an address.
    #[must_use]
    pub fn holder(&self) -> Vec<u8> {
        let id = match self {
            Self::MailsTo(email) | Self::MailsAskedTo(email) => return email.0.to_vec(),
            Self::NotesOf(author, room) => {
                let author = match author {
                    Author::Client(client) => client.as_uuid(),
                    Author::Talent(person) => person.as_uuid(),
                };
                return [author, room.as_uuid()].map(Uuid::into_bytes).concat();
            }
            Self::LettersOfChanges(case) => case.as_uuid(),
            Self::MailsAskedBy(person) | Self::TaxFormsOf(person) => person.as_uuid(),
            Self::TemplatesOf(client) => client.map_or(Uuid::nil(), ClientId::as_uuid),
        };
        id.as_bytes().to_vec()
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MailsAskedBy(_) => "verification e-mails are sent",
            Self::MailsTo(_) | Self::MailsAskedTo(_) => "e-mails are sent to this address",
            Self::LettersOfChanges(_) => "letters tell of changes of this offer",
            Self::NotesOf(..) => "notes are taken in this room",
            Self::TaxFormsOf(_) => "tax forms are taken",
            Self::TemplatesOf(_) => "versions of task templates are taken",
        })
    }
}

/// When the day ends whose count is used up: from then on there is more.
#[must_use]
pub fn day_after(now: Timestamp) -> Timestamp {
    now.start_of_day().add_days(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn a_day_ends_at_midnight_utc() {
        for moment in ["2026-03-01T00:00:00Z", "2026-03-01T23:59:59Z"] {
            assert_eq!(day_after(at(moment)), at("2026-03-02T00:00:00Z"), "{moment}");
        }
    }

    #[test]
    fn an_address_may_get_more_than_one_person_may_ask_for() {
        let (by, to) = (
            Counted::MailsAskedBy(PersonId::new()),
            Counted::MailsAskedTo(EmailHash([0; 32])),
        );
        assert!(to.a_day() > by.a_day());
    }
}
