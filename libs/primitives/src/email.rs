//! E-mail addresses, in the one form in which they are compared.

use std::{fmt, str::FromStr};

/// An address in lower case. It may be compared for equality; nothing else is promised of it, least of all that
/// somebody reads it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EmailAddress(String);

/// Why a text is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEmail {
    /// There is no single `@` with something on both sides.
    #[error("must look like name@example.com")]
    Shape,
    /// RFC 5321 ends at 254 characters, 64 before the `@`.
    #[error("is longer than an e-mail address can be")]
    TooLong,
    /// White space, control characters and the like have no place here; they are how headers get forged.
    #[error("contains a character that an e-mail address cannot have")]
    Character,
}

impl EmailAddress {
    /// The address as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        if text.len() > 254 {
            return Err(InvalidEmail::TooLong);
        }
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || "<>()[],;:\\\"".contains(c))
        {
            return Err(InvalidEmail::Character);
        }
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail::Shape)?;
        let dotted = |part: &str| part.split('.').all(|label| !label.is_empty());
        if local.len() > 64 {
            return Err(InvalidEmail::TooLong);
        }
        if domain.contains('@') || !dotted(local) || !dotted(domain) || !domain.contains('.') {
            return Err(InvalidEmail::Shape);
        }
        if !domain.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '.') {
            return Err(InvalidEmail::Character);
        }
        Ok(Self(text.to_lowercase()))
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    /// Addresses stay out of logs: only the domain is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "EmailAddress(…@{})",
            self.0.split_once('@').map_or("", |(_, domain)| domain)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalised() {
        let ada: EmailAddress = "  Ada.L@Example.COM ".parse().expect("an address");
        assert_eq!(ada.as_str(), "ada.l@example.com");
        assert_eq!(format!("{ada:?}"), "EmailAddress(…@example.com)");
    }

    #[test]
    fn what_is_no_address() {
        let long = format!("{}@example.com", "a".repeat(65));
        for (text, why) in [
            ("", InvalidEmail::Shape),
            ("ada", InvalidEmail::Shape),
            ("@example.com", InvalidEmail::Shape),
            ("ada@", InvalidEmail::Shape),
            ("ada@localhost", InvalidEmail::Shape),
            ("ada@@example.com", InvalidEmail::Shape),
            ("ada@exa_mple.com", InvalidEmail::Character),
            ("ada@example.com\r\nBcc: all@example.com", InvalidEmail::Character),
            ("Ada <ada@example.com>", InvalidEmail::Character),
            (&long, InvalidEmail::TooLong),
        ] {
            assert_eq!(text.parse::<EmailAddress>(), Err(why), "{text:?}");
        }
    }
}
