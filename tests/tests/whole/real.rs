//! The story on real parts: nats-server, SQLite or PostgreSQL, four processes.

use std::{fs, time::Duration};

use tokio::time::Instant;
use vouch_primitives::{Currency, Money, RequestId, Timestamp};
use vouch_proto::{
    common::v1 as common, invitation::v1 as invitation, onboarding::v1::get_home_response::NextStep,
    payments::v1 as payments,
};
use vouch_suite::{
    Cluster, SERVICES, Story,
    cluster::Plan,
    earnings,
    playback::{Playback, Scene, beginning},
    story::terms,
};
use vouch_testkit::{Engine, Signal, eventually};

const ROWS: &str = "earning_id,referee,date,amount,currency,refund_of\n\
    a,Ada,2026-11-30,1250.00,USD,\nb,Ada,2027-02-27,10.10,USD,\nc,Ada,2027-02-28,10.10,USD,\n\
    r,Ada,2027-03-01,250.00,USD,a\nd,Bob,2026-12-31,980,JPY,\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_on_sqlite() {
    Box::pin(story(Engine::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_on_postgres() {
    Box::pin(story(Engine::Postgres)).await;
}

async fn story(engine: Engine) {
    let entries = earnings::read(ROWS.as_bytes()).expect("good rows");
    let plan = Plan {
        test_clock: Some(beginning(&entries)),
        ..Plan::new(engine)
    };
    let cluster = Cluster::start(plan, |_| ()).await.expect("a cluster");
    let story = cluster.story().expect("a story");
    let mut silence = |_: Timestamp, _: Scene<'_>| ();
    let mut playback = Playback::begin(&story, &mut silence).await.expect("begun");
    playback.play(&entries, &mut silence).await.expect("played");
    let outcome = playback.outcome().await.expect("an outcome");
    let rows: Vec<_> = outcome
        .attributions
        .iter()
        .map(|row| {
            (
                row.referee.as_str(),
                row.earnings_minor,
                row.lifetime_share_minor,
                row.bonus_minor,
            )
        })
        .collect();
    // Ada: 1,250.00 + 10.10 + 10.10 - 250.00 for life; what was earned before 28 February counts for the bonus.
    assert_eq!(rows, [("Ada", 102_020, 5_101, 10_101), ("Bob", 980, 49, 98)]);
    let balances: Vec<_> = outcome
        .referrer_balances
        .iter()
        .map(|row| (row.currency.as_str(), row.balance_minor))
        .collect();
    assert_eq!(balances, [("JPY", 147), ("USD", 15_202)]);
    assert_eq!((outcome.trial_balance_minor, outcome.dead_letters), (0, 0));

    explained_is_posted(&story, &playback.referrer.id).await;
    the_message_went_to_two_places(&story).await;
    work_is_paid_per_period(&story).await;
    a_service_that_is_asked_to_stop_under_load_loses_nothing(cluster, &story, &playback).await;
}

/// From the invitation to the money, without anybody's doing in between.
async fn work_is_paid_per_period(story: &Story) {
    let quay = story.company("Quay Press", "Quinn Abe", "quinn@quay.example").await;
    let begin = story.clock.now().await.expect("a moment");
    let recurring = common::RecurringPay {
        amount: Some(Money::new(100_000, Currency::USD).into()),
        every: common::PayPeriod::Month.into(),
    };
    let request = invitation::SendInvitationRequest {
        request_id: RequestId::new().to_string(),
        client_id: quay.expect("a company").id,
        hiring_manager_id: String::new(),
        talent_type: invitation::TalentType::Freelancer.into(),
        recipient_email: "kim@talent.example".to_owned(),
        recipient_name: "Kim".to_owned(),
        content: Some(invitation::send_invitation_request::Content::ContractTerms(
            common::ContractTerms {
                pay: Some(common::contract_terms::Pay::Recurring(recurring)),
                ..terms(("the press", Money::new(1, Currency::USD)), begin)
            },
        )),
        personal_message: "Look after our press".to_owned(),
    };
    let mut invitations = story.clients.invitations.clone();
    invitations.send_invitation(request).await.expect("sent");
    let (_, case) = story
        .activate("Kim", "kim@talent.example", "")
        .await
        .expect("activated");
    let contract = story.accept(&case, "Hello Quinn").await.expect("a contract");
    // A month, and the nine days until its money is available.
    let available = begin.start_of_day().add_months_clamped(1).add_days(9);
    story.clock.advance_to(available, |_| ()).await.expect("later");
    let balances = story.balances(&contract.account_id).await.expect("balances");
    let parts: Vec<_> = balances
        .iter()
        .map(|one| (minor(&one.pending), minor(&one.available)))
        .collect();
    assert_eq!(parts, [(0, 90_000)]);
}

async fn explained_is_posted(story: &Story, referrer: &str) {
    // Payments may be out of reach for a moment, and then what it has posted is not told.
    let totals = eventually("what payments has posted", Duration::from_secs(20), async || {
        let totals = story.explain(referrer).await.map_err(|status| status.to_string())?;
        let is_told = totals.iter().all(|total| total.posted.is_some());
        is_told
            .then_some(totals)
            .ok_or_else(|| "payments could not be asked".to_owned())
    })
    .await;
    let released: Vec<_> = totals.iter().map(|total| minor(&total.released)).collect();
    assert_eq!(released, [147, 15_202], "JPY and USD");
    for total in &totals {
        assert_eq!(total.released, total.posted);
        assert_eq!(total.rewards.len(), 2, "a share for life and a bonus");
        let sum: i64 = total.rewards.iter().map(|reward| minor(&reward.released)).sum();
        assert_eq!(sum, minor(&total.released));
        for reward in &total.rewards {
            assert!(!reward.items.is_empty(), "{reward:?}");
            let base: i64 = reward.items.iter().map(|item| minor(&item.amount)).sum();
            assert_eq!(base, minor(&reward.base));
        }
    }
}

async fn the_message_went_to_two_places(story: &Story) {
    let mails = story.mailbox.to("henri@harbour.example").expect("the mailbox");
    assert!(
        mails.iter().any(|mail| mail.text.contains("glad to start on a")),
        "{mails:#?}"
    );
}

/// SIGTERM while a client keeps calling: the process ends well within its grace, and whatever was acknowledged is there
/// after it was started again.
async fn a_service_that_is_asked_to_stop_under_load_loses_nothing(
    mut cluster: Cluster,
    story: &Story,
    playback: &Playback<'_>,
) {
    let payments = SERVICES.iter().position(|name| *name == "payments").expect("a service");
    let contract = first_contract(story).await;
    let caller = {
        let (story, contract) = (story.clone(), contract.clone());
        tokio::spawn(async move { call_until_refused(&story, &contract).await })
    };
    eventually("some milestones", Duration::from_secs(20), async || {
        let made = milestones(story, &contract).await;
        if made.len() > 20 {
            Ok(())
        } else {
            Err(format!("{} milestones", made.len()))
        }
    })
    .await;
    let ended = cluster
        .process(payments)
        .expect("running")
        .end_with(Signal::TERM, Duration::from_secs(25))
        .await;
    assert!(ended.expect("ended within its grace").success(), "a good end");
    let acknowledged = caller.await.expect("the caller");
    cluster.start_again(payments).await.expect("started again");
    let kept = milestones(story, &contract).await;
    let lost: Vec<_> = acknowledged.iter().filter(|id| !kept.contains(id)).collect();
    assert_eq!(lost, [""; 0], "of {} acknowledged", acknowledged.len());
    story.clock.settle().await.expect("at rest");
    let again = playback.outcome().await.expect("an outcome");
    assert_eq!((again.trial_balance_minor, again.dead_letters), (0, 0));
    cluster.stop().await.expect("stopped");
}

async fn first_contract(story: &Story) -> String {
    let company = story
        .company("Quay & Sons", "Mia", "mia@quay.example")
        .await
        .expect("a company");
    let now = story.clock.now().await.expect("the time");
    let amount = Money::new(100, Currency::USD);
    story
        .invite(&company, "Cleo", "cleo@talent.example", ("first", amount), now)
        .await
        .expect("invited");
    let person = story
        .register("Cleo", "cleo@talent.example", "")
        .await
        .expect("registered");
    let first = story.home(&person.id).await.expect("home");
    assert!(
        matches!(first, Some(NextStep::OpenInvitation(_))),
        "the offer is the first thing shown [B11]: {first:?}"
    );
    let case = story.open_first_invitation(&person.id).await.expect("a case");
    story.accept(&case, "Hello").await.expect("a contract").id
}

async fn call_until_refused(story: &Story, contract: &str) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        let request = payments::CreateMilestoneRequest {
            request_id: RequestId::new().to_string(),
            contract_id: contract.to_owned(),
            title: "one more".to_owned(),
            amount: Some(common::Money {
                currency_code: "USD".to_owned(),
                minor_units: 100,
            }),
        };
        match story.clients.contracts.clone().create_milestone(request).await {
            Ok(answer) => acknowledged.push(answer.into_inner().milestone.expect("a milestone").id),
            Err(_) => return acknowledged,
        }
    }
}

