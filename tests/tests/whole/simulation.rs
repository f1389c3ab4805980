//! The story on a bus that duplicates, reorders and loses, under 50 seeds, against an oracle that only adds; under
//! 1,150 more in `make test-long`.
//!
//! A failing seed is printed; `VOUCH_SEEDS=17` or `VOUCH_SEEDS=0-999` plays others.

use std::{collections::BTreeMap, env, ops::RangeInclusive, sync::Arc};

use futures::{StreamExt, stream};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;
use vouch_messaging::{Bus, MemoryBus};
use vouch_primitives::{Currency, Money, Timestamp};
use vouch_suite::{
    World,
    earnings::Entry,
    playback::{AttributionRow, BalanceRow, Outcome, Playback, Scene, beginning},
};
use vouch_testkit::Engine;

/// 50 seeds in two tests, so that they run beside one another.
macro_rules! seeds {
    ($($name:ident: $seeds:expr),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            for seed in $seeds {
                Box::pin(play(seed)).await;
            }
        }
    )+};
}

seeds! {
    seeds_0_to_24: 0..25,
    seeds_25_to_49: 25..50,
}

/// The seeds after those of every run, several at a time: a world spends much of its time waiting for its disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 1,150 seeds more, about an hour on two cores"]
async fn long_thousand_seeds() {
    let started = Instant::now();
    let mut worlds = stream::iter(50..1_200).map(|seed| Box::pin(play(seed))).buffered(4);
    let mut played = 0;
    while worlds.next().await.is_some() {
        played += 1;
        if played % 50 == 0 {
            eprintln!("{played} of 1150 seeds played in {:?}", started.elapsed());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seeds_from_the_environment() {
    let Ok(seeds) = env::var("VOUCH_SEEDS") else { return };
    for seed in parse(&seeds) {
        Box::pin(play(seed)).await;
    }
}

fn parse(seeds: &str) -> RangeInclusive<u64> {
    let (first, last) = seeds.split_once('-').unwrap_or((seeds, seeds));
    first.parse().expect("a number")..=last.parse().expect("a number")
}

async fn play(seed: u64) {
    let entries = history(seed);
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::new(seed));
    let world = World::start(Engine::Sqlite, &bus, beginning(&entries))
        .await
        .expect("a world");
    let story = world.story().expect("a story");
    let mut silence = |_: Timestamp, _: Scene<'_>| ();
    let played = async {
        let mut playback = Playback::begin(&story, &mut silence).await?;
        playback.tells_rewards = false;
        playback.play(&entries, &mut silence).await?;
        playback.outcome().await
    };
    let outcome = played
        .await
        .unwrap_or_else(|error| panic!("seed {seed}: {error}\n{entries:#?}"));
    assert_eq!(
        outcome,
        Outcome {
            events_published: outcome.events_published,
            ..expected(&entries)
        },
        "seed {seed}"
    );
    assert!(outcome.events_published > 0, "seed {seed}");
    world
        .stop()
        .await
        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
}

/// A few earnings of one or two people around the edge of their window, some refunded.
fn history(seed: u64) -> Vec<Entry> {
    let mut rng = StdRng::seed_from_u64(seed);
    let first: Timestamp = "2026-11-30T00:00:00Z".parse().expect("a moment");
    let mut entries = Vec::new();
    for person in 0..rng.random_range(1..=2) {
        for nth in 0..rng.random_range(1..=3) {
            let code = ["USD", "JPY", "KWD"][rng.random_range(0..3)];
            let currency: Currency = code.parse().expect("a currency");
            let id = format!("e{person}{nth}");
            let date = first.add_days([0, 1, 89, 90, 91][rng.random_range(0..5)]);
            let minor = rng.random_range(1..1_000_000);
            let entry = Entry {
                line: 0,
                id: id.clone(),
                referee: format!("Referee {person}"),
                date,
                amount: Money::new(minor, currency),
                refund_of: None,
            };
            if rng.random_bool(0.5) {
                let back = if rng.random_bool(0.3) {
                    minor
                } else {
                    rng.random_range(1..=minor)
                };
                let date = date.add_days(rng.random_range(0..9));
                let refund = Entry {
                    id: format!("r{person}{nth}"),
                    date,
                    amount: Money::new(back, currency),
                    refund_of: Some(id),
                    ..entry.clone()
                };
                entries.push(refund);
            }
            entries.push(entry);
        }
    }
    entries.sort_by_key(|entry| (entry.date, entry.refund_of.is_some()));
    entries
}

/// The rules in their plainest form: sums, shares, floors.
fn expected(entries: &[Entry]) -> Outcome {
    let mut joined: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut earned_at: BTreeMap<&str, Timestamp> = BTreeMap::new();
    let mut sums: BTreeMap<(&str, Currency), (i64, i64)> = BTreeMap::new();
    for entry in entries {
        let window_end = joined.entry(&entry.referee).or_insert(entry.date).add_months_clamped(3);
        let (occurred_at, sign) = match &entry.refund_of {
            None => (*earned_at.entry(&entry.id).or_insert(entry.date), 1),
            Some(earning) => (earned_at[earning.as_str()], -1),
        };
        let (all, inside) = sums.entry((&entry.referee, entry.amount.currency)).or_default();
        *all += sign * entry.amount.minor;
        *inside += if occurred_at < window_end {
            sign * entry.amount.minor
        } else {
            0
        };
    }
    let mut balances: BTreeMap<Currency, i64> = BTreeMap::new();
    let mut attributions = Vec::new();
    for ((referee, currency), (all, inside)) in sums {
        let (share, bonus) = (all * 500 / 10_000, inside * 1_000 / 10_000);
        *balances.entry(currency).or_default() += share + bonus;
        attributions.push(AttributionRow {
            referee: referee.to_owned(),
            currency: currency.code().to_owned(),
            earnings_minor: all,
            window_earnings_minor: inside,
            open_at_window_end: true,
            lifetime_share_minor: share,
            bonus_minor: bonus,
        });
    }
    attributions.sort_by(|a, b| (&a.referee, &a.currency).cmp(&(&b.referee, &b.currency)));
    let balance = |(currency, minor): (Currency, i64)| BalanceRow {
        currency: currency.code().to_owned(),
        balance_minor: minor,
    };
    let mut referrer_balances: Vec<BalanceRow> = balances.into_iter().map(balance).collect();
    referrer_balances.sort_by(|a, b| a.currency.cmp(&b.currency));
    Outcome {
        attributions,
        referrer_balances,
        trial_balance_minor: 0,
        events_published: 0,
        dead_letters: 0,
    }
}
