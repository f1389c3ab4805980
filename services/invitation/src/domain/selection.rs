//! Which invitations somebody wants to see, and in which order.

use vouch_primitives::{EmailAddress, Timestamp};

/// Where an invitation stands, without anything else that is known about that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It waits for an answer.
    Pending,
    /// It was accepted.
    Accepted,
    /// It was declined.
    Declined,
    /// It was taken back.
    Withdrawn,
    /// Nobody answered in time.
    Expired,
}

/// Which invitations of a client; what is empty does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those that stand here.
    pub stages: Vec<Stage>,
    /// Those to this address.
    pub recipient: Option<EmailAddress>,
    /// Those sent, or sent again, at or after this moment.
    pub from: Option<Timestamp>,
    /// Those sent, or sent again, before this moment.
    pub until: Option<Timestamp>,
}

/// In which order: by the moment of the first sending, which never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The latest at the head.
    NewestFirst,
    /// The earliest at the head.
    OldestFirst,
}
