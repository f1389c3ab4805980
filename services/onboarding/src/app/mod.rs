//! What this service does, one file per resource. Transactions open here and nowhere else.
//!
//! | module | use cases |
//! |---|---|
//! | [`people`] | register, verify an address, read a person |
//! | [`accounts`] | settings: basic information, the address, another verification mail |
//! | [`closing`] | close and reopen an account, erase a person |
//! | [`acceptances`] | accept an invitation, by its token or by the verified address; it spans two services |
//! | [`cases`] | read cases, go from step to step |
//! | [`clouds`] | what becomes of cases when clients change their talent clouds |
//! | [`offers`] | review, accept, decline an offer; what time and payments make of it |
//! | [`tasks`] | do what a case requires, and review it |
//! | [`task_templates`] | say what cases require |
//! | [`agencies`] | the agencies of a person, and their final invitations |
//! | [`profiles`] | talent profiles: save, discard, show |
//! | [`search`] | find talent; what referrals say of it |
//! | [`home`] | what to do next |
//! | [`documents`] | files that people upload, and what becomes of them |
//! | [`files`] | where the bytes of documents are |
//! | [`rooms`] | the notes of project rooms |
//! | [`tax`] | tax forms, which are passed on |
//! | [`invitations`] | what is asked of the invitation service |
//! | [`payments`] | what is asked of the payments service |

pub mod acceptances;
pub mod accounts;
pub mod agencies;
mod archives;
pub mod cases;
pub mod closing;
pub mod clouds;
pub mod documents;
pub mod files;
pub mod home;
pub mod invitations;
mod letter;
pub mod offers;
mod opening;
mod owners;
pub mod payments;
pub mod people;
pub mod profiles;
pub mod rooms;
pub mod search;
pub mod task_templates;
pub mod tasks;
pub mod tax;

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{Timestamp, Uuid};
use vouch_runtime::Commands;
use vouch_storage::{Db, StorageError, Txn};

pub use files::Files;
pub use invitations::Invitations;
pub use payments::Payments;
pub use vouch_mail::Token;

use crate::{
    domain::{Counted, quota::day_after},
    error::Error,
    store::quotas,
};

/// The timer that takes up an acceptance again; a task, as it asks another service. Its key is the request's id.
pub const FINISH_ACCEPTANCE: &str = "acceptance.finish";
/// The timer that passes a tax form on; a task, as it asks another service. Its key is the form's id.
pub const PASS_TAX_FORM_ON: &str = "tax_form.pass_on";
/// The timer that lapses an offer; its key is the id of the case.
pub const LAPSE_OFFER: &str = "offer.lapse";
/// The timer that takes a file away which belongs to no document; a task, as it asks the store of files. Its key is the
/// name under which the file is kept.
pub const SWEEP_FILE: &str = "file.sweep";

/// The use cases, on a database, a clock, the store of files, and the services that are asked.
#[derive(Clone, Debug)]
pub struct App {
    commands: Commands,
    invitations: Invitations,
    payments: Payments,
    files: Files,
    /// Where people reach Vouch; links in e-mails begin with it. Without a slash at the end.
    public_url: String,
}

impl App {
    /// Use cases that carry commands out by `commands`, and whose links begin with `public_url`.
    #[must_use]
    pub fn new(
        commands: Commands,
        invitations: Invitations,
        payments: Payments,
        files: Files,
        public_url: &str,
    ) -> Self {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Self {
            commands,
            invitations,
            payments,
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

/// Counts one more, unless there were as many today as there may be.
async fn count(txn: &Txn, now: Timestamp, what: Counted) -> Result<(), Error> {
    if quotas::take(txn, now, what).await? {
        return Ok(());
    }
    let wait = day_after(now).since(now);
    Err(Error::UsedUp { what, wait })
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
