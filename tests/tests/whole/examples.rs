//! The example of `docs/earnings.md`: an existing payments system, played by a Python program that knows the published contract
//! alone, tells of earnings on a real nats-server.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::json;
use tokio::process::Command;
use vouch_primitives::{ClientId, ContractId, EarningId, ReversalId, Timestamp};
use vouch_proto::onboarding::v1::Person;
use vouch_suite::{Cluster, Story, cluster::Plan};
use vouch_testkit::{
    Engine, eventually,
    tools::{buf, python, repository},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_hears_an_existing_payments_system_on_sqlite() {
    Box::pin(an_existing_payments_system(Engine::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_hears_an_existing_payments_system_on_postgres() {
    Box::pin(an_existing_payments_system(Engine::Postgres)).await;
}

/// The contract as a file, and the program beside it.
struct Example {
    cluster: Cluster,
    contract: PathBuf,
}

impl Example {
    async fn start(engine: Engine, now: Timestamp) -> Self {
        let plan = Plan {
            test_clock: Some(now),
            ..Plan::new(engine)
        };
        let cluster = Cluster::start(plan, |_| ()).await.expect("a cluster");
        let contract = cluster.directory().join("payments.binpb");
        let mut build = Command::new(buf().expect("buf"));
        build.arg("build").arg(repository().join("proto"));
        build
            .arg("--path")
            .arg(repository().join("proto/vouch/payments/v1/events.proto"));
        let built = build.arg("-o").arg(&contract).output().await.expect("it runs");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { cluster, contract }
    }

    /// Sends the lines as this user of NATS, and gives what the program says of each.
    async fn publish(&self, user: &str, more: &[&str], lines: &[serde_json::Value]) -> Result<Vec<String>, String> {
        let path = self.cluster.directory().join("earnings.jsonl");
        let text: Vec<_> = lines.iter().map(ToString::to_string).collect();
        fs::write(&path, text.join("\n")).expect("written");
        let mut program = Command::new(python().expect("a Python"));
        program.arg(repository().join("docs/examples/publish_earnings.py"));
        program
            .arg("--contract")
            .arg(&self.contract)
            .arg("--nats")
            .arg(self.cluster.nats.url());
        program
            .arg("--nkey")
            .arg(self.cluster.nkeys.seed(user))
            .arg("--user")
            .arg(user);
        let output = program.args(more).arg(&path).output().await.expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect();
        let wrong = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(said).ok_or(wrong)
    }
}

fn usd(minor: i64) -> serde_json::Value {
    json!({ "currencyCode": "USD", "minorUnits": minor.to_string() })
}

fn earned(earning: EarningId, ada: &Person, minor: i64) -> serde_json::Value {
    json!({
        "type": "EarningSettled",
        "earningId": earning.to_string(),
        "contractId": ContractId::derived(earning.as_uuid(), "contract").to_string(),
        "clientId": ClientId::derived(earning.as_uuid(), "client").to_string(),
        "personId": ada.id,
        "accountId": ada.account_id,
        "amount": usd(minor),
        "occurTime": "2026-03-03T10:00:00Z",
        "settleTime": "2026-03-08T10:00:00Z",
    })
}

fn refunded(earning: EarningId, ada: &Person, minor: i64) -> serde_json::Value {
    let mut event = earned(earning, ada, minor);
    event["type"] = "EarningReversed".into();
    event["reversalId"] = ReversalId::derived(earning.as_uuid(), "refund").to_string().into();
    event["reverseTime"] = "2026-03-09T10:00:00Z".into();
    event.as_object_mut().expect("an object").remove("settleTime");
    event
}

/// Rosa's rewards: what was released, and what payments has posted.
async fn rewards(story: &Story, referrer: &str) -> (i64, i64) {
    story.clock.settle().await.expect("at rest");
    let minor = |money: &Option<vouch_proto::common::v1::Money>| money.as_ref().map(|money| money.minor_units);
    // What was posted is not there while payments cannot be asked.
    eventually("released and posted", Duration::from_secs(20), async || {
        let totals = story.explain(referrer).await.map_err(|error| error.to_string())?;
        let [total] = totals.as_slice() else {
            return Err(format!("one currency, not {totals:?}"));
        };
        minor(&total.released)
            .zip(minor(&total.posted))
            .ok_or_else(|| format!("{total:?}"))
    })
    .await
}

// R25
async fn an_existing_payments_system(engine: Engine) {
    let now = "2026-03-02T09:00:00Z".parse().expect("a moment");
    let example = Example::start(engine, now).await;
    let story = example.cluster.story().expect("a story");
    let rosa = story.register("Rosa", "rosa@talent.example", "").await.expect("Rosa");
    let referrer = story.enrol(&rosa).await.expect("a referrer");
    let ada = story
        .register("Ada", "ada@talent.example", &referrer.code)
        .await
        .expect("Ada");
    story.clock.settle().await.expect("at rest");
    let (first, second) = (EarningId::new(), EarningId::new());
    let events = [
        refunded(first, &ada, 2_000),
        earned(first, &ada, 12_010),
        earned(second, &ada, 777),
    ];

    let said = example.publish("payments", &[], &events).await.expect("stored");
    assert!(
        said.len() == 3 && said.iter().all(|line| line.starts_with("stored ")),
        "{said:?}"
    );
    // 5 % of 100.10 and of 7.77: 5.3935, one total, rounded down once.
    let once = (539, 539);
    assert_eq!(rewards(&story, &referrer.id).await, once);

    let again = example.publish("payments", &[], &events).await.expect("known");
    assert!(again.iter().all(|line| line.starts_with("known ")), "{again:?}");
    assert_eq!(rewards(&story, &referrer.id).await, once, "NATS knows the ids");
    let fresh = example
        .publish("payments", &["--fresh-ids"], &events)
        .await
        .expect("stored");
    assert!(fresh.iter().all(|line| line.starts_with("stored ")), "{fresh:?}");
    assert_eq!(
        rewards(&story, &referrer.id).await,
        once,
        "the earning's own id is what counts"
    );
    let balances = story.balances(&rosa.account_id).await.expect("balances");
    let available: Vec<_> = balances
        .iter()
        .map(|balance| balance.available.as_ref().map_or(0, |money| money.minor_units))
        .collect();
    assert_eq!(available, [539], "posted once");

    let refused = example.publish("referral", &[], &events).await;
    let refused = refused.expect_err("another service may not tell of earnings");
    assert!(refused.contains("NATS refuses"), "{refused}");
    let nonsense = example
        .publish("payments", &[], &[json!({ "type": "EarningSettled", "salary": 7 })])
        .await;
    assert!(
        nonsense.is_err_and(|wrong| wrong.contains("nothing was sent")),
        "a field that is not in the contract"
    );
    assert_eq!(rewards(&story, &referrer.id).await, once);
    example.cluster.stop().await.expect("stopped");
}
