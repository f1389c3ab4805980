//! Events that the bus has lost: each is found by name, published again, and counted once.

use std::{collections::BTreeSet, fs, time::Duration};

use async_nats::jetstream::{
    self,
    consumer::{DeliverPolicy, pull},
};
use vouch_primitives::{Currency, Money, Timestamp};
use vouch_proto::{convert::to_wire_time, operations::v1 as operations};
use vouch_suite::{Cluster, SERVICES, Story, cluster::Plan};
use vouch_testkit::{Engine, eventually};

const PAYMENTS: usize = 2;
const REFERRAL: usize = 3;
const STREAM: &str = "VOUCH_PAYMENTS";
const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_finds_and_mends_every_event_that_the_bus_has_lost() {
    let start: Timestamp = "2026-03-02T09:00:00Z".parse().expect("a moment");
    let plan = Plan {
        test_clock: Some(start),
        ..Plan::new(Engine::Sqlite)
    };
    let mut cluster = Cluster::start(plan, |_| ()).await.expect("a cluster");
    let_in_an_overseer(&mut cluster).await;
    let story = cluster.story().expect("a story");
    let rosa = story.register("Rosa", "rosa@talent.example", "").await.expect("Rosa");
    let referrer = story.enrol(&rosa).await.expect("a referrer");
    let contract = contract(&story, &referrer.code, start).await;
    let day = |days| start.add_days(days);
    earn(&story, &contract, &[10_000]).await;
    story.clock.advance_to(day(6), |_| ()).await.expect("settled");
    assert_eq!(
        available(&story, &rosa.account_id).await,
        500,
        "5 % of the first earning"
    );

    let lost = lose(&cluster, &story, &contract, day(12)).await;
    assert_eq!(lost.len(), 3);
    assert_eq!(
        available(&story, &rosa.account_id).await,
        500,
        "of what was lost nothing came"
    );
    let until = day(13).to_string();
    let reconcile = async |service: usize, more: &[&str]| {
        let arguments = [&["reconcile", "--until", &*until], more].concat();
        cluster.command(service, &arguments).await.expect("it runs")
    };
    let (good, told) = reconcile(REFERRAL, &[]).await;
    assert!(!good, "{told}");
    assert_eq!(missing(&told), lost, "{told}");
    for service in (0..SERVICES.len()).filter(|service| *service != REFERRAL) {
        // A key that was made a moment ago may be unknown to the others for two seconds.
        eventually(SERVICES[service], SOON, async || match reconcile(service, &[]).await {
            (true, told) if told.contains(" 0 missing") => Ok(()),
            (_, told) => Err(told),
        })
        .await;
    }

    let (good, told) = reconcile(REFERRAL, &["--repair"]).await;
    assert!(
        good && missing(&told) == lost && told.contains("3 published again"),
        "{told}"
    );
    story.clock.settle().await.expect("at rest");
    let (good, told) = reconcile(REFERRAL, &[]).await;
    assert!(good && missing(&told).is_empty(), "{told}");
    assert!(told.contains(" 0 missing"), "{told}");
    // 5 % of 10,000 + 2,000 + 4,000 + 6,000.
    assert_eq!(available(&story, &rosa.account_id).await, 1_100);
    assert_eq!(story.imbalance().await.expect("a trial balance"), 0);
    let activity = story.clock.activity().await.expect("counted");
    assert_eq!(activity.dead_letters, 0);
    cluster.stop().await.expect("stopped");
}

/// Ada, vouched for with this code, begins a contract.
pub(super) async fn contract(story: &Story, code: &str, start: Timestamp) -> String {
    let company = story.company("Quay & Sons", "Mia", "mia@quay.example").await;
    let company = company.expect("a company");
    let first = ("first", Money::new(100, Currency::USD));
    let invited = story.invite(&company, "Ada", "ada@talent.example", first, start).await;
    invited.expect("invited");
    let (_, case) = story
        .activate("Ada", "ada@talent.example", code)
        .await
        .expect("activated");
    story.accept(&case, "Hello").await.expect("a contract").id
}

