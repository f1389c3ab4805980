//! The service fee of the talent's side.

use vouch_primitives::BasisPoints;

/// A version of the terms of the service fee. A contract is bound to one for life [F14].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeTerms {
    /// Their version.
    pub version: u32,
    /// The talent's side of the fee.
    pub talent: BasisPoints,
}

impl FeeTerms {
    /// The terms that new contracts are bound to: 10 %.
    pub const STANDARD: Self = Self {
        version: 1,
        talent: BasisPoints::of(1_000),
    };

    /// The fee on a contract's running total: what was earned less what was refunded, **rounded down** once on the
    /// sum. So the fee never depends on how the total was split, and a refund is the exact inverse of its earning.
    #[must_use]
    pub fn on_total_rounded_down(self, net_gross_minor: i64) -> i64 {
        // A share of at most 100 % of an amount always fits one.
        self.talent
            .share_of(net_gross_minor)
            .floor_minor()
            .unwrap_or(net_gross_minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fee_is_rounded_down_on_the_total() {
        let fee = |total| FeeTerms::STANDARD.on_total_rounded_down(total);
        for (total, expected) in [
            (0, 0),
            (9, 0),
            (10, 1),
            (19, 1),
            (125_000, 12_500),
            (i64::MAX, i64::MAX / 10),
        ] {
            assert_eq!(fee(total), expected, "10 % of {total}");
        }
    }
}
