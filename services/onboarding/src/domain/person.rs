//! People: one human, one verified e-mail address, one login.

use std::ops::RangeInclusive;

use vouch_primitives::{AccountId, EmailAddress, PersonId, Timestamp};

use super::{CountryCode, TimeZone};

/// How long a name may be, in characters.
pub const NAME_LENGTH: RangeInclusive<usize> = 1..=200;

/// One human with one login. A person by itself creates no public listing [B18, B41].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their id.
    pub id: PersonId,
    /// Their own account, to which money for their work belongs.
    pub account_id: AccountId,
    /// What they said of themselves.
    pub information: BasicInformation,
    /// When they registered.
    pub registered_at: Timestamp,
    /// When the account e-mail became known to be theirs; `None` as long as it is not.
    pub email_verified_at: Option<Timestamp>,
}

/// The basic information that an account needs [F10].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicInformation {
    /// The name in law.
    pub legal_name: String,
    /// The name that others see.
    pub display_name: String,
    /// The country.
    pub country: CountryCode,
    /// The time zone.
    pub time_zone: TimeZone,
    /// Where project requests and client communication go [F8].
    pub account_email: EmailAddress,
}

/// What came of verifying an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is verified from now on.
    Now,
    /// It had been verified before; nothing has changed.
    Before,
}

impl Person {
    /// Their address, if it is known to be theirs.
    #[must_use]
    pub fn verified_email(&self) -> Option<&EmailAddress> {
        self.email_verified_at.map(|_| &self.information.account_email)
    }

    /// The account e-mail is known to be theirs. Verifying again is a normal outcome.
    pub fn verify_email(&mut self, now: Timestamp) -> Verified {
        if self.email_verified_at.is_some() {
            return Verified::Before;
        }
        self.email_verified_at = Some(now);
        Verified::Now
    }
}
