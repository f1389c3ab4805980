//! What is counted by the day, so that nobody can flood anybody, or fill what belongs to all.

use std::fmt;

use vouch_primitives::{CaseId, PersonId, Timestamp};

use super::{Author, EmailHash};

/// Something of which there is a most in a day of UTC, with whom it is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// The verification mails that a person asks for.
    MailsAskedBy(PersonId),
    /// The mails to an address that ask whoever has it to verify it, or tell them that somebody has named it.
    MailsTo(EmailHash),
    /// The letters that tell of changes of one offer. The changes themselves are not counted.
    LettersOfChanges(CaseId),
    /// The notes that somebody writes in all their project rooms.
    NotesOf(Author),
    /// The tax forms that a person hands in.
    TaxFormsOf(PersonId),
}

impl Counted {
    /// How many there may be in a day [default]. An address may get all that one person may ask for, and as many again.
    #[must_use]
    pub const fn a_day(&self) -> u32 {
        match self {
            Self::MailsAskedBy(_) => 5,
            Self::MailsTo(_) | Self::TaxFormsOf(_) => 10,
            Self::LettersOfChanges(_) => 3,
            Self::NotesOf(_) => 200,
        }
    }

    /// The kind's name, as in the database.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::MailsAskedBy(_) => "MAILS_ASKED_BY",
            Self::MailsTo(_) => "MAILS_TO",
            Self::LettersOfChanges(_) => "LETTERS_OF_CHANGES",
            Self::NotesOf(Author::Talent(_)) => "NOTES_OF_TALENT",
            Self::NotesOf(Author::Client(_)) => "NOTES_OF_CLIENT",
            Self::TaxFormsOf(_) => "TAX_FORMS_OF",
        }
    }

    /// Whom it is counted for: an id, or the SHA-256 of an address.
    #[must_use]
    pub fn holder(&self) -> Vec<u8> {
        match self {
            Self::MailsTo(email) => email.0.to_vec(),
            Self::LettersOfChanges(case) => case.as_uuid().as_bytes().to_vec(),
            Self::NotesOf(Author::Client(client)) => client.as_uuid().as_bytes().to_vec(),
            Self::MailsAskedBy(person) | Self::TaxFormsOf(person) | Self::NotesOf(Author::Talent(person)) => {
                person.as_uuid().as_bytes().to_vec()
            }
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MailsAskedBy(_) => "verification e-mails are sent",
            Self::MailsTo(_) => "e-mails are sent to this address",
            Self::LettersOfChanges(_) => "letters tell of changes of this offer",
            Self::NotesOf(_) => "notes are taken",
            Self::TaxFormsOf(_) => "tax forms are taken",
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
            Counted::MailsTo(EmailHash([0; 32])),
        );
        assert!(to.a_day() > by.a_day());
    }
}
