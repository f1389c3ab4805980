//! What this service does, one file per resource. Transactions open here and nowhere else.
//!
//! | module | use cases |
//! |---|---|
//! | [`clients`] | create and read clients |
//! | [`sending`] | send one invitation, or many, within the limits |
//! | [`import`] | the rows of a file, batch by batch |
//! | [`invitations`] | read, list, count, look up by token |
//! | [`acceptance`] | accept; what time and other services make of an invitation |
//! | [`changes`] | send again, withdraw, decline |
//! | [`reminders`] | remind who has not answered |
//! | [`projects`] | work that clients have to give: create, publish, close, read, find |
//! | [`applications`] | apply for it, answer, make an offer |
//! | [`recommending`] | share it, recommend somebody for it |
//! | [`clouds`] | talent clouds: create, rename, archive, read, find talent |
//! | [`members`] | who is in a talent cloud |
//! | [`suppression`] | addresses that get nothing |
//! | [`erasing`] | what is left of people who were erased |

pub mod acceptance;
pub mod applications;
pub mod changes;
pub mod clients;
pub mod clouds;
pub mod erasing;
pub mod import;
pub mod invitations;
mod letter;
pub mod members;
mod owners;
pub mod projects;
pub mod recommending;
pub mod reminders;
pub mod sending;
pub mod suppression;

use vouch_runtime::commands::Commands;

use crate::domain::Limits;

/// The timer that expires an invitation; its key is the invitation's id.
pub const EXPIRE_INVITATION: &str = "invitation.expire";

/// The timer that reminds of an invitation; its key is the invitation's id.
pub const REMIND_OF_INVITATION: &str = "invitation.remind";

/// The timer that erases a person once more; its key is the person's id.
pub const ERASE_AGAIN: &str = "person.erase_again";

/// The kind of the e-mail that invites somebody.
const INVITATION_SENT: &str = "invitation.sent";

/// The kind of the e-mail that tells somebody of an offer in the account that they have.
const INVITATION_OFFERED: &str = "invitation.offered";

/// The kind of the e-mail that reminds somebody.
const INVITATION_REMINDER: &str = "invitation.reminder";

/// The use cases, on a database and a clock.
#[derive(Clone, Debug)]
pub struct App {
    commands: Commands,
    /// Where people reach Vouch; links in e-mails begin with it. Without a slash at the end.
    public_url: String,
    limits: Limits,
}

impl App {
    /// Use cases that carry commands out by `commands`, whose links begin with `public_url`, within `limits`.
    #[must_use]
    pub fn new(commands: Commands, public_url: &str, limits: Limits) -> Self {
        Self {
            commands,
            public_url: public_url.trim_end_matches('/').to_owned(),
            limits,
        }
    }
}
