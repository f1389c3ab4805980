//! Time and invoices, by examples at every edge and by any week there can be.

use proptest::prelude::*;
use vouch_primitives::{AccountId, Currency, EarningId, Money, TimeEntryId, Timestamp};

use super::{contract, currency};
use crate::domain::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn hourly(rate: Money) -> Contract {
    Contract {
        pay: Pay::Hourly {
            rate,
            weekly_limit_minutes: 2_400,
        },
        start_at: at("2026-03-02T09:00:00Z"),
        created_at: at("2026-03-01T09:00:00Z"),
        ..contract(AccountId::new(), rate.currency, 1_000)
    }
}

fn entry(contract: &Contract, span: Span) -> TimeEntry {
    TimeEntry {
        id: TimeEntryId::new(),
        contract_id: contract.id,
        person_id: contract.person_id,
        account_id: contract.account_id,
        client_id: contract.client_id,
        span,
        tracked: true,
        description: "Drafts".to_owned(),
        created_at: span.end(),
    }
}

fn span(start: &str, end: &str) -> Result<Span, SpanError> {
    Span::try_new(at(start), at(end))
}

// B6
#[test]
fn time_is_whole_minutes_of_one_week() {
    for (start, end, outcome) in [
        ("2026-03-08T23:59:00Z", "2026-03-09T00:00:00Z", Ok(1)),
        ("2026-03-09T00:00:00Z", "2026-03-10T00:00:00Z", Ok(1_440)),
        ("2028-02-28T12:00:00Z", "2028-02-29T12:00:00Z", Ok(1_440)),
        ("2026-12-31T23:00:00Z", "2027-01-01T01:00:00Z", Ok(120)),
        ("2026-03-08T23:59:00Z", "2026-03-09T00:01:00Z", Err(SpanError::TwoWeeks)),
        ("2026-03-08T12:00:00Z", "2026-03-08T12:00:00Z", Err(SpanError::Empty)),
        ("2026-03-08T12:00:00Z", "2026-03-08T11:00:00Z", Err(SpanError::Empty)),
        ("2026-03-04T12:00:00Z", "2026-03-05T12:01:00Z", Err(SpanError::TooLong)),
        (
            "2026-03-04T12:00:30Z",
            "2026-03-04T13:00:00Z",
            Err(SpanError::NotWholeMinutes),
        ),
        (
            "2026-03-08T23:00:00Z",
            "2026-03-08T23:59:59.999999Z",
            Err(SpanError::NotWholeMinutes),
        ),
    ] {
        assert_eq!(span(start, end).map(Span::minutes), outcome, "{start} to {end}");
    }
}

// F5, B6: each edge of when time may be written, and of which.
#[test]
fn time_is_written_after_the_work_and_before_monday_noon() {
    let mut contract = hourly(Money::new(6_000, Currency::USD));
    let friday = entry(&contract, span("2026-03-06T10:00:00Z", "2026-03-06T11:00:00Z").unwrap());
    let closed = TimeError::WeekClosed {
        at: at("2026-03-09T12:00:00Z"),
    };
    for (now, outcome) in [
        ("2026-03-06T10:59:59.999999Z", Err(TimeError::InFuture)),
        ("2026-03-06T11:00:00Z", Ok(())),
        ("2026-03-08T23:59:59.999999Z", Ok(())),
        ("2026-03-09T00:00:00Z", Ok(())),
        ("2026-03-09T11:59:59.999999Z", Ok(())),
        ("2026-03-09T12:00:00Z", Err(closed.clone())),
        ("2026-03-20T00:00:00Z", Err(closed.clone())),
    ] {
        assert_eq!(check(&friday, &contract, at(now)), outcome, "{now}");
    }
    let now = at("2026-03-07T00:00:00Z");
    let others = |entries| Others { entries, minutes: 600 };
    assert_eq!(friday.check(&contract, (&[], &[]), others(499), now), Ok(()));
    let too_many = friday.check(&contract, (&[], &[]), others(500), now);
    assert_eq!(too_many, Err(TimeError::TooMany));
    let early = entry(&contract, span("2026-03-02T08:59:00Z", "2026-03-02T10:00:00Z").unwrap());
    let from = contract.start_at;
    assert_eq!(check(&early, &contract, now), Err(TimeError::BeforeContract { from }));
    let first = entry(&contract, span("2026-03-02T09:00:00Z", "2026-03-02T10:00:00Z").unwrap());
    assert_eq!(check(&first, &contract, now), Ok(()));
    contract.created_at = at("2026-03-02T09:00:00.000001Z");
    let from = contract.created_at;
    assert_eq!(check(&first, &contract, now), Err(TimeError::BeforeContract { from }));
    contract.pay = Pay::Fixed {
        currency: Currency::USD,
    };
    assert_eq!(check(&friday, &contract, now), Err(ContractError::NotHourly.into()));
}

