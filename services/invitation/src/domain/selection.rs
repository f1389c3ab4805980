//! Which invitations somebody wants to see, and in which order.

use std::{fmt, str::FromStr};

use vouch_primitives::{EmailAddress, InvitationId, Timestamp, Uuid};

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

/// A place in the order of changes: each change of an invitation has a higher number than all before it of the same
/// client's invitations; those that change together have one, and are in the order of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number.
    pub number: i64,
    /// What changed.
    pub id: InvitationId,
}

impl Change {
    /// Before all changes.
    pub const NONE: Self = Self {
        number: 0,
        id: InvitationId::from_uuid(Uuid::nil()),
    };
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.number, self.id)
    }
}

/// The text is no place in the order of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoChange;

impl FromStr for Change {
    type Err = NoChange;

    fn from_str(text: &str) -> Result<Self, NoChange> {
        let (number, id) = text.split_once('.').ok_or(NoChange)?;
        Ok(Self {
            number: number.parse().ok().filter(|number| *number >= 0).ok_or(NoChange)?,
            id: id.parse().map_err(|_| NoChange)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_it_is_written() {
        let change = Change {
            number: 17,
            id: InvitationId::new(),
        };
        assert_eq!(change.to_string().parse(), Ok(change));
        for text in ["", "17", "17.", "x.y", &format!("-1.{}", change.id)] {
            assert_eq!(text.parse::<Change>(), Err(NoChange), "{text}");
        }
    }
}
