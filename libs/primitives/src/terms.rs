//! The terms of a contract, as a client offers them [B13, B14, B19].

use std::{error::Error, fmt, ops::RangeInclusive};

use crate::{Money, MoneyError, Timestamp};

/// How long the name of a project or the title of a milestone may be, in characters.
pub const TITLE_LENGTH: RangeInclusive<usize> = 1..=200;
/// How long the scope of work may be, in characters.
pub const SCOPE_LENGTH: RangeInclusive<usize> = 1..=10_000;
/// How long the payment terms may be, in characters.
pub const PAYMENT_TERMS_LENGTH: RangeInclusive<usize> = 0..=2_000;
/// How many minutes a week may be invoiced: at most a whole week.
pub const WEEKLY_LIMIT_MINUTES: RangeInclusive<u32> = 1..=10_080;
/// How many milestones a contract may have.
pub const MILESTONES: RangeInclusive<usize> = 1..=100;
/// How many hours of a week can be expected; 0 leaves it open.
pub const EXPECTED_WEEKLY_HOURS: RangeInclusive<u32> = 0..=168;

/// An offer of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractTerms {
    /// The name of the project.
    pub project_name: String,
    /// How the work is paid.
    pub pay: Pay,
    /// What is to be done.
    pub scope_of_work: String,
    /// When it is to be done.
    pub schedule: Schedule,
    /// How payment was agreed, in words; may be empty.
    pub payment_terms: String,
}

/// How work is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pay {
    /// By the hour.
    Hourly(HourlyPay),
    /// By agreed amounts.
    Fixed(FixedPay),
    /// One amount per period [B2].
    Recurring(RecurringPay),
}

/// Pay by the hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HourlyPay {
    /// For one hour; above zero.
    pub rate: Money,
    /// Minutes that may be invoiced per week.
    pub weekly_limit_minutes: u32,
}

/// Pay by agreed amounts, one for each milestone, all in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FixedPay {
    milestones: Vec<MilestoneTerms>,
    agreed_amount: Money,
}

/// One amount for each period, for as long as the contract lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecurringPay {
    /// For a whole period; above zero, and no larger than an amount may be.
    pub amount: Money,
    /// How often.
    pub every: PayPeriod,
}

/// How long a period of a recurring contract is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayPeriod {
    /// Seven days.
    Week,
    /// Fourteen days.
    TwoWeeks,
    /// A calendar month.
    Month,
    /// Three calendar months.
    Quarter,
}

impl PayPeriod {
    /// All periods.
    pub const ALL: [Self; 4] = [Self::Week, Self::TwoWeeks, Self::Month, Self::Quarter];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Week => "WEEK",
            Self::TwoWeeks => "TWO_WEEKS",
            Self::Month => "MONTH",
            Self::Quarter => "QUARTER",
        }
    }

    /// How often that is, as it stands behind an amount.
    #[must_use]
    pub const fn how_often(self) -> &'static str {
        match self {
            Self::Week => "a week",
            Self::TwoWeeks => "every two weeks",
            Self::Month => "a month",
            Self::Quarter => "a quarter",
        }
    }

    /// The moment so many periods after `first`, the ends of months clamped.
    #[must_use]
    pub fn after(self, first: Timestamp, number: u32) -> Timestamp {
        match self {
            Self::Week => first.add_days(number.saturating_mul(7)),
            Self::TwoWeeks => first.add_days(number.saturating_mul(14)),
            Self::Month => first.add_months_clamped(number),
            Self::Quarter => first.add_months_clamped(number.saturating_mul(3)),
        }
    }
}

/// One piece of fixed-price work as it is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MilestoneTerms {
    /// What is delivered.
    pub title: String,
    /// What is paid for it; above zero, and no larger than an amount may be.
    pub amount: Money,
}

