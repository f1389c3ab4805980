//! Many accounts whose payouts are due at once: made behind the port, as each would need several calls.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use vouch_messaging::MemoryBus;
use vouch_payments::{
    app::gateway::sandbox::Sandbox,
    app::payout_runs::RUN,
    domain::{
        Book, Frequency, PayoutKind, PayoutMethod, PayoutRun, PayoutSchedule, Release, RewardKey, RewardKind,
        RewardPosting, TaxForm,
    },
    error::Error,
    store,
};
use vouch_primitives::{AccountId, Currency, Money, PayoutMethodId, TaxFormId, TaxFormKind, Timestamp};
use vouch_proto::common::v1 as common;
use vouch_storage::{
    Db, Txn,
    timers::{self, NewTimer},
};
use vouch_testkit::{Engine, TestDatabase, eventually, tools};

use crate::{
    tables::count,
    world::{Place, World, at, start},
};

const HUNDRED_THOUSAND: i64 = 100_000;
/// How long the run, and sending what it has made, may take.
const LONG: Duration = Duration::from_secs(1_200);

/// What each of them has.
pub const EACH: i64 = 12_345;

/// So many accounts with money, a form, an active method, and a payout that is due then.
pub async fn crowd(db: &Db, size: i64, due: Timestamp) {
    let mut left = size;
    while left > 0 {
        let some = left.min(500);
        let made = db.write_tx(|txn| async move { members(&txn, some, due).await });
        made.await.expect("a crowd");
        left -= some;
    }
    let run = NewTimer {
        kind: RUN,
        key: PayoutRun::id_at(due).as_uuid(),
        due,
    };
    let set = db.write_tx(|txn| async move { timers::schedule(&txn, &[run]).await });
    set.await.expect("a timer");
}

async fn members(txn: &Txn, size: i64, due: Timestamp) -> Result<(), Error> {
    let accounts: Vec<AccountId> = (0..size).map(|_| AccountId::new()).collect();
    let parts = accounts
        .iter()
        .flat_map(|account| Book::accounts_of(*account, Currency::USD));
    let mut book = store::ledger::open(txn, parts).await?;
    for account in accounts {
        let posting = gift(account);
        book.reward(&posting)?;
        let method = PayoutMethod {
            id: PayoutMethodId::new(),
            account_id: account,
            kind: PayoutKind::BankTransfer,
            currency: Currency::USD,
            provider_token: format!("btok-{account}"),
            label: "•••• 6789".to_owned(),
            fingerprint_hash: [0; 32],
            added_at: start(),
            removed_at: None,
        };
        store::payout_methods::insert(txn, &method).await?;
        let form = TaxForm {
            id: TaxFormId::new(),
            account_id: account,
            kind: TaxFormKind::W8Ben,
            tin_last_four: String::new(),
            submitted_at: start(),
        };
        store::tax_forms::insert(txn, &form, &common::TaxForm::default()).await?;
        let schedule = PayoutSchedule {
            next_at: Some(due),
            ..PayoutSchedule::new(&method, Frequency::Weekly, None, start())?
        };
        store::payout_schedules::save(txn, &schedule).await?;
    }
    Ok(store::ledger::save(txn, start(), &book).await?)
}

fn gift(account: AccountId) -> RewardPosting {
    let key = RewardKey {
        tie_id: account.as_uuid(),
        kind: RewardKind::LifetimeShare,
        currency: Currency::USD,
    };
    RewardPosting {
        release: Release {
            key,
            account_id: account,
            cumulative_minor: EACH,
            epoch: 1,
            sequence: 1,
            released_at: start(),
            funder: None,
        },
        difference_minor: Money::new(EACH, Currency::USD).minor,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 100,000 payouts, about ten minutes"]
async fn long_a_hundred_thousand_payouts_on_sqlite() {
    a_hundred_thousand_payouts(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 100,000 payouts, about ten minutes"]
async fn long_a_hundred_thousand_payouts_on_postgres() {
    a_hundred_thousand_payouts(Engine::Postgres).await;
}

async fn a_hundred_thousand_payouts(engine: Engine) {
    let database = TestDatabase::new(engine).await;
    let place = Place::new(&database, MemoryBus::faultless(), Arc::new(Sandbox)).await;
    let wednesday = at("2026-03-11T12:00:00Z");
    crowd(&place.db, HUNDRED_THOUSAND, wednesday).await;
    let world = World::at(place, database).await;
    let resident = || tools::resident_kib(std::process::id());
    let before = resident();
    world.clock.set(wednesday).expect("forwards");
    let made = "payout_run WHERE finished_at IS NOT NULL";
    let seconds = until_there_are(&world, made, 1).await;
    let rate = HUNDRED_THOUSAND / i64::try_from(seconds.max(1)).expect("small");
    eprintln!(
        "{engine:?}: made in {seconds} s, {rate} a second; {before} KiB before, {} KiB after",
        resident()
    );
    world.clock.set(wednesday.add_days(1)).expect("forwards");
    let seconds = until_there_are(&world, "payout WHERE state = 'PAID'", HUNDRED_THOUSAND).await;
    let rate = HUNDRED_THOUSAND / i64::try_from(seconds.max(1)).expect("small");
    // The bus of this test keeps all events, where NATS would have them: 300,000 times half a KiB.
    eprintln!(
        "{engine:?}: sent in {seconds} s, {rate} a second; {} KiB after",
        resident()
    );
    assert_eq!(count(&world.db, "payout").await, HUNDRED_THOUSAND);
    world.stop().await;
}

/// Waits for so many rows, and returns how many seconds that has taken.
async fn until_there_are(world: &World, what: &str, enough: i64) -> u64 {
    let began = Instant::now();
    eventually(what, LONG, async || {
        let there = count(&world.db, what).await;
        (there >= enough)
            .then_some(())
            .ok_or_else(|| format!("{there} of {enough}"))
    })
    .await;
    began.elapsed().as_secs()
}
