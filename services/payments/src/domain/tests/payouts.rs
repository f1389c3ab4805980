//! When payouts are made, what they cost, and what can happen to them.

use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;
use vouch_primitives::{AccountId, Currency, Money, PayoutId, PayoutMethodId, Timestamp};

use super::{NOON, currency};
use crate::domain::{payout_method::TARIFFS, *};

const DAY: Duration = Duration::from_secs(86_400);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

/// A bank account for dollars, added now: USD 0.99 each, at least USD 10.
fn method() -> PayoutMethod {
    PayoutMethod {
        id: PayoutMethodId::new(),
        account_id: AccountId::new(),
        kind: PayoutKind::BankTransfer,
        currency: Currency::USD,
        provider_token: "btok".to_owned(),
        label: "•••• 6789".to_owned(),
        fingerprint_hash: [0; 32],
        added_at: NOON,
        removed_at: None,
    }
}

fn payout(state: PayoutState) -> Payout {
    let id = PayoutId::new();
    Payout {
        id,
        account_id: AccountId::new(),
        method_id: PayoutMethodId::new(),
        amount: usd(1_000),
        fee_minor: 99,
        run_id: None,
        dispatch_id: id.as_uuid(),
        requested_at: NOON,
        state,
    }
}

// F12: leap years, ends of years, and 2026, which has 53 weeks.
#[test]
fn the_next_payout_is_on_the_right_wednesday() {
    use Frequency::{Monthly, Quarterly, Weekly};
    for (frequency, moment, day) in [
        (Weekly, "2026-03-02T00:00:00Z", "2026-03-04"),
        (Weekly, "2026-03-04T11:59:59.999999Z", "2026-03-04"),
        (Weekly, "2026-03-04T12:00:00Z", "2026-03-11"),
        (Weekly, "2026-03-08T23:59:59Z", "2026-03-11"),
        (Weekly, "2026-12-30T12:00:00Z", "2027-01-06"),
        (Weekly, "2027-01-01T00:00:00Z", "2027-01-06"),
        (Weekly, "2028-02-28T00:00:00Z", "2028-03-01"),
        (Monthly, "2026-03-01T00:00:00Z", "2026-03-25"),
        (Monthly, "2026-03-25T11:59:59.999999Z", "2026-03-25"),
        (Monthly, "2026-03-25T12:00:00Z", "2026-04-29"),
        (Monthly, "2026-03-31T23:59:59Z", "2026-04-29"),
        // The last day of September 2026 is a Wednesday.
        (Monthly, "2026-09-30T00:00:00Z", "2026-09-30"),
        (Monthly, "2026-09-30T12:00:00.000001Z", "2026-10-28"),
        (Monthly, "2026-12-30T12:00:00Z", "2027-01-27"),
        (Monthly, "2027-02-24T12:00:00Z", "2027-03-31"),
        (Monthly, "2028-02-01T00:00:00Z", "2028-02-23"),
        // The leap day of 2040 is a Wednesday.
        (Monthly, "2040-02-29T11:00:00Z", "2040-02-29"),
        (Quarterly, "2026-01-01T00:00:00Z", "2026-03-25"),
        (Quarterly, "2026-03-25T12:00:00Z", "2026-06-24"),
        (Quarterly, "2026-03-31T00:00:00Z", "2026-06-24"),
        (Quarterly, "2026-09-30T12:00:00Z", "2026-12-30"),
        (Quarterly, "2026-12-30T12:00:00Z", "2027-03-31"),
        (Quarterly, "2028-02-29T00:00:00Z", "2028-03-29"),
    ] {
        let noon = at(&format!("{day}T12:00:00Z"));
        assert_eq!(
            frequency.next_after(at(moment)),
            Some(noon),
            "{frequency:?} after {moment}"
        );
    }
    assert_eq!(Frequency::OnDemand.next_after(NOON), None);
}

