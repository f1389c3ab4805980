//! One trace from a call through both databases and the bus to the posting that it causes, five days later.

use std::time::Duration;

use vouch_primitives::{Currency, Money};
use vouch_suite::{
    Cluster, Collector, Story,
    cluster::Plan,
    otlp::{Span, Trace},
};
use vouch_testkit::Engine;

use crate::telltale::{self, SHARE, Telltale};

/// The exporters send every five seconds, and the machine may have much else to do.
const SOON: Duration = Duration::from_secs(45);

const APPROVE: &str = "vouch.payments.v1.ContractService/ApproveMilestone";
const ACTIVATE: &str = "vouch.onboarding.v1.AccountService/ActivateAccount";
const SETTLED: &str = "vouch.payments.v1.EarningSettled";
const RELEASED: &str = "vouch.referral.v1.RewardReleased";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_tells_one_trace_and_no_secrets_on_sqlite() {
    told(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_tells_one_trace_and_no_secrets_on_postgres() {
    told(Engine::Postgres).await;
}

async fn told(engine: Engine) {
    let collector = Collector::start().await.expect("a collector");
    let plan = Plan {
        test_clock: Some(telltale::start()),
        collector: Some(collector.endpoint()),
        ..Plan::new(engine)
    };
    let cluster = Cluster::start(plan, |_| ()).await.expect("a cluster");
    let story = cluster.story().expect("a story");
    let scene = Telltale::hired(&story).await;
    story.pay(&scene.milestone).await.expect("paid");
    advance(&story, 20).await;
    let balances = story.balances(&scene.referrer.account_id).await.expect("balances");
    let available = balances[0].available.clone().unwrap_or_default();
    assert_eq!(
        available.minor_units, SHARE,
        "the way of the money was walked to its end"
    );

    one_call_leads_to_the_posting(&collector).await;
    a_call_to_another_service_belongs_to_its_caller(&collector).await;
    what_fires_together_is_told_apart(&collector, &story, &scene).await;
    cluster.stop().await.expect("stopped");
    nothing_is_told_of_anybody(&collector, &scene.secrets);
}

async fn advance(story: &Story, days: u32) {
    let to = story.clock.now().await.expect("the time").add_days(days);
    story.clock.advance_to(to, |_| ()).await.expect("advanced");
}

fn process(event: &str) -> String {
    format!("process {event}")
}

async fn one_call_leads_to_the_posting(collector: &Collector) {
    let posted =
        |trace: &Trace| trace.named(APPROVE).next().is_some() && trace.named(&process(RELEASED)).next().is_some();
    let trace = collector.trace(APPROVE, SOON, posted).await.expect("a trace");
    let publish_settled = format!("vouch-payments: publish {SETTLED}");
    let process_settled = format!("vouch-referral: process {SETTLED}");
    let publish_released = format!("vouch-referral: publish {RELEASED}");
    let process_released = format!("vouch-payments: process {RELEASED}");
    let path = trace.path(&[
        &format!("vouch-payments: {APPROVE}"),
        "vouch-payments: fire earning.settle",
        &publish_settled,
        &process_settled,
        &publish_released,
        &process_released,
    ]);
    let kinds: Vec<_> = path.iter().map(|span| span.kind()).collect();
    let expected = ["SERVER", "INTERNAL", "PRODUCER", "CONSUMER", "PRODUCER", "CONSUMER"];
    assert_eq!(kinds, expected, "{}", trace.waterfall());
    assert!(!trace.0.iter().any(Span::failed), "{}", trace.waterfall());
    for pair in path.windows(2) {
        assert!(
            pair[1].links_to(pair[0]),
            "what comes later links to its cause: {pair:#?}"
        );
    }
    let [server, fire, publish, process, _, _] = path[..] else {
        panic!("six spans")
    };
    told_as(
        server,
        &[
            ("rpc.system.name", "grpc"),
            ("rpc.method", APPROVE),
            ("rpc.response.status_code", "OK"),
        ],
    );
    told_as(fire, &[("timer.kind", "earning.settle")]);
    let id = publish.attribute("messaging.message.id");
    assert_eq!(id.len(), 36, "{publish:#?}");
    let message = [
        ("messaging.system", "nats"),
        ("messaging.destination.name", SETTLED),
        ("messaging.message.id", &id),
    ];
    told_as(publish, &message);
    told_as(process, &message);
    let sent = [
        ("messaging.operation.name", "publish"),
        ("messaging.operation.type", "send"),
        ("messaging.nats.stream", "VOUCH_PAYMENTS"),
    ];
    told_as(publish, &sent);
    let applied = [
        ("messaging.operation.name", "process"),
        ("messaging.operation.type", "process"),
        ("messaging.destination.subscription.name", "referral"),
        ("messaging.nats.delivery_count", "1"),
    ];
    told_as(process, &applied);
    let spans = collector.spans();
    let batches = |name: &str| spans.iter().filter(|span| span.data.name == name).collect::<Vec<_>>();
    let receive = batches("receive VOUCH_PAYMENTS");
    assert!(
        receive
            .iter()
            .any(|batch| process.links_to(batch) && batch.links_to(publish))
    );
    assert!(batches("relay").iter().any(|batch| publish.links_to(batch)));
}

fn told_as(span: &Span, attributes: &[(&str, &str)]) {
    for (key, value) in attributes {
        assert_eq!(span.attribute(key), *value, "{key} of {span:#?}");
    }
}

async fn a_call_to_another_service_belongs_to_its_caller(collector: &Collector) {
    let accept = "vouch.invitation.v1.InvitationService/AcceptInvitation";
    let activated = |trace: &Trace| trace.named(ACTIVATE).next().is_some() && trace.named(accept).count() == 2;
    let trace = collector.trace(ACTIVATE, SOON, activated).await.expect("a trace");
    let path = trace.path(&[
        &format!("vouch-onboarding: {ACTIVATE}"),
        &format!("vouch-onboarding: {accept}"),
        &format!("vouch-invitation: {accept}"),
    ]);
    let kinds: Vec<_> = path.iter().map(|span| span.kind()).collect();
    assert_eq!(kinds, ["SERVER", "CLIENT", "SERVER"], "{}", trace.waterfall());
}

/// Two milestones are approved at one moment of the clock, so that both settle in one transaction; each stays in the
/// trace of its own call.
async fn what_fires_together_is_told_apart(collector: &Collector, story: &Story, scene: &Telltale) {
    let known = collector.spans().len();
    for cents in [1_100, 2_200] {
        let amount = Money::new(cents, Currency::USD);
        let milestone = story
            .milestone(&scene.contract, "more", amount)
            .await
            .expect("a milestone");
        story.pay(&milestone.id).await.expect("paid");
    }
    advance(story, 20).await;
    let mut traces = Vec::new();
    for _ in 0..2 {
        let known = traces.clone();
        let another = |trace: &Trace| {
            let fresh = trace.0.iter().all(|span| !known.contains(&span.data.trace_id));
            fresh
                && trace.named(APPROVE).next().is_some()
                && trace.named(&process(SETTLED)).next().is_some()
                && trace.named(&process(RELEASED)).next().is_none()
        };
        let trace = collector.trace(APPROVE, SOON, another).await.expect("a trace");
        let _ = trace.path(&[
            &format!("vouch-payments: {APPROVE}"),
            "vouch-payments: fire earning.settle",
            &format!("vouch-payments: publish {SETTLED}"),
            &format!("vouch-referral: process {SETTLED}"),
        ]);
        traces.push(trace.0[0].data.trace_id.clone());
    }
    assert!(collector.spans().len() > known);
}

/// Names, addresses, messages, tokens and amounts of people stay in the databases.
fn nothing_is_told_of_anybody(collector: &Collector, secrets: &[String]) {
    assert!(collector.log_records() > 0, "logs are exported, too");
    let texts = collector.texts();
    assert!(texts.len() > 100, "{} texts", texts.len());
    for text in &texts {
        let told: Vec<_> = secrets.iter().filter(|secret| contains(text, secret)).collect();
        assert!(told.is_empty(), "{told:?} in {text}");
    }
}

/// A number is looked for as a word of its own: it may be a part of an id by chance.
fn contains(text: &str, secret: &str) -> bool {
    if secret.bytes().all(|byte| byte.is_ascii_digit()) {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| word == secret)
    } else {
        text.to_lowercase().contains(&secret.to_lowercase())
    }
}
