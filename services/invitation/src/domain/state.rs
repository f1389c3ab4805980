//! Where an invitation stands, who may accept it, and what can be said to somebody who may not.

use std::{error::Error, fmt};

use vouch_primitives::{EmailAddress, InvitationId, PersonId, Timestamp};

use super::Stage;

/// The SHA-256 of a token as it stands in the e-mailed link. Whoever knows it has had the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// Where an invitation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Sent, and waiting for an answer.
    Pending,
    /// Accepted by a person.
    Accepted(Acceptance),
    /// Refused by somebody who has the e-mail.
    Declined(Decline),
    /// Taken back by the client, at this moment.
    Withdrawn(Timestamp),
    /// Nobody answered in time.
    Expired,
}

/// A refusal of whoever was invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decline {
    /// When.
    pub declined_at: Timestamp,
    /// Why; may be empty.
    pub reason: String,
}

/// Who accepted an invitation, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// Who.
    pub person_id: PersonId,
    /// When.
    pub accepted_at: Timestamp,
    /// When the offer was accepted too: the talent is hired.
    pub hired_at: Option<Timestamp>,
    /// When the offer came to nothing: it was declined, or not accepted in time.
    pub ended_at: Option<Timestamp>,
}

/// That the offer of an invitation was accepted: the talent is hired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hire {
    /// The invitation that the offer came with.
    pub invitation_id: InvitationId,
    /// When.
    pub hired_at: Timestamp,
}

/// That the offer of an invitation came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfferEnd {
    /// The invitation that the offer came with.
    pub invitation_id: InvitationId,
    /// When.
    pub ended_at: Timestamp,
    /// Whether the talent said no to it; otherwise nobody accepted it in time.
    pub declined: bool,
}

/// What proves that a person may accept an invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// They have the token; their own address may be another [B12].
    Token(TokenHash),
    /// They have verified this address, which must be exactly the invited one [B11].
    VerifiedEmail(EmailAddress),
}

/// What came of accepting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is accepted from now on.
    Now(Acceptance),
    /// The same person had accepted it before; nothing has changed.
    Before,
}

/// Why something cannot be done with an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The person proves nothing. Whoever asks must not learn that there is such an invitation.
    WrongProof,
    /// Somebody else was faster; it is for one person.
    Taken,
    /// Nobody answered in time.
    Expired,
    /// It was answered or withdrawn before.
    Closed,
}

impl State {
    /// Where that is.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        match self {
            Self::Pending => Stage::Pending,
            Self::Accepted(_) => Stage::Accepted,
            Self::Declined(_) => Stage::Declined,
            Self::Withdrawn(_) => Stage::Withdrawn,
            Self::Expired => Stage::Expired,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongProof => "the proof does not fit the invitation",
            Self::Taken => "the invitation was accepted by another person",
            Self::Expired => "the invitation has expired",
            Self::Closed => "the invitation was answered or withdrawn",
        })
    }
}

impl Error for Refusal {}
