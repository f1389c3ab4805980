//! The periods of a recurring contract, and what one of them costs [B2].

use vouch_primitives::{Money, Timestamp, terms::PayPeriod};

use super::{Contract, ContractState, Pause};

/// One period: from 00:00 UTC of its first day up to, and without, the same of the day after its last.
///
/// Periods follow one another from the day on which the contract begins, which counts whole. That of a month ends on the same
/// day of the next month, or on its last day where it has no such day, always counted from the first day of all: 31 January,
/// 28 February, 31 March.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WorkPeriod {
    /// Its first moment: when the work of the period counts as earned.
    pub start: Timestamp,
    /// The moment after it.
    pub end: Timestamp,
}

impl WorkPeriod {
    /// The period of this number, counted from zero.
    #[must_use]
    pub fn nth(contract: &Contract, every: PayPeriod, number: u32) -> Self {
        let first = contract.begins_at().start_of_day();
        Self {
            start: every.after(first, number),
            end: every.after(first, number.saturating_add(1)),
        }
    }

    /// The period that ends at this moment, or the first one that ends later, and the one after it.
    #[must_use]
    pub fn ending_at(contract: &Contract, every: PayPeriod, end: Timestamp) -> (Self, Self) {
        let mut number = 0;
        // A period has a week at least, so that these are few.
        while Self::nth(contract, every, number).end < end {
            number += 1;
        }
        (
            Self::nth(contract, every, number),
            Self::nth(contract, every, number.saturating_add(1)),
        )
    }

    /// What it costs: the whole `amount` if work could go on all the time, and in proportion if the contract was paused, or had
    /// ended, for some of it; **rounded down** once. Pauses may overlap: people set some, and unpaid charges others.
    #[must_use]
    pub fn cost_rounded_down(self, contract: &Contract, amount: Money, pauses: &[Pause]) -> Money {
        let until = match &contract.state {
            ContractState::Ended(halt) => self.end.min(halt.at),
            ContractState::Active | ContractState::Paused(_) => self.end,
        };
        let mut pauses: Vec<&Pause> = pauses.iter().collect();
        pauses.sort_by_key(|pause| pause.from);
        let (mut worked, mut from) = (0, self.start);
        for pause in pauses {
            worked += pause.from.min(until).since(from).as_micros();
            from = from.max(pause.until.unwrap_or(until));
        }
        worked += until.since(from).as_micros();
        let whole = self.end.since(self.start).as_micros();
        let share = |part: u128| i128::try_from(part).unwrap_or(i128::MAX);
        let minor = (i128::from(amount.minor) * share(worked)).div_euclid(share(whole).max(1));
        Money::new(i64::try_from(minor).unwrap_or(amount.minor), amount.currency)
    }
}

#[cfg(test)]
mod tests {
    use vouch_primitives::{AccountId, Currency};

    use super::*;
    use crate::domain::{Author, Halt, tests::contract};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn beginning(start: &str) -> Contract {
        Contract {
            start_at: at(start),
            created_at: at("2020-01-01"),
            ..contract(AccountId::new(), Currency::USD, 1_000)
        }
    }

    // B2: ends of months that are shorter, leap days and ends of years.
    #[test]
    fn periods_follow_the_day_on_which_the_contract_began() {
        use PayPeriod::{Month, Quarter, TwoWeeks, Week};
        for (start, every, days) in [
            (
                "2026-12-20",
                TwoWeeks,
                ["2026-12-20", "2027-01-03", "2027-01-17", "2027-01-31", "2027-02-14"],
            ),
            (
                "2027-01-31",
                Month,
                ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"],
            ),
            (
                "2028-01-31",
                Month,
                ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31"],
            ),
            (
                "2028-02-29",
                Month,
                ["2028-02-29", "2028-03-29", "2028-04-29", "2028-05-29", "2028-06-29"],
            ),
            (
                "2026-11-15T09:30:00Z",
                Month,
                ["2026-11-15", "2026-12-15", "2027-01-15", "2027-02-15", "2027-03-15"],
            ),
            (
                "2026-11-30",
                Quarter,
                ["2026-11-30", "2027-02-28", "2027-05-30", "2027-08-30", "2027-11-30"],
            ),
            (
                "2026-12-23T23:59:59Z",
                Week,
                ["2026-12-23", "2026-12-30", "2027-01-06", "2027-01-13", "2027-01-20"],
            ),
            (
                "2028-02-22",
                Week,
                ["2028-02-22", "2028-02-29", "2028-03-07", "2028-03-14", "2028-03-21"],
            ),
        ] {
            let contract = beginning(start);
            for (number, pair) in (0..).zip(days.windows(2)) {
                let period = WorkPeriod::nth(&contract, every, number);
                assert_eq!((period.start, period.end), (at(pair[0]), at(pair[1])), "{start}");
                let next = WorkPeriod::nth(&contract, every, number + 1);
                assert_eq!(
                    WorkPeriod::ending_at(&contract, every, period.end),
                    (period, next),
                    "{start}"
                );
            }
        }
    }

    // B2
    #[test]
    fn a_period_costs_what_of_it_could_be_worked() {
        let mut contract = beginning("2026-11-01T09:00:00Z");
        let november = WorkPeriod::nth(&contract, PayPeriod::Month, 0);
        let pause = |from: &str, until: Option<&str>| Pause {
            from: at(from),
            until: until.map(at),
        };
        let cost = |contract: &Contract, pauses: &[Pause]| {
            november
                .cost_rounded_down(contract, Money::new(100_000, Currency::USD), pauses)
                .minor
        };
        assert_eq!(cost(&contract, &[]), 100_000, "the first day counts whole");
        assert_eq!(cost(&contract, &[pause("2026-11-11", Some("2026-11-21"))]), 66_666);
        assert_eq!(
            cost(&contract, &[pause("2026-10-01", None)]),
            0,
            "a pause skips periods"
        );
        assert_eq!(cost(&contract, &[pause("2026-11-16", None)]), 50_000, "it goes on");
        let twice = [
            pause("2026-10-30", Some("2026-11-04")),
            pause("2026-11-28", Some("2026-12-24")),
        ];
        assert_eq!(cost(&contract, &twice), 80_000);
        let one_in_another = [
            pause("2026-11-15", Some("2026-11-18")),
            pause("2026-11-10", Some("2026-11-16")),
            pause("2026-11-11", Some("2026-11-12")),
        ];
        assert_eq!(cost(&contract, &one_in_another), 73_333, "8 of 30 days, each once");
        let ended = |at_: &str| {
            ContractState::Ended(Halt {
                at: at(at_),
                reason: "Done".to_owned(),
                by: Some(Author::Client),
            })
        };
        for (end, minor) in [
            ("2026-10-31", 0),
            ("2026-11-01", 0),
            ("2026-11-16", 50_000),
            ("2026-11-30T12:00:00Z", 98_333),
            ("2026-12-01", 100_000),
            ("2027-02-01", 100_000),
        ] {
            contract.state = ended(end);
            assert_eq!(cost(&contract, &[]), minor, "ended on {end}");
        }
        contract.state = ended("2026-11-16");
        let before_the_end = [pause("2026-11-13", Some("2026-11-16"))];
        assert_eq!(cost(&contract, &before_the_end), 40_000);
    }
}
