//! Finding talent: what is looked for, and the order of what is found.

use std::{error::Error, fmt, ops::RangeInclusive, str::FromStr};

use vouch_primitives::{AccountId, Currency, Money, PersonId, Timestamp};

use super::{CountryCode, SkillKey, TextQuery};

/// How long the words that are looked for may be, in characters.
pub const QUERY_LENGTH: RangeInclusive<usize> = 0..=200;
/// How many skills may be looked for at once.
pub const MOST_SKILLS_WANTED: usize = 20;
/// Among how many people may be looked at once.
pub const MOST_PEOPLE: usize = 100;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TalentQuery {
    /// Whom.
    pub sought: Sought,
    /// Among whom; empty for everybody.
    pub people: Vec<PersonId>,
    /// By which words.
    pub text: TextQuery,
    /// Skills that all have to be there.
    pub skills: Vec<SkillKey>,
    /// In which country.
    pub country: Option<CountryCode>,
    /// Within which rates.
    pub rate: Option<RateRange>,
}

/// Whom somebody looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// Agencies [B35].
    Agencies,
    /// Freelancers, as far as this audience sees them [F17].
    Freelancers(Audience),
}

/// Who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Somebody of whom nothing is known.
    Everybody,
    /// Somebody who is signed in.
    Users,
}

/// Rates in one currency, in minor units for an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateRange {
    /// The currency.
    pub currency: Currency,
    /// No less than this.
    pub least: Option<i64>,
    /// No more than this.
    pub most: Option<i64>,
}

/// Talent that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundTalent {
    /// Where it stands in the order.
    pub place: Place,
    /// The freelancer, or who owns the agency.
    pub person_id: PersonId,
    /// The name that others see.
    pub name: String,
    /// The title of the headline; may be empty for an agency.
    pub headline: String,
    /// The skills, in the owner's order.
    pub skills: Vec<String>,
    /// What is asked for an hour.
    pub hourly_rate: Option<Money>,
    /// The country.
    pub country: CountryCode,
}

/// A place in the order of what is found: the highest rank first, then the highest signal, the most complete profile, and
/// the lowest id. It is also the token of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// How many of the words stand in the headline or the skills.
    pub rank: u32,
    /// The match signal, in basis points [R28, R33].
    pub signal: u32,
    /// How complete the profile is, in per cent.
    pub completeness: u32,
    /// Which account.
    pub account_id: AccountId,
}

/// The text is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidPlace;

/// How strongly the referrals of somebody speak for them, as the referral service tells [R28, R33].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatchSignal {
    /// Whose.
    pub person_id: PersonId,
    /// In basis points, at most [`MatchSignal::HIGHEST`].
    pub signal: u32,
    /// When it changed.
    pub changed_at: Timestamp,
}

impl MatchSignal {
    /// The strongest signal, in basis points.
    pub const HIGHEST: u32 = 10_000;
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rank,
            signal,
            completeness,
            account_id,
        } = self;
        write!(f, "{rank}.{signal}.{completeness}.{account_id}")
    }
}

impl FromStr for Place {
    type Err = InvalidPlace;

    fn from_str(text: &str) -> Result<Self, InvalidPlace> {
        let mut parts = text.splitn(4, '.');
        let mut number = || parts.next()?.parse().ok();
        let (rank, signal, completeness) = (number(), number(), number());
        let account_id = parts.next().and_then(|id| id.parse().ok());
        match (rank, signal, completeness, account_id) {
            (Some(rank), Some(signal), Some(completeness), Some(account_id)) => Ok(Self {
                rank,
                signal,
                completeness,
                account_id,
            }),
            _ => Err(InvalidPlace),
        }
    }
}

impl fmt::Display for InvalidPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a place in the order of what is found")
    }
}

impl Error for InvalidPlace {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_survive_their_text_form() {
        let place = Place {
            rank: 2,
            signal: MatchSignal::HIGHEST,
            completeness: 40,
            account_id: AccountId::new(),
        };
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in [
            "",
            "1.2.3",
            "1.2.3.x",
            "-1.2.3.01939f4e-0000-7000-8000-000000000001",
            "x",
        ] {
            assert_eq!(text.parse::<Place>(), Err(InvalidPlace), "{text:?}");
        }
    }
}
