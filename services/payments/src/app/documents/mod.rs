//! Documents that parties keep. A file is read piece by piece: what it holds is read from the database as it is asked for.

pub mod csv;
mod invoice;
mod invoices;
pub mod pdf;
mod receipt;
mod statement;

use vouch_primitives::{Money, Timestamp};

use self::{invoices::InvoicesFile, statement::StatementFile};
use crate::error::Error;

/// Why a document cannot be written: a mistake in the program.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// A font that comes with the program cannot be read.
    #[error("the font {0} cannot be read")]
    Font(&'static str),
    /// A row of a CSV file cannot be written.
    #[error("a row cannot be written: {0}")]
    Csv(String),
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For spreadsheets.
    Csv,
    /// For people.
    Pdf,
}

/// Who reads a document: the service fee is the talent's matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The client, who pays the gross amount.
    Client,
    /// The talent, who pays the fee; and operators.
    Talent,
}

/// A file.
#[derive(Debug)]
pub struct Export {
    /// What it is called.
    pub name: String,
    /// How it is written.
    pub format: Format,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Statement(Box<StatementFile>),
    Invoices(Box<InvoicesFile>),
    Whole(Vec<u8>),
}

impl Format {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Pdf => "application/pdf",
        }
    }

    /// How names of such files end.
    const fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Pdf => "pdf",
        }
    }
}

impl Export {
    /// A file of these bytes.
    #[cfg(test)]
    pub(crate) fn of_bytes(name: &str, bytes: Vec<u8>) -> Self {
        Self {
            name: name.to_owned(),
            format: Format::Csv,
            content: Content::Whole(bytes),
        }
    }

    /// The next piece of it; `None` at its end.
    ///
    /// # Errors
    /// When the database fails, or what was booked meanwhile belongs to what was already told.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        match &mut self.content {
            Content::Statement(file) => file.next().await,
            Content::Invoices(file) => file.next().await,
            Content::Whole(bytes) => Ok(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty())),
        }
    }
}

impl From<DocumentError> for Error {
    fn from(error: DocumentError) -> Self {
        Self::Document(error.to_string())
    }
}

/// An amount without its currency: `-1,250.00`.
fn amount(money: Money) -> String {
    let text = money.to_string();
    text.split_once(' ')
        .map_or(text.clone(), |(_, amount)| amount.to_owned())
}

/// The same as spreadsheets read it: `-1250.00`.
fn number(money: Money) -> String {
    amount(money).replace(',', "")
}

/// A moment to the minute: `2026-03-02 09:00`.
fn minute(moment: Timestamp) -> String {
    moment
        .to_string()
        .chars()
        .take(16)
        .collect::<String>()
        .replace('T', " ")
}

/// A day: `2026-03-02`.
fn day(moment: Timestamp) -> String {
    moment.to_string().chars().take(10).collect()
}

/// Minutes as hours: `7:05`.
fn hours(minutes: u32) -> String {
    format!("{}:{:02}", minutes / 60, minutes % 60)
}

/// A name such as `EARNING_APPROVED` as people read it.
fn words(name: &str) -> String {
    let lower = name.to_lowercase().replace('_', " ");
    let mut letters = lower.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

/// What is said at the end where a document shows □ instead of a character.
fn note_lacking(pdf: &mut pdf::Pdf) {
    if pdf.lacks_characters() {
        pdf.paragraph("□ stands for a character that this document cannot show.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_moments_are_written_for_their_readers() {
        for (minor, code, shown, plain) in [
            (-125_000, "USD", "-1,250.00", "-1250.00"),
            (1_234_567, "JPY", "1,234,567", "1234567"),
            (5, "KWD", "0.005", "0.005"),
            (0, "USD", "0.00", "0.00"),
        ] {
            let money = Money::new(minor, code.parse().expect("a currency"));
            assert_eq!((amount(money), number(money)), (shown.to_owned(), plain.to_owned()));
        }
        let moment: Timestamp = "2026-03-02T09:05:59Z".parse().expect("a moment");
        assert_eq!(
            (minute(moment), day(moment)),
            ("2026-03-02 09:05".to_owned(), "2026-03-02".to_owned())
        );
        assert_eq!([hours(0), hours(65), hours(10_080)], ["0:00", "1:05", "168:00"]);
        assert_eq!([words("SERVICE_FEE_RETURNED"), words("")], ["Service fee returned", ""]);
    }
}
