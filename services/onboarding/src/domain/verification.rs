//! Mails that ask a person to show that an address is theirs.

use vouch_primitives::{PersonId, Timestamp};

/// How many days the token of a verification mail is good [default].
pub const VERIFICATION_DAYS: u32 = 7;

/// A verification mail that was sent. Each token is good by itself, as mails may arrive in another order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// To whom it was sent.
    pub person_id: PersonId,
    /// The address that it was sent to.
    pub email: EmailHash,
    /// When.
    pub sent_at: Timestamp,
}

/// The SHA-256 of an address: a token is good for the address that it was mailed to and for no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EmailHash(pub [u8; 32]);

impl Verification {
    /// Whether its token is not too old.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        now < self.sent_at.add_days(VERIFICATION_DAYS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    // F8
    #[test]
    fn a_token_is_good_for_seven_days() {
        let sent = Verification {
            person_id: PersonId::new(),
            email: EmailHash([0; 32]),
            sent_at: at("2026-03-01T09:00:00Z"),
        };
        assert!(sent.is_good(at("2026-03-08T08:59:59Z")));
        assert!(!sent.is_good(at("2026-03-08T09:00:00Z")));
    }
}
