//! What this service does, one file per resource. Transactions open here and nowhere else.
//!
//! | module | use cases |
//! |---|---|
//! | [`clients`] | create and read clients |
//! | [`invitations`] | send, read, list, count, look up by token |
//! | [`acceptance`] | accept; what time and other services make of an invitation |
//! | [`changes`] | send again, withdraw, decline |
//! | [`reminders`] | remind who has not answered |

pub mod acceptance;
pub mod changes;
pub mod clients;
pub mod invitations;
mod letter;
mod owners;
pub mod reminders;

use vouch_runtime::commands::Commands;

/// The timer that expires an invitation; its key is the invitation's id.
pub const EXPIRE_INVITATION: &str = "invitation.expire";

/// The timer that reminds of an invitation; its key is the invitation's id.
pub const REMIND_OF_INVITATION: &str = "invitation.remind";

/// The use cases, on a database and a clock.
#[derive(Clone, Debug)]
pub struct App {
    commands: Commands,
    /// Where people reach Vouch; links in e-mails begin with it. Without a slash at the end.
    public_url: String,
}

impl App {
    /// Use cases that carry commands out by `commands`, and whose links begin with `public_url`.
    #[must_use]
    pub fn new(commands: Commands, public_url: &str) -> Self {
        Self {
            commands,
            public_url: public_url.trim_end_matches('/').to_owned(),
        }
    }
}
