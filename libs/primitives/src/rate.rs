//! Rates in basis points and the two roundings that Vouch knows, both with their name on them.

use std::fmt;

/// A rate in hundredths of a per cent: 500 is 5 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BasisPoints(u16);

/// A rate above 100 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} basis points are more than 100 %")]
pub struct RateTooHigh(pub u32);

/// An exact share of an amount: a whole number of ten-thousandths of a minor unit.
///
/// Shares add without rounding, in any order, and subtracting one is the exact inverse of adding it; so only their
/// sum is ever rounded, once, when it becomes money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(i128);

impl BasisPoints {
    /// 100 %.
    pub const WHOLE: Self = Self(10_000);

    /// A rate of at most 100 %.
    ///
    /// # Errors
    /// If the rate is higher.
    pub fn try_new(basis_points: u32) -> Result<Self, RateTooHigh> {
        match u16::try_from(basis_points) {
            Ok(value) if value <= Self::WHOLE.0 => Ok(Self(value)),
            _ => Err(RateTooHigh(basis_points)),
        }
    }

    /// A rate that is known when the program is compiled.
    ///
    /// # Panics
    /// Above 100 %.
    #[must_use]
    pub const fn of(basis_points: u16) -> Self {
        assert!(basis_points <= Self::WHOLE.0, "a rate above 100 %");
        Self(basis_points)
    }

    /// The rate in basis points.
    #[must_use]
    pub fn get(self) -> u32 {
        u32::from(self.0)
    }

    /// The exact share of an amount in minor units; of a negative amount it is negative.
    #[must_use]
    pub fn share_of(self, amount_minor: i64) -> Share {
        Share(i128::from(amount_minor) * i128::from(self.0))
    }
}

impl Share {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    const PER_MINOR_UNIT: i128 = 10_000;

    /// The share of so many ten-thousandths of a minor unit.
    #[must_use]
    pub const fn from_ten_thousandths(value: i128) -> Self {
        Self(value)
    }

    /// The share put together from what [`Share::floor_minor`] and [`Share::fraction`] took apart.
    #[must_use]
    pub fn from_parts(floor_minor: i64, fraction: u16) -> Self {
        Self(i128::from(floor_minor) * Self::PER_MINOR_UNIT + i128::from(fraction))
    }

    /// The exact value, in ten-thousandths of a minor unit.
    #[must_use]
    pub const fn ten_thousandths(self) -> i128 {
        self.0
    }

    /// Whole minor units, **rounded towards minus infinity**: rounding never pays out more than is due.
    /// `None` if it does not fit an amount.
    #[must_use]
    pub fn floor_minor(self) -> Option<i64> {
        i64::try_from(self.0.div_euclid(Self::PER_MINOR_UNIT)).ok()
    }

    /// What [`Share::floor_minor`] leaves over: 0 to 9,999 ten-thousandths of a minor unit.
    #[must_use]
    pub fn fraction(self) -> u16 {
        u16::try_from(self.0.rem_euclid(Self::PER_MINOR_UNIT)).unwrap_or(0)
    }

    /// The exact sum; `None` beyond 128 bits, which no sum of amounts reaches.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The exact difference.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl fmt::Display for BasisPoints {
    /// In per cent: `5 %`, `12.5 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, hundredths) = (self.0 / 100, self.0 % 100);
        match hundredths {
            0 => write!(f, "{whole} %"),
            h if h % 10 == 0 => write!(f, "{whole}.{} %", h / 10),
            h => write!(f, "{whole}.{h:02} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_round_down_even_below_zero() {
        for (amount, floor, fraction) in [
            (1_010, 50, 5_000),
            (19, 0, 9_500),
            (-19, -1, 500),
            (0, 0, 0),
            (20, 1, 0),
        ] {
            let share = BasisPoints::of(500).share_of(amount);
            assert_eq!(
                (share.floor_minor(), share.fraction()),
                (Some(floor), fraction),
                "5 % of {amount}"
            );
            assert_eq!(Share::from_parts(floor, fraction), share);
        }
    }

    #[test]
    fn the_largest_amounts_do_not_overflow() {
        let all = BasisPoints::WHOLE.share_of(i64::MAX);
        assert_eq!(all.floor_minor(), Some(i64::MAX));
        assert_eq!(all.checked_add(all).and_then(Share::floor_minor), None);
    }

    #[test]
    fn rates_are_bounded_and_readable() {
        assert_eq!(BasisPoints::try_new(10_001), Err(RateTooHigh(10_001)));
        assert_eq!(BasisPoints::try_new(70_000), Err(RateTooHigh(70_000)));
        assert_eq!(BasisPoints::of(500).to_string(), "5 %");
        assert_eq!(BasisPoints::of(1_250).to_string(), "12.5 %");
        assert_eq!(BasisPoints::of(5).to_string(), "0.05 %");
    }
}