/// When work is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// When work may begin; no hours worked before it are billed.
    pub start: Timestamp,
    /// The hours per week that both sides expect; `None` leaves it open.
    pub expected_weekly_hours: Option<u32>,
}

/// Why milestones make no agreed amount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayError {
    /// None, or more than a contract may have.
    MilestoneCount(usize),
    /// One of the amounts is larger than an amount may be.
    AmountTooLarge(Money),
    /// The amounts do not add.
    NoSum(MoneyError),
}

impl FixedPay {
    /// The milestones, and what they come to.
    ///
    /// # Errors
    /// If there are none or too many, if one is too large, or if their currencies differ.
    pub fn try_new(milestones: Vec<MilestoneTerms>) -> Result<Self, PayError> {
        let count = milestones.len();
        if !MILESTONES.contains(&count) {
            return Err(PayError::MilestoneCount(count));
        }
        let mut amounts = milestones.iter().map(|milestone| milestone.amount);
        if let Some(large) = amounts.clone().find(|amount| amount.minor > Money::LARGEST_MINOR) {
            return Err(PayError::AmountTooLarge(large));
        }
        let first = amounts.next().ok_or(PayError::MilestoneCount(0))?;
        let agreed_amount = amounts.try_fold(first, Money::checked_add).map_err(PayError::NoSum)?;
        Ok(Self {
            milestones,
            agreed_amount,
        })
    }

    /// At least one.
    #[must_use]
    pub fn milestones(&self) -> &[MilestoneTerms] {
        &self.milestones
    }

    /// The sum of all milestones [B14].
    #[must_use]
    pub const fn agreed_amount(&self) -> Money {
        self.agreed_amount
    }
}

impl fmt::Display for PayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MilestoneCount(count) => {
                let (least, most) = (MILESTONES.start(), MILESTONES.end());
                write!(f, "there must be {least} to {most} milestones, not {count}")
            }
            Self::AmountTooLarge(amount) => write!(f, "{amount} is more than a milestone may come to"),
            Self::NoSum(error) => write!(f, "the amounts make no sum: {error}"),
        }
    }
}

impl Error for PayError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Currency;

    fn milestones(amounts: &[(i64, &str)]) -> Vec<MilestoneTerms> {
        let milestone = |&(minor, code): &(i64, &str)| MilestoneTerms {
            title: "a step".to_owned(),
            amount: Money::new(minor, code.parse().expect("a currency")),
        };
        amounts.iter().map(milestone).collect()
    }

    #[test]
    fn the_agreed_amount_is_the_sum_of_the_milestones() {
        let pay = FixedPay::try_new(milestones(&[(100_000, "USD"), (25_050, "USD")]));
        let agreed = pay.map(|pay| pay.agreed_amount());
        assert_eq!(agreed, Ok(Money::new(125_050, Currency::USD)));
    }

    #[test]
    fn milestones_that_make_no_sum_are_refused() {
        assert_eq!(FixedPay::try_new(vec![]), Err(PayError::MilestoneCount(0)));
        let many = milestones(&[(1, "USD"); 101]);
        assert_eq!(FixedPay::try_new(many), Err(PayError::MilestoneCount(101)));
        let mixed = FixedPay::try_new(milestones(&[(1, "USD"), (1, "EUR")]));
        assert!(matches!(
            mixed,
            Err(PayError::NoSum(MoneyError::DifferentCurrencies(..)))
        ));
        let large = Money::LARGEST_MINOR + 1;
        let too_large = FixedPay::try_new(milestones(&[(1, "USD"), (large, "USD")]));
        assert_eq!(
            too_large,
            Err(PayError::AmountTooLarge(Money::new(large, Currency::USD)))
        );
        let most = FixedPay::try_new(milestones(&[(Money::LARGEST_MINOR, "USD"); 100]));
        let agreed = most.map(|pay| pay.agreed_amount().minor);
        assert_eq!(agreed, Ok(100 * Money::LARGEST_MINOR));
    }
}
