//! In what ways clients pay.

use vouch_primitives::{BillingMethodId, ClientId, Timestamp};

use super::ChargedInstrument;

/// How many ways of billing a client may have at a time.
pub const MOST_METHODS: usize = 20;

/// A way in which a client pays: a token of the payment provider and a label, never a card number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillingMethod {
    /// Its id.
    pub id: BillingMethodId,
    /// Whose.
    pub client_id: ClientId,
    /// The provider's token.
    pub instrument: String,
    /// What people call it.
    pub label: String,
    /// Whether the provider has found that the client may use it.
    pub verified: bool,
    /// Whether it is the one that is charged.
    pub is_default: bool,
    /// When it was added.
    pub added_at: Timestamp,
}

/// What a billing method refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BillingError {
    /// The provider does not know the token.
    #[error("the payment provider knows no such instrument")]
    UnknownInstrument,
    /// The provider cannot be asked.
    #[error("the payment provider cannot be asked now")]
    ProviderUnavailable,
    /// The client has it already.
    #[error("the client has this billing method already")]
    Exists,
    /// The client has as many as it may have.
    #[error("the client has {MOST_METHODS} billing methods, and may not have more")]
    TooMany,
}

impl BillingMethod {
    /// What is charged by it.
    #[must_use]
    pub fn charged(&self) -> ChargedInstrument {
        ChargedInstrument {
            method: Some(self.id),
            token: self.instrument.clone(),
            verified: self.verified,
        }
    }
}

/// Whether a text is a card number, in groups or not: 12 to 19 digits, of which the last is right (ISO/IEC 7812).
#[must_use]
pub fn is_card_number(text: &str) -> bool {
    let mut digits = Vec::new();
    for character in text.chars() {
        match character.to_digit(10) {
            Some(digit) => digits.push(digit),
            None if matches!(character, ' ' | '-') => {}
            None => return false,
        }
    }
    let weighed = digits.iter().rev().enumerate().map(|(place, digit)| {
        let doubled = digit * 2;
        match place % 2 {
            0 => *digit,
            _ => doubled / 10 + doubled % 10,
        }
    });
    (12..=19).contains(&digits.len()) && weighed.sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::is_card_number;

    #[test]
    fn card_numbers_are_told_from_tokens_and_labels() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "5555-5555-5555-4444",
            "378282246310005",
        ] {
            assert!(is_card_number(number), "{number}");
        }
        for text in [
            "sandbox-accepts",
            "pm_4111111111111111",
            "Visa 1111",
            "4111111111111112",
            "1234",
            "",
        ] {
            assert!(!is_card_number(text), "{text}");
        }
    }
}
