//! Sixteen writers at once, on few accounts and contracts: nobody is refused but for a reason that has a name, and the books are
//! what all that succeeded comes to.

use std::cell::RefCell;

use futures::future::join_all;
use serde_json::Value;
use vouch_testkit::{Engine, TestDatabase, on_both_databases, tables::rows};

use super::{Driver, drawn, judge};
use crate::world::World;

on_both_databases! {
    sixteen_writers_at_once_for_a_moment,
}

const WRITERS: usize = 16;

/// What many do at once: each takes the next command as soon as it has an answer. In the order of the answers.
async fn at_once(driver: &Driver, commands: Vec<Value>) -> Vec<Value> {
    let (left, log) = (RefCell::new(commands.into_iter()), RefCell::new(Vec::new()));
    let writer = async || {
        loop {
            let next = left.borrow_mut().next();
            let Some(command) = next else { return };
            let answered = driver.carried_out(command).await;
            log.borrow_mut().push(answered);
        }
    };
    join_all((0..WRITERS).map(|_| writer())).await;
    log.into_inner()
}

async fn nobody_has_less_than_nothing(driver: &Driver) {
    let balances = rows(
        &driver.world.db,
        "SELECT COUNT(*) FROM balance WHERE amount_minor < 0".to_owned(),
    )
    .await;
    assert_eq!(balances[0].try_get_by_index::<i64>(0).expect("a number"), 0);
    for total in driver.world.trial_balance().await {
        assert_eq!(total.imbalance.expect("a sum").minor_units, 0);
        assert_eq!(total.wrong_balances, 0);
    }
}

async fn sixteen_writers_at_once_leave_sound_books(database: TestDatabase, seed: &str, count: &str) {
    let driver = Driver::new(World::new(database).await);
    let mut log = Vec::new();
    let mut script = drawn(&["together", seed, count]).await.into_iter().peekable();
    while let Some(line) = script.next() {
        if line["together"] != true {
            log.push(driver.one(line).await);
            continue;
        }
        let mut commands = vec![line];
        while let Some(more) = script.next_if(|next| next["together"] == true) {
            commands.push(more);
        }
        // What has become due is carried out while they write.
        driver.jump(&commands[0]);
        log.extend(at_once(&driver, commands).await);
        driver.rest().await;
        nobody_has_less_than_nothing(&driver).await;
    }
    judge("sum", &log).await;
    let withdrawn = log.iter().any(|it| it["do"] == "withdraw" && it["refused"].is_null());
    assert!(withdrawn, "what takes money out has had a part in it");
    driver.stop().await;
}

/// So few that every run has them.
async fn sixteen_writers_at_once_for_a_moment(database: TestDatabase) {
    sixteen_writers_at_once_leave_sound_books(database, "23", "200").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: six hundred commands of sixteen writers"]
async fn long_sixteen_writers_at_once_on_sqlite() {
    sixteen_writers_at_once_leave_sound_books(TestDatabase::new(Engine::Sqlite).await, "1", "600").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: six hundred commands of sixteen writers"]
async fn long_sixteen_writers_at_once_on_postgres() {
    sixteen_writers_at_once_leave_sound_books(TestDatabase::new(Engine::Postgres).await, "1", "600").await;
}
