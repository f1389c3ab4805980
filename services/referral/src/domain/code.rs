//! Referral codes: short enough to say over the phone [R2], and checked so that a slip of the tongue is noticed.

use std::{fmt, str::FromStr};

/// Letters and digits that are not taken for one another: no `I`, `L`, `O`, `U`, `0`, `1`.
const ALPHABET: &[u8; 30] = b"23456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 8;

/// A code: seven random characters and a check character, written `VCH2-K7QX`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferralCode(String);

/// The text is no referral code: it has a wrong length or character, or the check character does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a referral code")]
pub struct InvalidCode;

impl ReferralCode {
    /// The code of so much randomness; 30^7 codes, so that a guess hits one in billions.
    #[must_use]
    pub fn from_random(random: u64) -> Self {
        let mut rest = random;
        let mut symbols = Vec::with_capacity(LENGTH);
        for _ in 1..LENGTH {
            symbols.push(rest % 30);
            rest /= 30;
        }
        symbols.push(check(&symbols));
        Self(symbols.into_iter().filter_map(letter).collect())
    }

    /// The eight characters without the hyphen, as they are stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReferralCode {
    type Err = InvalidCode;

    /// Reads a code as people type it: lower case, spaces and hyphens are fine.
    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let typed: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
        let typed = typed.to_ascii_uppercase();
        let symbols: Option<Vec<u64>> = typed.bytes().map(symbol).collect();
        match symbols.as_deref() {
            Some([body @ .., last]) if body.len() == LENGTH - 1 && check(body) == *last => Ok(Self(typed)),
            _ => Err(InvalidCode),
        }
    }
}

impl fmt::Display for ReferralCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (left, right) = self.0.split_at(LENGTH / 2);
        write!(f, "{left}-{right}")
    }
}

/// Whether a text has the length and the characters of a drawn code, whatever its last one says.
pub(super) fn looks_drawn(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| symbol(byte).is_some())
}

/// The weights are coprime to 30 and differ by at most 29 from place to place, so that every single wrong character
/// is noticed, and nearly every exchange of two neighbours.
fn check(body: &[u64]) -> u64 {
    let weights = [1, 7, 11, 13, 17, 19, 23];
    body.iter()
        .zip(weights)
        .map(|(symbol, weight)| symbol * weight)
        .sum::<u64>()
        % 30
}

fn letter(symbol: u64) -> Option<char> {
    usize::try_from(symbol)
        .ok()
        .and_then(|i| ALPHABET.get(i))
        .map(|byte| char::from(*byte))
}

fn symbol(byte: u8) -> Option<u64> {
    ALPHABET
        .iter()
        .position(|known| *known == byte)
        .and_then(|i| u64::try_from(i).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_are_read_as_people_type_them(random: u64) {
            let code = ReferralCode::from_random(random);
            prop_assert_eq!(code.to_string().to_lowercase().replace('-', " ").parse(), Ok(code));
        }

        #[test]
        fn one_wrong_character_is_always_noticed(random: u64, place in 0_usize..8, other in 1_u64..30) {
            let code = ReferralCode::from_random(random);
            let mut symbols: Vec<u64> = code.as_str().bytes().filter_map(symbol).collect();
            symbols[place] = (symbols[place] + other) % 30;
            let wrong: String = symbols.into_iter().filter_map(letter).collect();
            prop_assert_eq!(wrong.parse::<ReferralCode>(), Err(InvalidCode));
        }
    }

    #[test]
    fn what_is_no_code() {
        for text in ["", "2222", "VCH2-K7Q", "0000-0000", "2222-22222", "ÄÖÜ2-2222"] {
            assert_eq!(text.parse::<ReferralCode>(), Err(InvalidCode), "{text:?}");
        }
    }
}
