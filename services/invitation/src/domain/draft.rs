//! An invitation that is to be sent, and why it may not be.

use std::{error::Error, fmt, time::Duration};

use vouch_primitives::{TalentCloudId, Timestamp};

use super::{ContractTerms, Limit, Recipient, TalentType};

/// How many invitations one call may send.
pub const MOST_DRAFTS: usize = 1_000;

/// An invitation that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Whom it invites.
    pub talent_type: TalentType,
    /// The invited address.
    pub recipient: Recipient,
    /// What it brings.
    pub content: DraftContent,
    /// The client's own words; may be empty, but not to a talent cloud.
    pub personal_message: String,
}

/// What an invitation brings that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DraftContent {
    /// An offer of work.
    Contract(ContractTerms),
    /// A place in this talent cloud.
    Cloud(TalentCloudId),
}

/// Why an invitation is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// The client has no such talent cloud.
    NoCloud(TalentCloudId),
    /// Nobody is invited to this talent cloud any more.
    CloudArchived(TalentCloudId),
    /// The address is on the suppression list.
    Suppressed,
    /// Another one of the same call goes to the same address.
    Repeated,
    /// A limit is reached.
    Over {
        /// Which.
        limit: Limit,
        /// When one may try again.
        until: Timestamp,
        /// How long that is from now.
        wait: Duration,
    },
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCloud(id) => write!(f, "talent cloud {id} does not exist"),
            Self::CloudArchived(id) => write!(f, "talent cloud {id} is archived"),
            Self::Suppressed => f.write_str("the address wants or takes no invitations"),
            Self::Repeated => f.write_str("an earlier invitation of the same call goes to this address"),
            Self::Over {
                limit: Limit::Plan,
                until,
                ..
            } => write!(
                f,
                "the client has sent as many invitations today as its plan allows; again from {until}"
            ),
            Self::Over {
                limit: Limit::Address,
                until,
                ..
            } => write!(
                f,
                "the address has been sent as many invitations this week as one may get; again from {until}"
            ),
        }
    }
}

impl Error for Unsendable {}
