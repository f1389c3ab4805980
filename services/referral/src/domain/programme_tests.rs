//! Properties of the programme: whatever happens in whatever order, each reward is the exact share, rounded down once.

use std::collections::BTreeMap;

use proptest::{prelude::*, sample::SizeRange};
use vouch_primitives::{
    AccountId, ClientId, ContractId, Currency, Money, MoneyError, PersonId, ReferrerId, Timestamp, Uuid,
};

use super::{
    Attribution, Bond, BonusState, Movement, ReferralKind, Release, RewardKind, Screening, SignUp, Standing, Suspicion,
    Terms, Tie,
};

/// The kinds that an attribution pays a share of earnings for.
const SHARES: [RewardKind; 2] = [RewardKind::LifetimeShare, RewardKind::WindowBonus];

const CASES: u32 = 25_000;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn currency(code: &str) -> Currency {
    code.parse().expect("a currency")
}

fn tie(joined: Timestamp) -> Tie {
    let attribution = Attribution {
        kind: ReferralKind::Friend,
        joined,
        bonus: BonusState::Open,
        hired: true,
        sign_up: SignUp::Open,
        account: Some(AccountId::new()),
    };
    Tie {
        id: Uuid::nil(),
        referrer: ReferrerId::new(),
        payee: PersonId::new(),
        account: AccountId::new(),
        bond: Bond::Attribution(attribution),
        terms: vec![(joined, Terms::first().into())],
        standing: Standing::default(),
        related: Vec::new(),
        screening: Screening::Open,
        suspicion: Suspicion::None,
        rewards: BTreeMap::new(),
    }
}

fn moved(amount: Money, occurred_at: Timestamp) -> Movement {
    Movement {
        amount,
        account: AccountId::from_uuid(Uuid::nil()),
        client: ClientId::from_uuid(Uuid::nil()),
        contract: ContractId::from_uuid(Uuid::nil()),
        occurred_at,
        settled_at: occurred_at,
    }
}

fn usd(minor: i64, occurred_at: &str) -> Movement {
    moved(Money::new(minor, Currency::USD), at(occurred_at))
}

fn accrue(tie: &mut Tie, movements: &[Movement]) -> Result<Vec<Release>, MoneyError> {
    tie.accrue(movements)?;
    tie.release(Timestamp::MAX)
}

fn end_window(tie: &mut Tie) -> Vec<Release> {
    tie.end_window(&Standing::default());
    tie.release(Timestamp::MAX).expect("totals fit")
}

fn released(tie: &Tie, kind: RewardKind, currency: Currency) -> i64 {
    tie.rewards.get(&(kind, currency)).map_or(0, |reward| reward.released)
}

/// What happens to a tie, in one order.
#[derive(Clone, Debug)]
enum Step {
    Move(Movement),
    EndWindow,
}

/// Joining at any hour of eight years, leap days and month ends included.
fn joined() -> impl Strategy<Value = Timestamp> {
    (0_i64..8 * 365 * 24).prop_map(|hour| Timestamp::from_micros((1_735_689_600 + hour * 3_600) * 1_000_000))
}

