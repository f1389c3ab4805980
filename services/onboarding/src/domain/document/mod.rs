//! Documents that people upload [B20, F16]: what they are called, what they are, and when they may be handed on.
//!
//! | module | holds |
//! |---|---|
//! | [`sniffer`] | which type a file is of, while its bytes stream in |
//! | [`docx`] | what a DOCX has in it, by the directory at its end |
//! | [`parts`] | whether its parts are what the directory says, and no programs |

pub mod docx;
pub mod parts;
pub mod sniffer;

use std::{error::Error, fmt, ops::RangeInclusive, str::FromStr};

use vouch_primitives::{DocumentId, PersonId, StoredFileId, Timestamp};

/// How large a file may be, in bytes; the service may be configured to take less.
pub const MOST_BYTES: u64 = 25 * 1024 * 1024;
/// How long the name of a file may be, in characters.
pub const FILE_NAME_LENGTH: RangeInclusive<usize> = 1..=200;
/// How long the words may be that say what a document is for, in characters.
pub const PURPOSE_LENGTH: RangeInclusive<usize> = 0..=200;
/// How long the reason may be for which a document is rejected, in characters.
pub const REASON_LENGTH: RangeInclusive<usize> = 1..=2000;
/// How many documents a person may have: more than any onboarding asks for, and an end to what one account can fill.
pub const MOST_OF_ONE: u64 = 200;
/// How many of them as long as nobody knows who it is: their address is not verified.
pub const MOST_OF_UNVERIFIED: u64 = 10;

/// A file that a person has uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its id.
    pub id: DocumentId,
    /// Whose it is.
    pub person_id: PersonId,
    /// The name under which its bytes are kept: random, and told to nobody.
    pub stored_as: StoredFileId,
    /// What it is called.
    pub file_name: FileName,
    /// What it is for, in its owner's words; may be empty.
    pub purpose: String,
    /// How large it is, in bytes.
    pub size: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// Whether it may be handed on.
    pub state: DocumentState,
    /// When it was uploaded.
    pub created_at: Timestamp,
}

/// Whether a document may be handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentState {
    /// Its bytes are on their way into their store. Nobody sees it yet.
    Uploading,
    /// Nobody has looked at it.
    Quarantined,
    /// It was found good.
    Released {
        /// When.
        at: Timestamp,
    },
    /// It was found bad.
    Rejected {
        /// When.
        at: Timestamp,
        /// Why, for its owner to read.
        reason: String,
    },
}

/// What came of deciding about a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// It is decided from now on.
    Now,
    /// It had been decided so before; nothing has changed.
    Before,
}

/// Why something cannot be done with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentRefusal {
    /// It was released before.
    Released,
    /// It was rejected before.
    Rejected,
    /// Something rests on it.
    InUse,
    /// Its owner has as many as a person may have.
    TooMany,
}

impl Document {
    /// What it is. Its name says so, and was held against its content.
    #[must_use]
    pub const fn content_type(&self) -> ContentType {
        self.file_name.content_type
    }

    /// All bytes are kept: it goes into quarantine.
    pub fn arrive(&mut self, now: Timestamp) {
        (self.state, self.created_at) = (DocumentState::Quarantined, now);
    }

    /// Lets it out of quarantine. Again is a normal outcome.
    ///
    /// # Errors
    /// If it was rejected.
    pub fn release(&mut self, now: Timestamp) -> Result<Decided, DocumentRefusal> {
        match self.state {
            DocumentState::Released { .. } => Ok(Decided::Before),
            DocumentState::Rejected { .. } => Err(DocumentRefusal::Rejected),
            DocumentState::Uploading | DocumentState::Quarantined => {
                self.state = DocumentState::Released { at: now };
                Ok(Decided::Now)
            }
        }
    }

    /// Keeps it in quarantine for good. Again is a normal outcome, and the first reason stays.
    ///
    /// # Errors
    /// If it was released.
    pub fn reject(&mut self, now: Timestamp, reason: String) -> Result<Decided, DocumentRefusal> {
        match self.state {
            DocumentState::Rejected { .. } => Ok(Decided::Before),
            DocumentState::Released { .. } => Err(DocumentRefusal::Released),
            DocumentState::Uploading | DocumentState::Quarantined => {
                self.state = DocumentState::Rejected { at: now, reason };
                Ok(Decided::Now)
            }
        }
    }
}

impl fmt::Display for DocumentRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Released => f.write_str("the document was released before"),
            Self::Rejected => f.write_str("the document was rejected before"),
            Self::InUse => f.write_str("something rests on the document"),
            Self::TooMany => write!(
                f,
                "a person may have {MOST_OF_ONE} documents, {MOST_OF_UNVERIFIED} before the address is verified: delete one first"
            ),
        }
    }
}

impl Error for DocumentRefusal {}

/// The types of files that are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// Portable Document Format.
    Pdf,
    /// Portable Network Graphics.
    Png,
    /// A JPEG image.
    Jpeg,
    /// A text document of Office Open XML.
    Docx,
}