proptest! {
    #[test]
    fn payouts_by_schedule_are_the_last_wednesdays_of_their_periods(
        micros in at("1970-01-01").as_micros()..at("2400-01-01").as_micros(),
    ) {
        let moment = Timestamp::from_micros(micros);
        for (frequency, longest) in [(Frequency::Weekly, 7), (Frequency::Monthly, 35), (Frequency::Quarterly, 98)] {
            let next = frequency.next_after(moment).unwrap();
            prop_assert!(next > moment && next <= moment.add_days(longest), "{frequency:?}: {next}");
            prop_assert_eq!(next, next.start_of_week().add_days(2).saturating_add(DAY / 2));
            // Nothing lies between, and asking at any moment before gives the same.
            prop_assert_eq!(frequency.next_after(next.saturating_sub(Duration::from_micros(1))), Some(next));
            let after = next.add_days(7);
            match frequency {
                Frequency::Monthly => prop_assert_ne!(after.start_of_month(), next.start_of_month()),
                Frequency::Quarterly => prop_assert_ne!(after.start_of_quarter(), next.start_of_quarter()),
                Frequency::Weekly | Frequency::OnDemand => {}
            }
        }
    }
}

#[test]
fn every_tariff_leaves_something_to_send() {
    let mut known = BTreeSet::new();
    for tariff in TARIFFS {
        assert!(
            0 < tariff.fee_minor && tariff.fee_minor < tariff.minimum_minor,
            "{tariff:?}"
        );
        let found = tariff.kind.tariff(currency(tariff.currency_code));
        assert_eq!(found, Some(&tariff), "one of each");
        assert!(known.insert((tariff.kind, tariff.currency_code)), "{tariff:?} twice");
    }
    assert_eq!(PayoutKind::Wallet.tariff(currency("KWD")), None);
}

// F12
#[test]
fn a_method_is_active_three_days_after_it_was_added() {
    let mut method = method();
    let active_at = NOON.add_days(3);
    let just_before = active_at.saturating_sub(Duration::from_micros(1));
    assert_eq!(method.state(NOON), PayoutMethodState::Waiting);
    assert_eq!(method.state(just_before), PayoutMethodState::Waiting);
    assert_eq!(method.state(active_at), PayoutMethodState::Active);
    assert!(method.remove(active_at));
    assert!(
        !method.remove(active_at.add_days(1)),
        "it stays removed from the first time on"
    );
    assert_eq!(
        (method.removed_at, method.state(active_at)),
        (Some(active_at), PayoutMethodState::Removed)
    );
}

// F12
#[test]
fn a_payout_needs_an_active_method_and_a_tax_form() {
    let (method, active_at) = (method(), NOON.add_days(3));
    let removed = PayoutMethod {
        removed_at: Some(active_at),
        ..method.clone()
    };
    let judged = |method: &PayoutMethod, has_tax_form, now| {
        let (available, amount, minimum_minor) = (usd(5_000), None, 0);
        let ask = Ask {
            method,
            has_tax_form,
            available,
            amount,
            minimum_minor,
        };
        ask.judge(now)
    };
    let no_method = |active_at| Err(PayoutError::NoActiveMethod { active_at });
    assert_eq!(judged(&method, true, active_at), Ok((usd(5_000), 99)));
    assert_eq!(judged(&method, true, NOON), no_method(Some(active_at)));
    assert_eq!(judged(&removed, true, active_at), no_method(None));
    assert_eq!(judged(&method, false, active_at), Err(PayoutError::TaxFormRequired));
}

#[test]
fn what_is_too_little_or_too_much_to_be_paid_out_is_told() {
    let (method, minimum, eur) = (method(), usd(1_000), Money::new(2_000, currency("EUR")));
    let below = |minimum| Err(PayoutError::BelowMinimum { minimum });
    let other = Err(PayoutError::OtherCurrency { expected: minimum });
    let available = usd(5_000);
    let too_much = Err(PayoutError::TooLittleAvailable { available });
    for (amount, available, minimum_minor, expected) in [
        (None, available, 0, Ok((available, 99))),
        (Some(minimum), available, 0, Ok((minimum, 99))),
        (Some(usd(999)), available, 0, below(minimum)),
        (None, usd(999), 0, below(minimum)),
        (None, usd(0), 0, below(minimum)),
        (None, available, 5_001, below(usd(5_001))),
        (Some(usd(5_001)), available, 0, too_much),
        (Some(eur), available, 0, other.clone()),
        (None, eur, 0, other),
    ] {
        let ask = Ask {
            method: &method,
            has_tax_form: true,
            available,
            amount,
            minimum_minor,
        };
        assert_eq!(ask.judge(NOON.add_days(3)), expected, "{ask:?}");
    }
}