/// Lets in somebody who may do everything, as nobody may on the servers of a cluster.
async fn let_in_an_overseer(cluster: &mut Cluster) {
    let accounts = cluster.nats.directory().join("accounts.conf");
    let text = fs::read_to_string(&accounts).expect("the accounts");
    let (before, after) = text
        .split_once("jetstream: enabled\n    users: [")
        .expect("a list of users");
    let with_overseer =
        format!("{before}jetstream: enabled\n    users: [\n{{user: overseer, password: overseer}}{after}");
    fs::write(&accounts, with_overseer).expect("written");
    cluster.nats.restart().await.expect("restarted");
}

pub(super) async fn earn(story: &Story, contract: &str, amounts: &[i64]) {
    for amount in amounts {
        let amount = Money::new(*amount, Currency::USD);
        let milestone = story.milestone(contract, "more", amount).await.expect("a milestone");
        story.pay(&milestone.id).await.expect("paid");
    }
}

/// Three earnings settle at the moment `to` while referral's consumer does not exist; the new one begins behind them.
/// Gives the ids of the events.
async fn lose(cluster: &Cluster, story: &Story, contract: &str, to: Timestamp) -> BTreeSet<String> {
    earn(story, contract, &[2_000, 4_000, 6_000]).await;
    story.clock.settle().await.expect("at rest");
    let before = story.clock.now().await.expect("the time");
    let options = async_nats::ConnectOptions::with_user_and_password("overseer".to_owned(), "overseer".to_owned());
    let client = options.connect(cluster.nats.url()).await.expect("connected");
    let context = jetstream::new(client);
    let stream = context.get_stream(STREAM).await.expect("the stream");
    let consumer = stream
        .get_consumer::<pull::Config>("referral")
        .await
        .expect("the consumer");
    let known = consumer.cached_info().config.clone();
    stream.delete_consumer("referral").await.expect("deleted");
    for mut service in story.clients.operations.clone() {
        let time = Some(to_wire_time(to));
        let moved = service.set_test_clock(operations::SetTestClockRequest { time }).await;
        moved.expect("moved");
    }
    let told = eventually("settled and published", SOON, async || {
        let request = operations::ListPublishedEventsRequest {
            from_time: Some(to_wire_time(before)),
            until_time: Some(to_wire_time(to.add_days(1))),
            event_types: vec!["vouch.payments.v1.EarningSettled".to_owned()],
            ..Default::default()
        };
        let listed = story.clients.operations[PAYMENTS]
            .clone()
            .list_published_events(request)
            .await;
        let events = listed.map_err(|status| status.to_string())?.into_inner().events;
        if events.len() == 3 && events.iter().all(|event| !event.unpublished) {
            Ok(events)
        } else {
            Err(format!("{events:?}"))
        }
    })
    .await;
    // What was published a moment ago would otherwise be taken for a repeat when it comes again.
    let mut config = stream.cached_info().config.clone();
    config.duplicate_window = Duration::from_millis(100);
    context.update_stream(config).await.expect("updated");
    let skipping = pull::Config {
        durable_name: known.durable_name,
        filter_subjects: known.filter_subjects,
        ack_wait: known.ack_wait,
        max_deliver: known.max_deliver,
        max_ack_pending: known.max_ack_pending,
        deliver_policy: DeliverPolicy::New,
        ..pull::Config::default()
    };
    stream.create_consumer(skipping).await.expect("made anew");
    story.clock.settle().await.expect("at rest");
    told.into_iter().map(|event| event.event_id).collect()
}

/// The ids of the events that are told to be missing.
fn missing(told: &str) -> BTreeSet<String> {
    let lines = told.lines().filter_map(|line| line.strip_prefix("missing payments "));
    lines
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

pub(super) async fn available(story: &Story, account: &str) -> i64 {
    let balances = story.balances(account).await.expect("balances");
    let minor =
        |balance: &vouch_proto::payments::v1::Balance| balance.available.as_ref().map_or(0, |money| money.minor_units);
    balances.iter().map(minor).sum()
}