fn check(entry: &TimeEntry, contract: &Contract, now: Timestamp) -> Result<(), TimeError> {
    entry.check(contract, (&[], &[]), Others::default(), now)
}

fn halt(at: Timestamp, by: Author) -> Halt {
    Halt {
        at,
        reason: "Holiday".to_owned(),
        by: Some(by),
    }
}

// B6: whether work went on when it was done decides, whatever is so by the time at which it is written.
#[test]
fn time_counts_by_what_was_when_it_was_worked() {
    let mut contract = hourly(Money::new(6_000, Currency::USD));
    let now = at("2026-03-09T11:59:59.999999Z");
    let (paused, resumed) = (at("2026-03-04T12:00:00Z"), at("2026-03-05T12:00:00Z"));
    let over = [Pause {
        from: paused,
        until: Some(resumed),
    }];
    let open = [Pause {
        from: paused,
        until: None,
    }];
    let from = paused;
    let within = Err(TimeError::WhilePaused { from });
    for (start, end, after_it, in_it) in [
        ("2026-03-04T11:00:00Z", "2026-03-04T12:00:00Z", Ok(()), Ok(())),
        (
            "2026-03-04T11:00:00Z",
            "2026-03-04T12:01:00Z",
            within.clone(),
            within.clone(),
        ),
        (
            "2026-03-04T13:00:00Z",
            "2026-03-04T14:00:00Z",
            within.clone(),
            within.clone(),
        ),
        (
            "2026-03-04T12:00:00Z",
            "2026-03-05T12:00:00Z",
            within.clone(),
            within.clone(),
        ),
        (
            "2026-03-05T11:59:00Z",
            "2026-03-05T13:00:00Z",
            within.clone(),
            within.clone(),
        ),
        ("2026-03-05T12:00:00Z", "2026-03-05T13:00:00Z", Ok(()), within.clone()),
    ] {
        let entry = entry(&contract, span(start, end).unwrap());
        let checked = |pauses: &[Pause]| entry.check(&contract, (pauses, &[]), Others::default(), now);
        assert_eq!(
            (checked(&over), checked(&open)),
            (after_it.clone(), in_it.clone()),
            "{start} to {end}"
        );
        // For want of a payment it is the same, but for what is said until it is paid.
        let held_up = |holds: &[Pause]| entry.check(&contract, (&[], holds), Others::default(), now);
        let unpaid = in_it.map_err(|_| ContractError::Unpaid.into());
        assert_eq!((held_up(&over), held_up(&open)), (after_it, unpaid), "{start} to {end}");
    }
    let ended = at("2026-03-06T12:00:00Z");
    contract.end(halt(ended, Author::Client), &mut []).unwrap();
    let before = entry(&contract, span("2026-03-06T11:00:00Z", "2026-03-06T12:00:00Z").unwrap());
    assert_eq!(check(&before, &contract, now), Ok(()), "worked before the end");
    let after = entry(&contract, span("2026-03-06T11:00:00Z", "2026-03-06T12:01:00Z").unwrap());
    assert_eq!(check(&after, &contract, now), Err(TimeError::AfterEnd { at: ended }));
    assert!(
        check(&before, &contract, at("2026-03-09T12:00:00Z")).is_err(),
        "its week is closed"
    );
}

// B6
#[test]
fn who_has_paused_a_contract_lets_it_go_on() {
    let now = at("2026-03-07T00:00:00Z");
    let (moved, done) = (Ok(Transition::Moved), Ok(Transition::AlreadyDone));
    for by in Author::ALL {
        let mut contract = hourly(Money::new(6_000, Currency::USD));
        assert_eq!(contract.resume(by), done);
        assert_eq!(contract.pause(halt(now, by)), moved);
        for other in [Author::Client, Author::Talent] {
            assert_eq!(contract.pause(halt(now, other)), done, "it stays paused by the first");
            if other != by {
                assert_eq!(contract.resume(other), Err(ContractError::PausedByOther { by }));
            }
        }
        let ended = Err(ContractError::Ended);
        for one in [by, Author::Operator] {
            let mut contract = contract.clone();
            assert_eq!(contract.resume(one), moved);
            assert_eq!(contract.end(halt(now, one), &mut []), moved);
            assert_eq!(contract.end(halt(now, one), &mut []), done);
            assert_eq!((contract.pause(halt(now, one)), contract.resume(one)), (ended, ended));
        }
        // Nobody knows who paused it in the days when that was not kept.
        let state = ContractState::Paused(Halt {
            by: None,
            ..halt(now, by)
        });
        for one in Author::ALL {
            let mut contract = Contract {
                state: state.clone(),
                ..contract.clone()
            };
            assert_eq!(contract.resume(one), moved);
        }
    }
}

