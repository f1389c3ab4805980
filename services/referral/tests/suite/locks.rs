//! Many at once, on the engine on which they are.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};

use tokio::sync::Barrier;
use vouch_primitives::{AccountId, ClientId, ContractId, Currency, EarningId, Money, PersonId, Timestamp};
use vouch_referral::{
    migration::Migrator,
    store::{
        earnings::{self, Earning},
        people,
    },
};
use vouch_storage::{DatabaseConfig, Db, StorageError};
use vouch_testkit::{Engine, TestDatabase};

/// An earning holds its person by a foreign key. Both have inserted one before either locks the person.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_batches_about_one_person_take_turns() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let access = DatabaseConfig {
        url: database.url().to_owned(),
        max_connections: 5,
    };
    let db = &Db::connect(&access).await.expect("a database");
    vouch_storage::migrate::<Migrator>(db).await.expect("tables");
    let (person, attempts, both) = (PersonId::new(), &AtomicU32::new(0), &Barrier::new(2));
    let of_both = &BTreeSet::from([person]);
    let known = db.write_tx(|txn| async move { people::ensure(&txn, of_both).await });
    known.await.expect("known");
    let batch = || {
        db.write_tx(|txn| async move {
            let first = attempts.fetch_add(1, SeqCst) < 2;
            earnings::insert(&txn, &[earning_of(person)]).await?;
            if first {
                both.wait().await;
            }
            people::lock(&txn, of_both).await?;
            Ok::<_, StorageError>(())
        })
    };
    let (one, other) = tokio::join!(batch(), batch());
    one.and(other).expect("both are in");
    assert_eq!(attempts.load(SeqCst), 2, "neither had to be done again");
}

fn earning_of(person: PersonId) -> Earning {
    Earning {
        id: EarningId::new(),
        person,
        account: AccountId::new(),
        client: ClientId::new(),
        contract: ContractId::new(),
        amount: Money::new(100, Currency::USD),
        occurred_at: Timestamp::EPOCH,
        settled_at: Timestamp::EPOCH,
    }
}