/// All states and all steps: where each leads, whether it was taken before, or that it cannot be.
#[test]
fn a_payout_takes_every_step_or_refuses_it() {
    use PayoutStep::{Cancel, Dispatch, Fail, Pay, Return};
    let reason = Refusal::DestinationClosed;
    let later = NOON.add_days(1);
    let states = [
        PayoutState::Requested,
        PayoutState::Dispatched { at: NOON },
        PayoutState::Paid { at: NOON },
        PayoutState::Failed { at: NOON, reason },
        PayoutState::Cancelled { at: NOON },
        PayoutState::Returned { at: NOON, reason },
    ];
    let moves = |to: &str| format!("moves to {to}");
    let (same, late, not) = ("stays".to_owned(), "is too late".to_owned(), "cannot".to_owned());
    let table = [
        [
            moves("DISPATCHED"),
            not.clone(),
            not.clone(),
            moves("CANCELLED"),
            not.clone(),
        ],
        [same.clone(), moves("PAID"), moves("FAILED"), late.clone(), not.clone()],
        [same.clone(), same.clone(), not.clone(), late.clone(), moves("RETURNED")],
        [same.clone(), not.clone(), same.clone(), late.clone(), not.clone()],
        [not.clone(), not.clone(), not.clone(), same.clone(), not.clone()],
        [same.clone(), same.clone(), not, late, same],
    ];
    for (state, row) in states.into_iter().zip(table) {
        for (step, expected) in [Dispatch, Pay, Fail(reason), Cancel, Return(reason)]
            .into_iter()
            .zip(row)
        {
            let mut payout = payout(state);
            let outcome = match payout.step(step, later) {
                Ok(true) => format!("moves to {}", payout.state.name()),
                Ok(false) => "stays".to_owned(),
                Err(PayoutError::NotCancellable { .. }) => "is too late".to_owned(),
                Err(error) => {
                    assert!(matches!(error, PayoutError::Impossible { .. }), "{error}");
                    "cannot".to_owned()
                }
            };
            assert_eq!(outcome, expected, "{state:?}, {step:?}");
            let moved = outcome.starts_with("moves");
            assert_eq!(payout.state != state, moved, "{state:?}, {step:?}");
            assert!(!moved || payout.state.at() == Some(later), "{state:?}, {step:?}");
        }
    }
}

#[test]
fn what_is_not_known_is_asked_for_less_and_less_often() {
    let dispatched = payout(PayoutState::Dispatched { at: NOON });
    let wait = |seconds| {
        let now = NOON.saturating_add(Duration::from_secs(seconds));
        dispatched.next_look(now, true).map(|next| next.since(now).as_secs())
    };
    assert_eq!([0, 60, 600, 86_400].map(wait), [60, 60, 600, 6 * 3_600].map(Some));
    assert!(!dispatched.is_given_up(NOON.add_days(1).saturating_sub(Duration::from_micros(1))));
    assert!(dispatched.is_given_up(NOON.add_days(1)));
    // What was paid is asked for once more, five days later, and until there is an answer.
    let (paid, last) = (payout(PayoutState::Paid { at: NOON }), NOON.add_days(5));
    assert_eq!(paid.next_look(NOON, false), Some(last));
    assert!(!paid.is_to_be_asked_for(NOON) && paid.is_to_be_asked_for(last));
    assert_eq!(paid.next_look(last, true), Some(last.saturating_add(DAY / 4)));
    assert_eq!(paid.next_look(last, false), None);
}

#[test]
fn a_schedule_s_minimum_is_not_below_its_method_s() {
    let (mut method, least) = (method(), usd(1_000));
    let set = |method: &PayoutMethod, minimum| {
        PayoutSchedule::new(method, Frequency::Weekly, minimum, NOON).map(|schedule| schedule.minimum)
    };
    assert_eq!(set(&method, None), Ok(least), "it need not be active yet");
    assert_eq!(set(&method, Some(usd(50_000))), Ok(usd(50_000)));
    assert_eq!(
        set(&method, Some(usd(999))),
        Err(PayoutError::BelowMinimum { minimum: least })
    );
    let eur = Money::new(2_000, currency("EUR"));
    assert_eq!(
        set(&method, Some(eur)),
        Err(PayoutError::OtherCurrency { expected: least })
    );
    method.remove(NOON);
    assert_eq!(set(&method, None), Err(PayoutError::NoActiveMethod { active_at: None }));
}
