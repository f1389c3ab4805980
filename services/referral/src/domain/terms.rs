//! The terms of the programme: immutable, versioned, told apart by the hash of their canonical text.

use vouch_primitives::{BasisPoints, Timestamp};

/// One version of the programme's terms. An attribution keeps the version under which it was made, for life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// From 1.
    pub version: u32,
    /// The share of the referee's earnings, for life [R25].
    pub lifetime: BasisPoints,
    /// The additional share of what the referee earned inside the window [R26].
    pub bonus: BasisPoints,
    /// The window, in calendar months from joining [R26].
    pub window_months: u32,
}

impl Terms {
    /// The standard terms: 5 % for life [R25], and 10 % of the first three months if the referee stays [R26].
    pub const STANDARD: Self = Self {
        version: 1,
        lifetime: BasisPoints::of(500),
        bonus: BasisPoints::of(1_000),
        window_months: 3,
    };

    /// The text whose hash identifies the terms. It never changes for a version, whatever the program becomes.
    #[must_use]
    pub fn canonical(&self) -> String {
        format!(
            "vouch referral terms\nversion {}\nlifetime {} basis points of settled earnings less reversals\n\
             bonus {} basis points of what was earned within {} calendar months of joining\n\
             rounding down on the running total\n",
            self.version,
            self.lifetime.get(),
            self.bonus.get(),
            self.window_months
        )
    }

    /// When the bonus window of somebody who joined then ends. The window is half open: what is earned at this very
    /// moment lies outside it [R26].
    #[must_use]
    pub fn window_end(&self, joined: Timestamp) -> Timestamp {
        joined.add_months_clamped(self.window_months)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_text_of_the_standard_terms_never_changes() {
        assert_eq!(
            Terms::STANDARD.canonical(),
            "vouch referral terms\nversion 1\nlifetime 500 basis points of settled earnings less reversals\n\
             bonus 1000 basis points of what was earned within 3 calendar months of joining\n\
             rounding down on the running total\n"
        );
    }
}