impl ContentType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pdf, Self::Png, Self::Jpeg, Self::Docx];

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Pdf => "application/pdf",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        }
    }

    /// How the names of such files end.
    const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Pdf => &["pdf"],
            Self::Png => &["png"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Docx => &["docx"],
        }
    }
}

impl fmt::Display for ContentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pdf => "PDF",
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Docx => "DOCX",
        })
    }
}

/// What a file is called. It is shown, and never used as a path; all the same it cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName {
    text: String,
    content_type: ContentType,
}

/// Why a text cannot be the name of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidFileName {
    /// It is empty, or longer than names may be.
    Length,
    /// It has characters that nobody sees.
    Control,
    /// It could be read as a path.
    Path,
    /// It does not end as the name of a file that is taken.
    Ending,
}

impl FileName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What its ending says that the file is.
    #[must_use]
    pub const fn content_type(&self) -> ContentType {
        self.content_type
    }
}

impl FromStr for FileName {
    type Err = InvalidFileName;

    fn from_str(text: &str) -> Result<Self, InvalidFileName> {
        if !FILE_NAME_LENGTH.contains(&text.chars().count()) {
            return Err(InvalidFileName::Length);
        }
        if text.chars().any(char::is_control) {
            return Err(InvalidFileName::Control);
        }
        if text.contains(['/', '\\', ':']) || text.contains("..") {
            return Err(InvalidFileName::Path);
        }
        let (stem, ending) = text.rsplit_once('.').ok_or(InvalidFileName::Ending)?;
        let ending = ending.to_ascii_lowercase();
        let named = |of: &ContentType| of.endings().contains(&ending.as_str());
        let content_type = ContentType::ALL.into_iter().find(named);
        let content_type = content_type.filter(|_| !stem.trim().is_empty());
        Ok(Self {
            text: text.to_owned(),
            content_type: content_type.ok_or(InvalidFileName::Ending)?,
        })
    }
}

impl fmt::Display for InvalidFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "must have 1 to 200 characters",
            Self::Control => "must not contain control characters",
            Self::Path => "must be a name and no path: without `/`, `\\`, `:` and `..`",
            Self::Ending => "must end with .pdf, .png, .jpg, .jpeg or .docx",
        })
    }
}

impl Error for InvalidFileName {}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(12);

    fn document() -> Document {
        Document {
            id: DocumentId::new(),
            person_id: PersonId::new(),
            stored_as: StoredFileId::new(),
            file_name: "diploma.pdf".parse().expect("a name"),
            purpose: String::new(),
            size: 10,
            sha256: [7; 32],
            state: DocumentState::Quarantined,
            created_at: Timestamp::EPOCH,
        }
    }

    // §3.7: quarantined until released by review.
    #[test]
    fn a_document_is_decided_once() {
        let mut released = document();
        assert_eq!(released.release(NOON), Ok(Decided::Now));
        assert_eq!(released.release(Timestamp::MAX), Ok(Decided::Before));
        assert_eq!(released.state, DocumentState::Released { at: NOON });
        assert_eq!(released.reject(NOON, "late".to_owned()), Err(DocumentRefusal::Released));
        let mut rejected = document();
        assert_eq!(rejected.reject(NOON, "blurred".to_owned()), Ok(Decided::Now));
        assert_eq!(rejected.reject(NOON, "again".to_owned()), Ok(Decided::Before));
        assert_eq!(rejected.release(NOON), Err(DocumentRefusal::Rejected));
        let reason = "blurred".to_owned();
        assert_eq!(rejected.state, DocumentState::Rejected { at: NOON, reason });
    }

    // §3.7: the name is shown, never used as a path.
    #[test]
    fn a_name_is_no_path() {
        let length = "x".repeat(197);
        for (name, expected) in [
            ("diploma.pdf", Ok(ContentType::Pdf)),
            ("Größe 2.PNG", Ok(ContentType::Png)),
            ("a.b.jpeg", Ok(ContentType::Jpeg)),
            ("photo.jpg", Ok(ContentType::Jpeg)),
            ("cv.docx", Ok(ContentType::Docx)),
            ("", Err(InvalidFileName::Length)),
            (&format!("{length}.pdf"), Err(InvalidFileName::Length)),
            ("a\0.pdf", Err(InvalidFileName::Control)),
            ("a\n.pdf", Err(InvalidFileName::Control)),
            ("/etc/passwd.pdf", Err(InvalidFileName::Path)),
            ("..\\a.pdf", Err(InvalidFileName::Path)),
            ("a..pdf", Err(InvalidFileName::Path)),
            ("c:a.pdf", Err(InvalidFileName::Path)),
            ("a.pdf:b.pdf", Err(InvalidFileName::Path)),
            ("diploma", Err(InvalidFileName::Ending)),
            ("run.exe", Err(InvalidFileName::Ending)),
            ("a.pdf.exe", Err(InvalidFileName::Ending)),
            ("a.pdf ", Err(InvalidFileName::Ending)),
            (".pdf", Err(InvalidFileName::Ending)),
            (" .pdf", Err(InvalidFileName::Ending)),
        ] {
            let read = name.parse::<FileName>().map(|name| name.content_type());
            assert_eq!(read, expected, "{name:?}");
        }
    }
}
