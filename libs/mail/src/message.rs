//! From a row of the table to the message that goes out: the same bytes on every attempt.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    address::AddressError,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};

use crate::table::mail;

/// Why a row does not make a message. Its parts were checked when it was written, so this is a mistake in the program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MessageError {
    #[error("a stored address is not one")]
    Address(#[from] AddressError),
    #[error("the message cannot be put together")]
    Build(#[from] lettre::error::Error),
}

/// The message of `row`, sent from the address `from`.
///
/// Its id is made of the mail's, its date is the moment when it was written, and the parts' boundary is fixed: a
/// repeated delivery cannot be told from the first one.
pub(crate) fn message(row: &mail::Model, from: &Address) -> Result<Message, MessageError> {
    let written = Duration::from_micros(u64::try_from(row.queued_at).unwrap_or(0));
    let parts = MultiPart::alternative()
        .boundary(format!("vouch-{}", row.id.simple()))
        .singlepart(SinglePart::plain(row.plain.clone()))
        .singlepart(SinglePart::html(row.html.clone()));
    let mut message = Message::builder()
        .from(Mailbox::new(Some(header_text(&row.from_name)), from.clone()))
        .to(Mailbox::new(row.to_name.as_deref().map(header_text), row.to_address.parse()?))
        .subject(header_text(&row.subject))
        .date(SystemTime::UNIX_EPOCH + written)
        .message_id(Some(format!("<{}@{}>", row.id, from.domain())))
        // Out-of-office programs do not answer what says this (RFC 3834).
        .raw_header(raw("Auto-Submitted", "auto-generated".to_owned()));
    if let Some(address) = &row.reply_to {
        message = message.reply_to(Mailbox::new(None, address.parse()?));
    }
    if let Some(url) = &row.unsubscribe {
        message = message
            .raw_header(raw("List-Unsubscribe", format!("<{url}>")))
            .raw_header(raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
    }
    Ok(message.multipart(parts)?)
}

fn raw(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// `=?` begins an encoded word, which the reader's program would decode into whatever somebody has hidden in a name.
fn header_text(text: &str) -> String {
    text.replace("=?", "= ?")
}
