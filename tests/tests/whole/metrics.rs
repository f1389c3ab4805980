//! What the four services tell Prometheus after some work is what was done, and what docs/metrics.md says of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use async_nats::ConnectOptions;
use tonic::Code;
use vouch_primitives::{Clock, Currency, Money, RequestId, SystemClock};
use vouch_proto::payments::v1::ApproveMilestoneRequest;
use vouch_suite::{Cluster, SERVICES, Story, cluster::Plan};
use vouch_testkit::{Engine, eventually, tools::repository};

use crate::telltale::{self, SHARE, Telltale};

const SOON: Duration = Duration::from_secs(30);
const APPROVE: &str = "vouch.payments.v1.ContractService/ApproveMilestone";
const ACCEPT: &str = "vouch.invitation.v1.InvitationService/AcceptInvitation";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_measures_what_was_done_on_sqlite() {
    measured(Engine::Sqlite, "sqlite", "writer", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_measures_what_was_done_on_postgres() {
    measured(Engine::Postgres, "postgresql", "all", 8).await;
}

async fn measured(engine: Engine, system: &str, pool: &str, connections: i64) {
    let plan = Plan {
        test_clock: Some(telltale::start()),
        metrics: true,
        settings: vec![("TELEMETRY__GAUGE_INTERVAL", "200ms")],
        ..Plan::new(engine)
    };
    let cluster = Cluster::start(plan, |_| ()).await.expect("a cluster");
    let story = cluster.story().expect("a story");
    let scene = Telltale::hired(&story).await;
    approve_again_and_again(&story, &scene).await;
    send_what_is_no_event(&cluster).await;
    let later = telltale::start().add_days(20);
    story.clock.advance_to(later, |_| ()).await.expect("advanced");

    let database = [("db_system_name", system), ("db_operation_name", "INSERT")];
    let pool = [("db_client_connection_pool_name", pool)];
    let told = eventually("the right numbers", SOON, async || {
        let told = scrape(&cluster).await;
        let mut wrong: Vec<String> = expected().iter().filter_map(|one| one.compare(&told)).collect();
        for service in &told {
            let version = [("version", env!("CARGO_PKG_VERSION"))];
            wrong.extend((service.sum("vouch_build_info", &version) != Some(1)).then(|| "no version".to_owned()));
            let inserts = service.sum("db_client_operation_duration_seconds_count", &database);
            wrong.extend((inserts < Some(1)).then(|| format!("{inserts:?} inserts")));
            let most = service.sum("db_client_connection_max", &pool);
            wrong.extend((most != Some(connections)).then(|| format!("{most:?} connections at most")));
            let open = service.sum("db_client_connection_count", &pool);
            wrong.extend((open < Some(1) || open > most).then(|| format!("{open:?} connections of {most:?}")));
        }
        let checked = told[2]
            .sum("vouch_ledger_last_check_timestamp_seconds", &[])
            .unwrap_or(0);
        let age = SystemClock.now().as_micros() / 1_000_000 - checked;
        wrong.extend((!(0..60).contains(&age)).then(|| format!("checked {age} s ago")));
        if wrong.is_empty() {
            Ok(told)
        } else {
            Err(wrong.join("\n"))
        }
    })
    .await;
    as_on_the_page(&told);
    for (service, secret) in told
        .iter()
        .flat_map(|told| scene.secrets.iter().map(move |secret| (told, secret)))
    {
        let as_label = service
            .0
            .iter()
            .find(|sample| sample.labels.values().any(|value| value.contains(secret)));
        assert!(as_label.is_none(), "{secret} in {as_label:?}");
    }
    cluster.stop().await.expect("stopped");
}

/// A milestone is approved, the same request comes again, and then another one under its id.
async fn approve_again_and_again(story: &Story, scene: &Telltale) {
    let amount = Money::new(100, Currency::USD);
    let other = story
        .milestone(&scene.contract, "other", amount)
        .await
        .expect("a milestone");
    story.fund(&scene.milestone).await.expect("funded");
    story.submit(&scene.milestone).await.expect("submitted");
    let mut request = ApproveMilestoneRequest {
        request_id: RequestId::new().to_string(),
        milestone_id: scene.milestone.clone(),
    };
    let mut contracts = story.clients.contracts.clone();
    for _ in 0..2 {
        contracts.approve_milestone(request.clone()).await.expect("approved");
    }
    request.milestone_id = other.id;
    let refused = contracts.approve_milestone(request).await.expect_err("refused");
    assert_eq!(refused.code(), Code::AlreadyExists);
}

async fn send_what_is_no_event(cluster: &Cluster) {
    let seed = fs::read_to_string(cluster.nkeys.seed("payments")).expect("a seed");
    let options = ConnectOptions::with_nkey(seed.trim().to_owned());
    let client = options.connect(cluster.nats.url()).await.expect("connected");
    let sent = client
        .publish("vouch.payments.v1.EarningSettled", "nonsense".into())
        .await;
    sent.expect("sent");
    client.flush().await.expect("flushed");
}

/// What a service, by its place in [`SERVICES`], has to tell.
struct Expected(usize, &'static str, Vec<(&'static str, &'static str)>, i64);

impl Expected {
    fn compare(&self, told: &[Told]) -> Option<String> {
        let Self(service, name, labels, value) = self;
        let found = told[*service].sum(name, labels);
        let service = SERVICES[*service];
        (found != Some(*value)).then(|| format!("{service}: {name} {labels:?} is {found:?}, not {value}"))
    }
}

fn expected() -> Vec<Expected> {
    let (onboarding, payments, referral) = (1, 2, 3);
    let call = |status| vec![("rpc_method", APPROVE), ("rpc_response_status_code", status)];
    let usd = || vec![("currency", "USD")];
    let request = || vec![("method", "vouch.payments.v1.ApproveMilestoneRequest")];
    let sent = |event| vec![("messaging_destination_name", event)];
    let from = |stream, consumer| {
        let stream = ("messaging_destination_name", stream);
        vec![stream, ("messaging_destination_subscription_name", consumer)]
    };
    let mut bad = lag("VOUCH_PAYMENTS", "referral");
    bad.push(("reason", "MALFORMED"));
    let calls = "rpc_server_call_duration_seconds_count";
    let mut all = vec![
        Expected(payments, calls, call("OK"), 2),
        Expected(payments, calls, call("ALREADY_EXISTS"), 1),
        Expected(
            onboarding,
            "rpc_client_call_duration_seconds_count",
            vec![("rpc_method", ACCEPT), ("rpc_response_status_code", "OK")],
            1,
        ),
        Expected(payments, "vouch_idempotency_replayed_total", request(), 1),
        Expected(payments, "vouch_idempotency_conflicts_total", request(), 1),
        Expected(payments, "vouch_rewards_paid", usd(), SHARE),
        Expected(referral, "vouch_rewards_qualified", usd(), SHARE),
        Expected(payments, "vouch_ledger_imbalance", usd(), 0),
        Expected(payments, "vouch_ledger_account_mismatch", usd(), 0),
        Expected(
            payments,
            "messaging_client_sent_messages_total",
            sent("vouch.payments.v1.EarningSettled"),
            1,
        ),
        Expected(
            referral,
            "messaging_client_sent_messages_total",
            sent("vouch.referral.v1.RewardReleased"),
            1,
        ),
        Expected(
            payments,
            "messaging_client_consumed_messages_total",
            from("VOUCH_REFERRAL", "payments"),
            1,
        ),
        // The contract, the earning and the nonsense, of which two are applied.
        Expected(
            referral,
            "messaging_client_consumed_messages_total",
            from("VOUCH_PAYMENTS", "referral"),
            3,
        ),
        Expected(
            referral,
            "messaging_process_duration_seconds_count",
            from("VOUCH_PAYMENTS", "referral"),
            2,
        ),
        Expected(referral, "vouch_consumer_dead_lettered_total", bad, 1),
        Expected(referral, "vouch_consumer_dead_letters", vec![], 1),
        Expected(payments, "vouch_consumer_dead_letters", vec![], 0),
        Expected(onboarding, "vouch_mail_due", vec![], 0),
    ];
    all.extend(at_rest());
    all
}

fn lag(stream: &'static str, consumer: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![("stream", stream), ("consumer", consumer)]
}

/// Nothing waits anywhere.
fn at_rest() -> Vec<Expected> {
    let mut all = Vec::new();
    for name in ["pending", "ack_pending", "redelivered", "oldest_pending_age_seconds"] {
        let name = format!("vouch_consumer_{name}").leak();
        all.push(Expected(2, name, lag("VOUCH_REFERRAL", "payments"), 0));
        all.push(Expected(3, name, lag("VOUCH_PAYMENTS", "referral"), 0));
    }
    for name in [
        "vouch_outbox_unpublished",
        "vouch_outbox_oldest_unpublished_age_seconds",
        "vouch_timers_due",
    ] {
        all.extend((0..SERVICES.len()).map(|service| Expected(service, name, vec![], 0)));
    }
    all
}

/// What one service tells.
struct Told(Vec<Sample>, BTreeMap<String, String>);

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: String,
}

impl Told {
    fn read(text: &str) -> Self {
        let kinds = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
        let kinds = kinds.map(|(name, kind)| (name.to_owned(), kind.to_owned())).collect();
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(Sample::read);
        Self(samples.collect(), kinds)
    }

    /// The sum of all samples with these labels, if there is any.
    fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<i64> {
        let matches = |sample: &&Sample| {
            let has = |(key, value): &(&str, &str)| sample.labels.get(*key).is_some_and(|found| found == value);
            sample.name == name && labels.iter().all(has)
        };
        let found = self.0.iter().filter(matches);
        found
            .map(|sample| sample.value.parse::<i64>().expect("a whole number"))
            .reduce(|a, b| a + b)
    }
}

impl Sample {
    fn read(line: &str) -> Self {
        let (head, value) = line.rsplit_once(' ').expect("a sample");
        let (name, labels) = head.split_once('{').unwrap_or((head, ""));
        let labels = labels
            .trim_end_matches('}')
            .split("\",")
            .filter(|label| !label.is_empty());
        let labels = labels.map(|label| label.split_once("=\"").expect("a label"));
        let labels = labels.map(|(key, value)| (key.to_owned(), value.trim_end_matches('"').to_owned()));
        Self {
            name: name.to_owned(),
            labels: labels.collect(),
            value: value.to_owned(),
        }
    }
}

async fn scrape(cluster: &Cluster) -> Vec<Told> {
    let mut told = Vec::new();
    for index in 0..SERVICES.len() {
        told.push(Told::read(&cluster.metrics(index).await.expect("metrics")));
    }
    told
}

/// Every family that is exposed stands on the page with its kind and its labels, and every one on the page is exposed,
/// but for those that only something going wrong brings about.
fn as_on_the_page(told: &[Told]) {
    let page = fs::read_to_string(repository().join("docs/metrics.md")).expect("the page");
    let rows: BTreeMap<&str, Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|line| {
            line.split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect::<Vec<_>>()
        })
        .map(|cells| (cells[1], cells))
        .collect();
    let mut exposed: BTreeMap<&str, (&str, BTreeSet<&str>)> = BTreeMap::new();
    for Told(samples, kinds) in told {
        for (family, kind) in kinds.iter().filter(|(family, _)| *family != "target_info") {
            let (_, labels) = exposed.entry(family).or_insert((kind, BTreeSet::new()));
            let parts = ["", "_count", "_sum", "_bucket"].map(|part| format!("{family}{part}"));
            let of_family = samples.iter().filter(|sample| parts.contains(&sample.name));
            let keys = of_family.flat_map(|sample| sample.labels.keys().map(String::as_str));
            labels.extend(keys.filter(|key| *key != "le" && !key.starts_with("otel_scope")));
        }
    }
    for (family, (kind, labels)) in &exposed {
        let row = rows
            .get(family)
            .unwrap_or_else(|| panic!("docs/metrics.md lacks {family} {kind} {labels:?}"));
        assert_eq!(row[2], *kind, "{family}");
        let on_page: BTreeSet<&str> = row[3].split(", ").filter(|label| !label.is_empty()).collect();
        let unknown: Vec<_> = labels.difference(&on_page).collect();
        let absent: Vec<_> = on_page
            .difference(labels)
            .filter(|label| **label != "error_type")
            .collect();
        assert!(
            unknown.is_empty() && absent.is_empty(),
            "{family}: page {on_page:?}, told {labels:?}"
        );
    }
    let gone: Vec<_> = rows
        .iter()
        .filter(|(family, row)| !exposed.contains_key(*family) && !row[4].starts_with("Rare"))
        .collect();
    assert!(gone.is_empty(), "docs/metrics.md lists what nobody tells: {gone:?}");
}
