//! The secret of a mailed link: 256 bits of the operating system, in the mail and nowhere else.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};

/// The operating system gives no random bytes.
pub type NoRandomness = rand::rngs::SysError;

/// A token as it stands in a link.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A fresh one: 43 characters that a URL may hold as they are.
    ///
    /// # Errors
    /// If the operating system gives no random bytes.
    pub fn try_new() -> Result<Self, NoRandomness> {
        let mut secret = [0; 32];
        SysRng.try_fill_bytes(&mut secret)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(secret)))
    }

    /// What somebody sent as the token of their link; whether it is one, its hash will tell.
    #[must_use]
    pub const fn from_link(text: String) -> Self {
        Self(text)
    }

    /// The text that stands in the link.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is stored of a token: its SHA-256. A fast hash is right here, since nobody can try 2^256 tokens.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }
}

impl fmt::Debug for Token {
    /// Secrets stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_different_and_fit_into_a_url() {
        let [one, other] = [0, 1].map(|_| Token::try_new().expect("random bytes"));
        assert_ne!(one, other);
        assert_ne!(one.sha256(), other.sha256());
        assert_eq!(one.as_str().len(), 43);
        assert!(
            one.as_str()
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        );
        assert_eq!(format!("{one:?}"), "Token(…)");
    }
}