/// Earnings with up to two refunds each (the last one possibly of the whole rest), around the window's edges,
/// in currencies of 0, 2 and 3 decimals; then one order of all that.
fn history(joined: Timestamp, size: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Step>> {
    let edge = Terms::first().window_end(joined);
    let moment = prop_oneof![
        (0_i64..200 * 86_400_000_000).prop_map(move |offset| Timestamp::from_micros(joined.as_micros() + offset)),
        (-2_i64..=2).prop_map(move |offset| Timestamp::from_micros(edge.as_micros() + offset)),
        (-2_i64..=2).prop_map(move |offset| Timestamp::from_micros(joined.as_micros() + offset)),
    ];
    let amount = prop_oneof![1_i64..200, 1_i64..2_000_000, 1_i64..(i64::MAX / 64)];
    let code = prop_oneof![Just("USD"), Just("JPY"), Just("KWD")];
    let earning = (moment, amount, code, 0_i64..=100, any::<bool>());
    prop::collection::vec(earning, size)
        .prop_map(|earnings| {
            let mut steps = vec![Step::EndWindow];
            for (occurred_at, minor, code, refund_percent, refund_the_rest) in earnings {
                let mut push = |minor| {
                    let amount = Money::new(minor, currency(code));
                    steps.push(Step::Move(moved(amount, occurred_at)));
                };
                let refund = minor / 100 * refund_percent;
                push(minor);
                if refund > 0 {
                    push(-refund);
                }
                if refund_the_rest && minor > refund {
                    push(refund - minor);
                }
            }
            steps
        })
        .prop_shuffle()
}

fn play(joined: Timestamp, steps: &[Step], batch: usize) -> Tie {
    let mut tie = tie(joined);
    let mut last_sequence = BTreeMap::new();
    for steps in steps.chunks(batch.max(1)) {
        let mut movements = Vec::new();
        let mut releases = Vec::new();
        for step in steps {
            match step {
                Step::Move(movement) => movements.push(*movement),
                Step::EndWindow => releases.extend(end_window(&mut tie)),
            }
        }
        releases.extend(accrue(&mut tie, &movements).expect("totals fit"));
        for release in releases {
            let last = last_sequence.insert((release.kind, release.cumulative.currency), release.sequence);
            assert_eq!(release.sequence, last.unwrap_or(0) + 1, "sequences count up by one");
        }
    }
    tie
}

/// The rule as it is written down, computed from the list of movements alone and in 128 bits.
fn expected(joined: Timestamp, steps: &[Step], kind: RewardKind, in_currency: Currency) -> i64 {
    let window_end = joined.add_months_clamped(3);
    let sum: i128 = steps
        .iter()
        .filter_map(|step| match step {
            Step::Move(movement) => Some(movement),
            Step::EndWindow => None,
        })
        .filter(|m| m.amount.currency == in_currency && m.occurred_at >= joined)
        .filter(|m| kind == RewardKind::LifetimeShare || m.occurred_at < window_end)
        .map(|m| i128::from(m.amount.minor))
        .sum();
    let basis_points = if kind == RewardKind::LifetimeShare { 500 } else { 1_000 };
    i64::try_from((sum * basis_points).div_euclid(10_000)).expect("fits")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_pays_the_exact_share_rounded_down_once(
        (joined, steps, batch) in joined().prop_flat_map(|joined| (Just(joined), history(joined, 0..12), 1_usize..8))
    ) {
        let tie = play(joined, &steps, batch);
        for kind in SHARES {
            for code in ["USD", "JPY", "KWD"] {
                let due = expected(joined, &steps, kind, currency(code));
                prop_assert_eq!(released(&tie, kind, currency(code)), due, "{:?} {}", kind, code);
            }
        }
    }

    #[test]
    fn the_order_and_the_batches_make_no_difference(
        (joined, one, other, batch) in joined().prop_flat_map(|joined| {
            (Just(joined), history(joined, 1..12)).prop_flat_map(|(joined, one)| {
                (Just(joined), Just(one.clone()), Just(one).prop_shuffle(), 1_usize..8)
            })
        })
    ) {
        let without_sequences = |tie: Tie| {
            tie.rewards.into_iter().map(|(key, reward)| (key, reward.base, reward.accrued, reward.released)).collect::<Vec<_>>()
        };
        prop_assert_eq!(
            without_sequences(play(joined, &one, 1)),
            without_sequences(play(joined, &other, batch))
        );
    }

    #[test]
    fn a_refund_is_the_exact_inverse(
        (joined, before, minor, offset) in joined().prop_flat_map(|joined| {
            (Just(joined), history(joined, 0..6), 1_i64..10_000_000, 0_i64..200 * 86_400_000_000)
        })
    ) {
        let occurred_at = Timestamp::from_micros(joined.as_micros() + offset);
        let earning = moved(Money::new(minor, Currency::USD), occurred_at);
        let refund = moved(Money::new(-minor, Currency::USD), occurred_at);
        let mut tie = play(joined, &before, 3);
        let untouched = (released(&tie, RewardKind::LifetimeShare, Currency::USD), released(&tie, RewardKind::WindowBonus, Currency::USD));
        accrue(&mut tie, &[earning]).expect("fits");
        accrue(&mut tie, &[refund]).expect("fits");
        let after = (released(&tie, RewardKind::LifetimeShare, Currency::USD), released(&tie, RewardKind::WindowBonus, Currency::USD));
        prop_assert_eq!(untouched, after);
    }

    #[test]
    fn an_earning_may_be_split_in_any_way(
        joined in joined(),
        parts in prop::collection::vec(1_i64..100_000, 1..20),
    ) {
        let occurred_at = joined.add_days(1);
        let movement = |minor| moved(Money::new(minor, Currency::USD), occurred_at);
        let (mut whole, mut split) = (tie(joined), tie(joined));
        accrue(&mut whole, &[movement(parts.iter().sum())]).expect("fits");
        for part in parts {
            accrue(&mut split, &[movement(part)]).expect("fits");
        }
        let kind = RewardKind::LifetimeShare;
        prop_assert_eq!(released(&whole, kind, Currency::USD), released(&split, kind, Currency::USD));
    }
}

#[test]
fn the_window_is_half_open_and_its_month_ends_are_clamped() {
    for (joined, last_inside, first_outside) in [
        (
            "2026-11-30T10:00:00Z",
            "2027-02-28T09:59:59.999999Z",
            "2027-02-28T10:00:00Z",
        ),
        (
            "2027-11-30T10:00:00Z",
            "2028-02-29T09:59:59.999999Z",
            "2028-02-29T10:00:00Z",
        ),
        (
            "2026-01-31T00:00:00Z",
            "2026-04-29T23:59:59.999999Z",
            "2026-04-30T00:00:00Z",
        ),
        (
            "2026-05-15T12:00:00Z",
            "2026-08-15T11:59:59.999999Z",
            "2026-08-15T12:00:00Z",
        ),
    ] {
        let mut tie = tie(at(joined));
        end_window(&mut tie);
        accrue(&mut tie, &[usd(10_000, last_inside), usd(700, first_outside)]).expect("fits");
        assert_eq!(
            released(&tie, RewardKind::WindowBonus, Currency::USD),
            1_000,
            "joined {joined}"
        );
        assert_eq!(
            released(&tie, RewardKind::LifetimeShare, Currency::USD),
            535,
            "joined {joined}"
        );
    }
}

#[test]
fn the_bonus_waits_for_the_end_of_the_window_and_then_follows_late_news() {
    let mut tie = tie(at("2026-01-01"));
    accrue(&mut tie, &[usd(10_000, "2026-02-01")]).expect("fits");
    assert_eq!(
        released(&tie, RewardKind::WindowBonus, Currency::USD),
        0,
        "not before the window has ended"
    );

    let releases = end_window(&mut tie);
    assert_eq!(releases.len(), 1);
    assert_eq!(releases[0].cumulative, Money::new(1_000, Currency::USD));
    assert_eq!(end_window(&mut tie), [], "once only");

    accrue(&mut tie, &[usd(505, "2026-03-31T23:59:59Z")]).expect("fits");
    assert_eq!(
        released(&tie, RewardKind::WindowBonus, Currency::USD),
        1_050,
        "a late earning tops it up"
    );
    accrue(&mut tie, &[usd(-10_000, "2026-02-01")]).expect("fits");
    assert_eq!(
        released(&tie, RewardKind::WindowBonus, Currency::USD),
        50,
        "a late reversal takes back"
    );
}

#[test]
fn what_was_earned_before_joining_pays_nothing() {
    let mut tie = tie(at("2026-01-01"));
    assert_eq!(
        accrue(&mut tie, &[usd(10_000, "2025-12-31T23:59:59.999999Z")]),
        Ok(vec![])
    );
    assert_eq!(tie.rewards, BTreeMap::new());
}

#[test]
fn a_total_that_does_not_fit_is_an_error_and_not_a_wrong_number() {
    let mut tie = tie(at("2026-01-01"));
    accrue(&mut tie, &[usd(i64::MAX, "2026-01-02")]).expect("the largest amount fits");
    assert_eq!(accrue(&mut tie, &[usd(1, "2026-01-02")]), Err(MoneyError::Overflow));
}

// R24
#[test]
fn what_a_referee_gets_is_a_term_and_by_default_nothing() {
    let standard = Terms::standard();
    assert!(standard.sign_up.values().all(|bonus| bonus.referee_minor == 0));
    let mut generous = standard.clone();
    generous
        .sign_up
        .values_mut()
        .for_each(|bonus| bonus.referee_minor = 2_500);
    assert_ne!(
        generous.canonical(),
        standard.canonical(),
        "it is part of what identifies them"
    );
    assert_eq!(Terms::of_text(2, &generous.canonical()), Some(generous));
}
