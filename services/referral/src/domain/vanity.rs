//! Codes of a referrer's own choice, and what a text is that somebody typed as a code.

use std::{fmt, str::FromStr};

use super::{ReferralCode, code::looks_drawn};

/// Words by which a code would pose as the house's. A code must not have one of them inside.
const RESERVED: [&str; 12] = [
    "VOUCH",
    "ADMIN",
    "SUPPORT",
    "OFFICIAL",
    "STAFF",
    "MODERATOR",
    "SECURITY",
    "BILLING",
    "PAYMENT",
    "REFUND",
    "OPERATOR",
    "HELPDESK",
];

/// A code of a referrer's own choice: 5 to 20 capital letters and digits, a letter first. It is never the drawn code of
/// anybody, as it does not look like one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VanityCode(String);

/// Why a text is no vanity code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVanity {
    /// It is too short or too long.
    #[error("must have 5 to 20 letters and digits")]
    Length,
    /// It has something else than letters and digits, or does not begin with a letter.
    #[error("must begin with a letter, and have letters A to Z and digits only")]
    Character,
    /// It could be a drawn code.
    #[error("looks like a drawn code: choose another length or another letter")]
    LooksDrawn,
    /// It looks as if it were the house's.
    #[error("contains a word that is reserved")]
    Reserved,
}

/// A code as somebody typed it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TypedCode {
    /// Written as a drawn code is.
    Drawn(ReferralCode),
    /// Written as one of a referrer's own choice is.
    Vanity(VanityCode),
}

/// The text is no code: it was mistyped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a referral code")]
pub struct Mistyped;

impl VanityCode {
    /// The code, as it is stored and shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VanityCode {
    type Err = InvalidVanity;

    fn from_str(text: &str) -> Result<Self, InvalidVanity> {
        let typed: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let typed = typed.to_ascii_uppercase();
        if !typed.starts_with(|c: char| c.is_ascii_uppercase()) || !typed.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(InvalidVanity::Character);
        }
        if !(5..=20).contains(&typed.len()) {
            return Err(InvalidVanity::Length);
        }
        if looks_drawn(&typed) {
            return Err(InvalidVanity::LooksDrawn);
        }
        if RESERVED.iter().any(|word| typed.contains(word)) {
            return Err(InvalidVanity::Reserved);
        }
        Ok(Self(typed))
    }
}

impl FromStr for TypedCode {
    type Err = Mistyped;

    fn from_str(text: &str) -> Result<Self, Mistyped> {
        let drawn = text.parse().map(Self::Drawn).map_err(|_| Mistyped);
        drawn.or_else(|mistyped| text.parse().map(Self::Vanity).map_err(|_| mistyped))
    }
}

impl fmt::Display for VanityCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_a_code_of_ones_own_choice() {
        for (text, code) in [
            ("rosa-2026", "ROSA2026"),
            (" Harbour Sons ", "HARBOURSONS"),
            ("WILLIAMS", "WILLIAMS"),
        ] {
            assert_eq!(text.parse::<VanityCode>().map(|code| code.0), Ok(code.to_owned()));
        }
        for (text, why) in [
            ("", InvalidVanity::Character),
            ("2rosas", InvalidVanity::Character),
            ("rösa2026", InvalidVanity::Character),
            ("rosa_2026", InvalidVanity::Character),
            ("rosa", InvalidVanity::Length),
            ("aaaaaaaaaaaaaaaaaaaaa", InvalidVanity::Length),
            ("PAYMENTS4U", InvalidVanity::Reserved),
            ("myvouch1", InvalidVanity::Reserved),
            ("CHARRRRR", InvalidVanity::LooksDrawn),
        ] {
            assert_eq!(text.parse::<VanityCode>(), Err(why), "{text:?}");
        }
    }

    proptest! {
        /// What is typed can never be both, so that nobody's own choice catches the slips of others.
        #[test]
        fn a_drawn_code_with_wrong_characters_is_no_vanity_code(random: u64, place in 0_usize..8, other in 0_usize..30) {
            let code = ReferralCode::from_random(random);
            let mut typed: Vec<char> = code.as_str().chars().collect();
            typed[place] = "23456789ABCDEFGHJKMNPQRSTVWXYZ".chars().nth(other).expect("a letter");
            let typed: String = typed.into_iter().collect();
            let expected = if typed == code.as_str() { Ok(TypedCode::Drawn(code)) } else { Err(Mistyped) };
            prop_assert_eq!(typed.parse::<TypedCode>(), expected);
            prop_assert_eq!(typed.parse::<VanityCode>().ok(), None);
        }
    }
}