async fn milestones(story: &Story, contract: &str) -> Vec<String> {
    let request = payments::GetContractRequest {
        contract_id: contract.to_owned(),
    };
    let contract = story
        .clients
        .contracts
        .clone()
        .get_contract(request)
        .await
        .expect("a contract")
        .into_inner()
        .contract;
    match contract.and_then(|contract| contract.pay) {
        Some(payments::contract::Pay::Fixed(fixed)) => fixed.milestones.into_iter().map(|m| m.id).collect(),
        other => panic!("not a fixed-price contract: {other:?}"),
    }
}

fn minor(money: &Option<common::Money>) -> i64 {
    money.as_ref().map_or(0, |money| money.minor_units)
}

/// How long a service may take from its start until it is ready, on a machine that has much else to do. What it takes
/// is printed: on an idle machine it is well below a second.
const READY_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_is_soon_ready_and_needs_little_memory() {
    let plan = Plan::new(Engine::Sqlite);
    let mut cluster = Cluster::start(plan, |_| ()).await.expect("a cluster");
    for (index, name) in SERVICES.iter().enumerate() {
        let process = cluster.process(index).expect("running");
        let ended = process.end_with(Signal::TERM, Duration::from_secs(25)).await;
        assert!(ended.expect("ended").success(), "a good end");
        let began = Instant::now();
        cluster.start_again(index).await.expect("started again");
        let took = began.elapsed();
        let process = cluster.process(index).expect("running");
        let status = fs::read_to_string(format!("/proc/{}/status", process.id())).expect("the process");
        let resident = status
            .lines()
            // Beside it there is the program itself, whose pages the system shares and may drop: 35 MB unoptimised.
            .find_map(|line| line.strip_prefix("RssAnon:"))
            .expect("its memory");
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().expect("a number");
        println!("{name} was ready after {took:?} and holds {kib} KiB");
        assert!(took < READY_WITHIN, "{name} was ready after {took:?}");
        assert!(kib < 16 * 1024, "{name} holds {kib} KiB");
    }
    cluster.stop().await.expect("stopped");
}