// B6: no week can become an invoice that could not be paid.
#[test]
fn a_week_is_worth_what_may_be_paid_at_once() {
    let now = at("2026-03-07T00:00:00Z");
    let contract = hourly(Money::new(Money::LARGEST_MINOR, Currency::USD));
    let hour = entry(&contract, span("2026-03-06T10:00:00Z", "2026-03-06T11:00:00Z").unwrap());
    let others = |minutes| Others { entries: 1, minutes };
    assert_eq!(hour.check(&contract, (&[], &[]), others(0), now), Ok(()));
    let refused = hour.check(&contract, (&[], &[]), others(1), now);
    assert!(
        matches!(refused, Err(TimeError::Contract(ContractError::AmountTooLarge(_)))),
        "{refused:?}"
    );
}

// R25: a week counts by its Monday, but never from before the contract that it was worked under.
#[test]
fn the_first_week_counts_from_the_beginning_of_the_contract() {
    let mut contract = hourly(Money::new(6_000, Currency::USD));
    for (start, created, occurred) in [
        ("2026-03-01", "2026-03-01", "2026-03-02"),
        ("2026-03-02", "2026-03-02", "2026-03-02"),
        ("2026-03-04T09:00:00Z", "2026-03-01", "2026-03-04T09:00:00Z"),
        ("2026-03-01", "2026-03-04T10:30:00.5Z", "2026-03-04T10:30:00.5Z"),
        ("2026-03-04T09:00:00Z", "2026-03-04T10:30:00Z", "2026-03-04T10:30:00Z"),
    ] {
        (contract.start_at, contract.created_at) = (at(start), at(created));
        let worked = entry(&contract, span("2026-03-06T10:00:00Z", "2026-03-06T11:00:00Z").unwrap());
        let week = worked.span.week();
        let (mut invoice, _) = Invoice::of_week(&contract, week, 600, true, &[worked])
            .unwrap()
            .unwrap();
        let earning = invoice.pay(&mut contract, EarningId::new(), week.closes_at());
        let earning = earning.unwrap().unwrap();
        assert_eq!(earning.occurred_at, at(occurred), "{start}, {created}");
        assert_eq!(earning.review_until, at("2026-03-13T23:59:59.999999Z"));
    }
}

// F4, B8
#[test]
fn only_measured_and_described_time_within_the_limit_is_protected() {
    let contract = hourly(Money::new(6_000, Currency::USD));
    let mut entries: Vec<_> = (1..=4)
        .map(|hour| {
            let (start, end) = (
                format!("2026-03-04T0{hour}:00:00Z"),
                format!("2026-03-04T0{}:00:00Z", hour + 1),
            );
            entry(&contract, span(&start, &end).unwrap())
        })
        .collect();
    let other = span("2026-03-04T02:00:00Z", "2026-03-04T02:59:00Z").unwrap();
    let same = entries[0].span;
    entries[0].rewrite(same, "Other words".to_owned());
    entries[1].rewrite(other, "Shorter".to_owned());
    entries[2].description.clear();
    let week = other.week();
    let (invoice, lines) = Invoice::of_week(&contract, week, 150, true, &entries).unwrap().unwrap();
    let held: Vec<_> = lines.iter().map(|line| (line.minutes, line.protection)).collect();
    let protection = |tracked, within_limit, described| Protection {
        tracked,
        within_limit,
        described,
        billing_verified: true,
    };
    let expected = [
        (60, protection(true, true, true)),
        (59, protection(false, true, true)),
        (31, protection(true, true, false)),
        (0, protection(true, false, true)),
    ];
    assert_eq!(held, expected);
    assert_eq!(
        (invoice.minutes, invoice.minutes_over, invoice.amount.minor),
        (150, 89, 15_000)
    );
}

