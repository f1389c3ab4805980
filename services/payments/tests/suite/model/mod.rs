//! Random commands over simulated months, which a reference model in another language (`tests/model`, Python) replays: every
//! answer, every refusal and every balance has to be the same, on both databases.

mod commands;
mod driver;
mod looks;
mod names;
mod payouts;
mod together;

use std::path::Path;

use serde_json::Value;
use tokio::process::Command;
use vouch_testkit::{Engine, TestDatabase, on_both_databases, tools::python};

use crate::world::World;
use driver::Driver;

on_both_databases! {
    two_hundred_and_fifty_commands_agree,
}

/// How many days many commands take by the clock of the service: so many that refunds come too late.
const LONG: &str = "200";

/// What the model prints for these arguments.
async fn model(arguments: &[&str]) -> Result<String, String> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model");
    let mut command = Command::new(python().expect("a Python"));
    // It must not leave compiled files among the sources.
    let output = command
        .arg("-B")
        .arg(place)
        .args(arguments)
        .output()
        .await
        .expect("a model");
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout).expect("text"));
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Commands that the model has drawn.
async fn drawn(arguments: &[&str]) -> Vec<Value> {
    let script = model(arguments).await.expect("a script");
    script
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

/// Lets the model judge what was done: `judge` replays it, `sum` adds it up. Where it differs, the log is kept.
async fn judge(how: &str, log: &[Value]) {
    let file = tempfile::Builder::new()
        .prefix("vouch-model-")
        .suffix(".jsonl")
        .tempfile()
        .expect("a file");
    let lines: Vec<String> = log.iter().map(Value::to_string).collect();
    std::fs::write(&file, lines.join("\n")).expect("a log");
    match model(&[how, file.path().to_str().expect("a path")]).await {
        Ok(verdict) => eprintln!("{}", verdict.trim()),
        Err(wrong) => {
            let (_, kept) = file.keep().expect("a log that is kept");
            panic!("the model does not agree, the log is in {}:\n{wrong}", kept.display());
        }
    }
}

async fn replayed(database: TestDatabase, seed: &str, count: &str, days: &str) {
    let script = drawn(&["play", seed, count, days]).await;
    let driver = Driver::with_bad_payers(World::new(database).await).await;
    let mut log = Vec::with_capacity(script.len());
    for line in script {
        log.push(driver.one(line).await);
    }
    judge("judge", &log).await;
    driver.stop().await;
}

/// So few that every run has them; of this seed, with which each kind of command succeeds at least once, but for calling a payout off.
async fn two_hundred_and_fifty_commands_agree(database: TestDatabase) {
    replayed(database, "4474", "250", "40").await;
}

async fn two_thousand(database: TestDatabase) {
    replayed(database, "1", "2000", LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: two thousand commands"]
async fn long_two_thousand_commands_on_sqlite() {
    two_thousand(TestDatabase::new(Engine::Sqlite).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: two thousand commands"]
async fn long_two_thousand_commands_on_postgres() {
    two_thousand(TestDatabase::new(Engine::Postgres).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: twenty thousand commands"]
async fn long_twenty_thousand_commands_on_sqlite() {
    replayed(TestDatabase::new(Engine::Sqlite).await, "2", "20000", LONG).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: twenty thousand commands"]
async fn long_twenty_thousand_commands_on_postgres() {
    replayed(TestDatabase::new(Engine::Postgres).await, "2", "20000", LONG).await;
}
