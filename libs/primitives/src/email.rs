//! E-mail addresses, in the one form in which they are compared.

use std::{fmt, str::FromStr};

use crate::text::is_deceptive;

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
    /// RFC 5321 ends at 254 characters, 64 before the `@`, RFC 1035 at 63 between two dots of the domain.
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

impl EmailAddress {
    /// The part behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.split_once('@').map_or("", |(_, domain)| domain)
    }

    /// The address to which mail to this one comes, as far as an address says it: what stands behind a `+` names a folder,
    /// and Gmail knows neither dots nor two domains. Only to be compared; mail goes to the address itself.
    #[must_use]
    pub fn mailbox(&self) -> String {
        let (local, domain) = self.0.split_once('@').unwrap_or((&self.0, ""));
        let person = local.split_once('+').map_or(local, |(person, _)| person);
        // An address that begins with a plus is nobody's folder.
        let person = if person.is_empty() { local } else { person };
        match domain {
            "gmail.com" | "googlemail.com" => format!("{}@gmail.com", person.replace('.', "")),
            _ => format!("{person}@{domain}"),
        }
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        // Making a letter small can make several of it, so that this comes before all that is checked.
        let text = text.trim().to_lowercase();
        if text.len() > 254 {
            return Err(InvalidEmail::TooLong);
        }
        if text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || is_deceptive(c) || "<>()[],;:\\\"".contains(c))
        {
            return Err(InvalidEmail::Character);
        }
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail::Shape)?;
        let dotted = |part: &str| part.split('.').all(|label| !label.is_empty());
        if local.len() > 64 || domain.split('.').any(|label| label.len() > 63) {
            return Err(InvalidEmail::TooLong);
        }
        if domain.contains('@') || !dotted(local) || !dotted(domain) || !domain.contains('.') {
            return Err(InvalidEmail::Shape);
        }
        let hyphen_at_an_end = |label: &str| label.starts_with('-') || label.ends_with('-');
        if !domain.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '.')
            || domain.split('.').any(hyphen_at_an_end)
        {
            return Err(InvalidEmail::Character);
        }
        Ok(Self(text))
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
        write!(f, "EmailAddress(…@{})", self.domain())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_normalised() {
        let ada: EmailAddress = "  Ada.L@Example.COM ".parse().expect("an address");
        assert_eq!(ada.as_str(), "ada.l@example.com");
        assert_eq!(format!("{ada:?}"), "EmailAddress(…@example.com)");
    }

    #[test]
    fn addresses_of_one_mailbox_are_told_as_such() {
        for (text, mailbox) in [
            ("ada.l+vouch@example.com", "ada.l@example.com"),
            ("A.da+1@GoogleMail.com", "ada@gmail.com"),
            ("a.d.a@gmail.com", "ada@gmail.com"),
            ("+ada@example.com", "+ada@example.com"),
        ] {
            let address: EmailAddress = text.parse().expect("an address");
            assert_eq!(address.mailbox(), mailbox);
        }
        assert_eq!(
            "ada@example.com".parse::<EmailAddress>().expect("an address").domain(),
            "example.com"
        );
    }

    #[test]
    fn what_is_no_address() {
        let long = format!("{}@example.com", "a".repeat(65));
        let long_label = format!("ada@{}.example", "a".repeat(64));
        let longest_label = format!("ada@{}.example", "a".repeat(63));
        assert!(longest_label.parse::<EmailAddress>().is_ok());
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
            (&long_label, InvalidEmail::TooLong),
            ("ada@-home.example", InvalidEmail::Character),
            ("ada@home-.example", InvalidEmail::Character),
            ("ada\u{202e}@home.example", InvalidEmail::Character),
        ] {
            assert_eq!(text.parse::<EmailAddress>(), Err(why), "{text:?}");
        }
    }
    proptest! {
        /// Some letters become several when they are made small, and some of these are no letters.
        #[test]
        fn what_is_an_address_is_the_same_address_again(text in "[a-zA-Zİſẞ.+]{1,9}@[a-zA-Z0-9İſẞΣé.-]{1,12}\\.[a-zİ]{2}") {
            if let Ok(address) = text.parse::<EmailAddress>() {
                prop_assert_eq!(address.as_str().parse(), Ok(address.clone()));
            }
        }
    }
}
