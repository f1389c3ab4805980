//! Agencies: companies of several people, each with a listing that everybody can find [B29, B35].

use std::ops::RangeInclusive;

use vouch_primitives::{AccountId, PersonId, Timestamp};

/// How long the name of an agency may be, in characters.
pub const AGENCY_NAME_LENGTH: RangeInclusive<usize> = 1..=200;

/// An agency, which is an account of its own: money for its work belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// The agency's account.
    pub id: AccountId,
    /// Who owns it.
    pub owner: PersonId,
    /// Its name, as everybody may read it; no other agency of the same owner has it.
    pub name: String,
    /// Its listing.
    pub listing: Listing,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The listing of an agency. There is no private one: a listing is never hidden once it is public [B36].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// It waits for the final agency invitation, and nobody finds it [B34].
    Provisional,
    /// Everybody finds it, since this moment [B35].
    Public(Timestamp),
}

/// What came of confirming a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It is public from now on.
    Now,
    /// It had been public before; nothing has changed.
    Before,
}

impl Agency {
    /// Makes the listing public, for good [B34, B48].
    pub fn confirm(&mut self, now: Timestamp) -> Confirmed {
        match self.listing {
            Listing::Public(_) => Confirmed::Before,
            Listing::Provisional => {
                self.listing = Listing::Public(now);
                Confirmed::Now
            }
        }
    }

    /// Whether everybody finds it.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        matches!(self.listing, Listing::Public(_))
    }
}

impl Listing {
    /// Its name, as in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisional => "PROVISIONAL",
            Self::Public(_) => "PUBLIC",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // B34, B36
    #[test]
    fn a_listing_becomes_public_once_and_stays_so() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a moment");
        let mut agency = Agency {
            id: AccountId::new(),
            owner: PersonId::new(),
            name: "Analytical".to_owned(),
            listing: Listing::Provisional,
            created_at: at("2026-03-01"),
        };
        assert!(!agency.is_public());
        assert_eq!(agency.confirm(at("2026-03-02")), Confirmed::Now);
        assert_eq!(agency.confirm(at("2026-03-03")), Confirmed::Before);
        assert_eq!(agency.listing, Listing::Public(at("2026-03-02")));
    }
}
