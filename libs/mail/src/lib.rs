//! Outgoing e-mail: written in the transaction that makes it true, delivered afterwards.
//!
//! ```text
//! Letter ─ enqueue ─ commit ─► table `mail` ─► Sender ─► SMTP server, or .eml files
//!   in the business transaction                  every attempt in `mail_attempt`
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`letter`] | [`Letter`]: what an e-mail says; rendered as HTML and as plain text, everything escaped |
//! | [`outgoing`] | [`enqueue`], and what became of a mail |
//! | [`config`] | [`MailConfig`]: files (the embedded default) or an SMTP server |
//! | [`token`] | [`Token`]: the secret of a mailed link |
//! | [`sender`] | [`Sender`]: delivers what is due, tries again what may pass, gives up what cannot |
//!
//! A transaction that is rolled back leaves no mail. A mail is delivered at least once: who dies between the server's
//! yes and the commit delivers it again, with the same `Message-ID`, by which mail servers recognise it. A mail's body
//! may carry a one-time link, so it is erased from the database once the mail is sent or given up.

pub mod config;
pub mod letter;
pub mod outgoing;
pub mod sender;

mod files;
mod message;
mod migration;
mod smtp;
mod table;
pub mod token;

pub use config::{MailConfig, Tls, TransportKind};
pub use letter::{Button, Letter, Quote, day};
pub use migration::migrations;
pub use outgoing::{
    Attempt, Delivery, NewMail, about, about_all, enqueue, enqueue_all, erase, give_up, give_up_to, next_due,
    queued_due,
};
pub use sender::{Leaving, OnBounce, Recheck, Sender};
pub use table::{MailState, Outcome};
pub use token::{NoRandomness, Token};

use vouch_storage::StorageError;

/// Why a mail cannot be written or sent at all.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A text is not fit for its place in an e-mail. Texts of users are validated long before; this is the last fence
    /// before a header.
    #[error("{field} of the letter {reason}")]
    Unfit {
        /// Which text.
        field: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The template failed.
    #[error("cannot render the letter")]
    Template(#[from] askama::Error),
    /// The configuration cannot work.
    #[error("bad mail configuration: {0}")]
    Configuration(String),
}
