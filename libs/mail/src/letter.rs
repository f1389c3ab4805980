//! What an e-mail says. One template pair gives every letter the same looks.

use askama::Template;
use vouch_primitives::{EmailAddress, Timestamp, text::is_deceptive};

use crate::MailError;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// An e-mail's content, from top to bottom. Empty parts are left out. All of it is plain text: markup is escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// The subject, one line.
    pub subject: String,
    /// What mail programs show beside the subject before the mail is opened, one line.
    pub preheader: Option<String>,
    /// The heading, one line.
    pub heading: String,
    /// Paragraphs; a line feed inside one breaks the line.
    pub paragraphs: Vec<String>,
    /// Somebody's own words.
    pub quote: Option<Quote>,
    /// Label and value, one line each: the project's name, the rate …
    pub facts: Vec<(String, String)>,
    /// What to do next: the one green button.
    pub button: Option<Button>,
    /// Small print at the end: why this mail came, one paragraph each.
    pub footer: Vec<String>,
    /// Where its reader can say that they want no more: `https://…`. It stands at the end, and in the headers by which
    /// mail programs offer that themselves (RFC 2369); a post to it does the same without a question (RFC 8058).
    pub unsubscribe: Option<String>,
}

/// Somebody's own words, set apart so that nobody takes them for ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Who says it, one line.
    pub author: String,
    /// The words; line feeds are kept.
    pub text: String,
}

/// The green button; the text part shows its link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    /// What it says, one line.
    pub label: String,
    /// Where it leads: `https://…` or `http://…`.
    pub url: String,
}

/// A rendered letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The HTML part.
    pub html: String,
    /// The plain text part.
    pub text: String,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct Html<'a> {
    letter: &'a Letter,
}

#[derive(Template)]
#[template(path = "letter.txt")]
struct Text<'a> {
    letter: &'a Letter,
}

impl Letter {
    /// Both parts.
    ///
    /// # Errors
    /// [`MailError::Unfit`] when a text has control characters where it must not, a part that must be there is empty,
    /// or the button does not lead to the web.
    pub fn render(&self) -> Result<Rendered, MailError> {
        self.check()?;
        Ok(Rendered {
            html: Html { letter: self }.render()?,
            // Spaces that hold words together are for lines that mail programs break.
            text: Text { letter: self }.render()?.replace('\u{a0}', " "),
        })
    }

    fn check(&self) -> Result<(), MailError> {
        filled_line("subject", &self.subject)?;
        filled_line("heading", &self.heading)?;
        let preheader = self.preheader.iter().map(|text| ("preheader", text));
        let facts = self
            .facts
            .iter()
            .flat_map(|(label, value)| [("fact", label), ("fact", value)]);
        let footer = self.footer.iter().map(|text| ("footer", text));
        for (field, text) in preheader.chain(facts).chain(footer) {
            one_line(field, text)?;
        }
        for paragraph in &self.paragraphs {
            lines("paragraph", paragraph)?;
        }
        if let Some(quote) = &self.quote {
            filled_line("author of the quote", &quote.author)?;
            lines("quote", &quote.text)?;
        }
        if let Some(button) = &self.button {
            filled_line("label of the button", &button.label)?;
            web_address("link of the button", &button.url)?;
        }
        if let Some(url) = &self.unsubscribe {
            web_address("unsubscribe link", url)?;
        }
        Ok(())
    }
}

/// A text for a header or a heading: one line, without anything that ends it or turns its direction.
pub(crate) fn one_line(field: &'static str, text: &str) -> Result<(), MailError> {
    if text.chars().any(breaks_a_line) {
        return Err(MailError::Unfit {
            field,
            reason: "has a line break or a control character",
        });
    }
    Ok(())
}

/// As [`one_line`], and not empty.
pub(crate) fn filled_line(field: &'static str, text: &str) -> Result<(), MailError> {
    if text.trim().is_empty() {
        return Err(MailError::Unfit {
            field,
            reason: "is empty",
        });
    }
    one_line(field, text)
}

/// An address that the mail library understands too.
pub(crate) fn mailbox(field: &'static str, address: &EmailAddress) -> Result<lettre::Address, MailError> {
    let unfit = |_| MailError::Unfit {
        field,
        reason: "is not an address that mail can be sent to",
    };
    address.as_str().parse().map_err(unfit)
}

fn lines(field: &'static str, text: &str) -> Result<(), MailError> {
    let kept = |c: char| c == '\n' || c == '\t';
    if text.replace("\r\n", "\n").chars().any(|c| breaks_a_line(c) && !kept(c)) {
        return Err(MailError::Unfit {
            field,
            reason: "has a control character",
        });
    }
    Ok(())
}

fn web_address(field: &'static str, url: &str) -> Result<(), MailError> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let good = |c: char| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c);
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && url.chars().all(good) => Ok(()),
        _ => Err(MailError::Unfit {
            field,
            reason: "is not a web address",
        }),
    }
}

/// Controls, the line and paragraph separators, and what makes text run backwards to pose as something else.
fn breaks_a_line(c: char) -> bool {
    c.is_control() || is_deceptive(c)
}

/// The day as people write it, in UTC: "31 March 2026".
#[must_use]
pub fn day(time: Timestamp) -> String {
    let text = time.to_string();
    let date: Vec<&str> = text.split('T').next().unwrap_or_default().split('-').collect();
    let month = date.get(1).and_then(|month| month.parse::<usize>().ok());
    match (&date[..], month.and_then(|month| MONTHS.get(month.checked_sub(1)?))) {
        ([year, _, day], Some(month)) => format!("{} {month} {year}", day.trim_start_matches('0')),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_as_people_do() {
        for (time, shown) in [
            ("2026-03-31T09:00:00Z", "31 March 2026"),
            ("2026-01-01T00:00:00Z", "1 January 2026"),
            ("9999-12-31T23:59:59.999999Z", "31 December 9999"),
        ] {
            assert_eq!(day(time.parse().expect("a moment")), shown);
        }
    }
}
