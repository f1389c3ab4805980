//! Kinds of tax forms.

use std::{fmt, str::FromStr};

/// Which form talent has signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaxFormKind {
    /// W-9: a person of the United States.
    W9,
    /// W-8BEN: a person of another country.
    W8Ben,
}

/// Not the name of a kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of tax form: {0:?}")]
pub struct UnknownTaxForm(pub String);

impl TaxFormKind {
    /// Its name, as databases store it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::W9 => "W9",
            Self::W8Ben => "W8BEN",
        }
    }
}

impl FromStr for TaxFormKind {
    type Err = UnknownTaxForm;

    fn from_str(text: &str) -> Result<Self, UnknownTaxForm> {
        [Self::W9, Self::W8Ben]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownTaxForm(text.to_owned()))
    }
}

impl fmt::Display for TaxFormKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