// F5, F6
#[test]
fn a_paid_invoice_is_an_earning_of_its_week() {
    let mut contract = hourly(Money::new(6_000, Currency::USD));
    let sunday = entry(&contract, span("2026-03-08T23:59:00Z", "2026-03-09T00:00:00Z").unwrap());
    let made = Invoice::of_week(&contract, sunday.span.week(), 2_400, true, &[sunday]);
    let (invoice, _) = made.unwrap().unwrap();
    for (paid, available) in [
        ("2026-03-09T12:00:00Z", "2026-03-18T00:00:00Z"),
        ("2026-03-13T00:00:00Z", "2026-03-18T00:00:00Z"),
        ("2026-03-13T00:00:00.000001Z", "2026-03-18T00:00:00.000001Z"),
        ("2026-04-01T10:00:00Z", "2026-04-06T10:00:00Z"),
    ] {
        let mut invoice = invoice.clone();
        let earning = invoice.pay(&mut contract, EarningId::new(), at(paid)).unwrap().unwrap();
        assert_eq!(earning.occurred_at, contract.start_at, "nothing was worked before");
        assert_eq!((earning.approved_at, earning.available_at), (at(paid), at(available)));
        assert_eq!((earning.gross, earning.fee_minor), (Money::new(100, Currency::USD), 10));
        assert_eq!(invoice.pay(&mut contract, EarningId::new(), at(paid)), Ok(None), "once");
    }
}

/// Minutes since Monday, and how many, that do not overlap; in any order.
fn worked() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let steps = prop::collection::vec((0..700_i64, 1..=1_440_i64), 0..14);
    let laid_out = steps.prop_map(|steps| {
        let mut begin = 0;
        let mut spans = Vec::new();
        for (pause, length) in steps {
            begin += pause;
            let end = (begin + length).min(10_080);
            if begin < end {
                spans.push((begin, end - begin));
            }
            begin = end;
        }
        spans
    });
    laid_out.prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    // F5, B6: what is invoiced and what is left out is what was worked, no minute is there twice, the first minutes are
    // those that are invoiced, and the lines sum up to the amount, which is rounded down once.
    #[test]
    fn any_week_is_invoiced_to_the_minute_and_to_the_cent(
        worked in worked(),
        limit in prop_oneof![1..=10_080_u32, 1..=600_u32],
        rate in prop_oneof![1..=120_i64, 1..=100_000_i64, Just(Money::LARGEST_MINOR)],
        code in prop_oneof![Just("JPY"), Just("USD"), Just("KWD")],
    ) {
        let contract = hourly(Money::new(rate, currency(code)));
        let monday = at("2028-02-28");
        let minute = |number: i64| Timestamp::from_micros(monday.as_micros() + number * 60_000_000);
        let entries: Vec<_> = worked
            .iter()
            .map(|(start, length)| entry(&contract, Span::try_new(minute(*start), minute(start + length)).unwrap()))
            .collect();
        let made = Invoice::of_week(&contract, Week::of(monday), limit, true, &entries).unwrap();
        let all: i64 = worked.iter().map(|(_, length)| length).sum();
        let invoiced = all.min(i64::from(limit));
        let amount = i128::from(invoiced) * i128::from(rate) / 60;
        let Some((invoice, lines)) = made else {
            prop_assert_eq!(amount, 0);
            return Ok(());
        };
        prop_assert_eq!(i64::from(invoice.minutes), invoiced);
        prop_assert_eq!(i64::from(invoice.minutes_over), all - invoiced);
        prop_assert_eq!(i128::from(invoice.amount.minor), amount);
        prop_assert_eq!(invoice.amount.currency, currency(code));
        prop_assert_eq!(lines.iter().map(|line| line.amount_minor).sum::<i64>(), invoice.amount.minor);
        prop_assert_eq!(lines.len(), entries.len());
        let mut begin = minute(0);
        let mut left = limit;
        for line in &lines {
            prop_assert!(line.span.start() >= begin, "in the order of time, and none twice");
            begin = line.span.end();
            prop_assert_eq!(line.minutes, line.span.minutes().min(left));
            prop_assert_eq!(line.minutes + line.minutes_over, line.span.minutes());
            left -= line.minutes;
            let exact = i128::from(line.minutes) * i128::from(rate);
            prop_assert!((i128::from(line.amount_minor) * 60 - exact).abs() < 60, "off its own share by less than one");
        }
    }
}
