//! What this service does, one file per resource. Transactions open here and nowhere else.
//!
//! | module | use cases |
//! |---|---|
//! | [`people`] | register, verify an address, read a person |
//! | [`acceptances`] | accept an invitation, by its token or by the verified address; it spans two services |
//! | [`cases`] | what to do next, review the contract, accept the offer; what time and payments make of a case |
//! | [`documents`] | files that people upload, and what becomes of them |
//! | [`files`] | where the bytes of documents are |
//! | [`rooms`] | the notes of project rooms |
//! | [`invitations`] | what is asked of the invitation service |

pub mod acceptances;
pub mod cases;
pub mod documents;
pub mod files;
pub mod invitations;
mod letter;
mod owners;
pub mod people;
pub mod rooms;

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{Timestamp, Uuid};
use vouch_runtime::Commands;
use vouch_storage::{Db, StorageError, Txn};

pub use files::Files;
pub use invitations::Invitations;
pub use vouch_mail::Token;

/// The timer that takes up an acceptance again; a task, as it asks another service. Its key is the request's id.
pub const FINISH_ACCEPTANCE: &str = "acceptance.finish";
/// The timer that lapses an offer; its key is the id of the case.
pub const LAPSE_OFFER: &str = "offer.lapse";
/// The timer that takes a file away which belongs to no document; a task, as it asks the store of files. Its key is the
/// name under which the file is kept.
pub const SWEEP_FILE: &str = "file.sweep";

/// The use cases, on a database, a clock, the store of files, and the invitation service.
#[derive(Clone, Debug)]
pub struct App {
    commands: Commands,
    invitations: Invitations,
    files: Files,
    /// Where people reach Vouch; links in e-mails begin with it. Without a slash at the end.
    public_url: String,
}

impl App {
    /// Use cases that carry commands out by `commands`, and whose links begin with `public_url`.
    #[must_use]
    pub fn new(commands: Commands, invitations: Invitations, files: Files, public_url: &str) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self {
            commands,
            invitations,
            files,
            public_url,
        }
    }

    fn db(&self) -> &Db {
        self.commands.db()
    }

    fn now(&self) -> Timestamp {
        self.commands.now()
    }
}

/// Records one fact about `aggregate`.
async fn record<M: prost::Message + prost::Name>(
    txn: &Txn,
    now: Timestamp,
    aggregate: Uuid,
    event: &M,
) -> Result<(), StorageError> {
    outbox::append(txn, now, &[NewEvent::new(aggregate, event)]).await
}
