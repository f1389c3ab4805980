//! The books of referral as operators handle them: taken in from elsewhere, restored from a backup, computed anew.

use std::{fmt::Write as _, fs, path::PathBuf, time::Duration};

use vouch_primitives::{AccountId, PersonId, RequestId, Timestamp};
use vouch_proto::referral::v1::{
    self as pb, books_service_client::BooksServiceClient, rebuild_response, reconcile_rewards_response,
};
use vouch_runtime::access::Signed;
use vouch_suite::{Cluster, Story, cluster::Plan};
use vouch_testkit::{Engine, Signal, eventually};

use super::reconcile::{available, contract, earn};

const REFERRAL: usize = 3;
const ROWS: usize = 10_000;
const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_takes_in_books_and_heals_after_a_restore_on_sqlite() {
    let (mut cluster, start) = house(Engine::Sqlite).await;
    Box::pin(an_import_that_is_killed_is_sent_again(&mut cluster)).await;
    Box::pin(a_restored_database_begins_a_new_epoch(&mut cluster, start)).await;
    cluster.stop().await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_takes_in_books_on_postgres() {
    let (mut cluster, _) = house(Engine::Postgres).await;
    Box::pin(an_import_that_is_killed_is_sent_again(&mut cluster)).await;
    cluster.stop().await.expect("stopped");
}

async fn house(engine: Engine) -> (Cluster, Timestamp) {
    let start: Timestamp = "2026-03-02T09:00:00Z".parse().expect("a moment");
    let plan = Plan {
        test_clock: Some(start),
        ..Plan::new(engine)
    };
    (Cluster::start(plan, |_| ()).await.expect("a cluster"), start)
}

/// A file of referrals, ten of each referrer, and the account of somebody in the second transaction.
fn referrals() -> (String, String) {
    let mut file = "referrer_person_id,referrer_account_id,referee_person_id,referee_account_id,joined_at\n".to_owned();
    let (mut referrer, mut early) = (String::new(), String::new());
    for row in 0..ROWS {
        if row % 10 == 0 {
            referrer = format!("{},{}", PersonId::new(), AccountId::new());
        }
        let (referee, account) = (PersonId::new(), AccountId::new());
        writeln!(file, "{referrer},{referee},{account},2026-01-15").expect("a text");
        if row == 600 {
            early = account.to_string();
        }
    }
    (file, early)
}

async fn an_import_that_is_killed_is_sent_again(cluster: &mut Cluster) {
    let story = cluster.story().expect("a story");
    let (file, early) = referrals();
    let path = cluster.directory().join("referrals.csv");
    fs::write(&path, file).expect("written");
    let path = path.display().to_string();
    let arguments = ["import", "referrals", &path];
    let killing = async {
        eventually("the second transaction", SOON, async || {
            let request = pb::EnrolReferrerRequest {
                request_id: RequestId::new().to_string(),
                account_id: early.clone(),
                ..Default::default()
            };
            let known = story.clients.referrals.clone().enrol_referrer(request).await;
            known.map(drop).map_err(|status| status.to_string())
        })
        .await;
        let process = cluster.process(REFERRAL).expect("running");
        process.end_with(Signal::KILL, SOON).await.expect("killed");
    };
    let (imported, ()) = tokio::join!(cluster.command(REFERRAL, &arguments), killing);
    let (good, said) = imported.expect("it runs");
    assert!(!good, "the service was killed in the middle: {said}");

    cluster.start_again(REFERRAL).await.expect("started again");
    let (good, said) = cluster.command(REFERRAL, &arguments).await.expect("it runs");
    assert!(good, "{said}");
    let (new, known) = counted(&said);
    assert!(new > 0 && known >= 1_000 && new + known == ROWS, "{said}");
    let (good, said) = cluster.command(REFERRAL, &arguments).await.expect("it runs");
    assert!(good && counted(&said) == (0, ROWS), "{said}");
}

/// `9000 new, 1000 known, 0 refused`.
fn counted(said: &str) -> (usize, usize) {
    let line = said
        .lines()
        .find(|line| line.ends_with(" 0 refused"))
        .unwrap_or_default();
    let mut numbers = line.split(' ').filter_map(|word| word.parse().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

fn books(cluster: &Cluster) -> BooksServiceClient<Signed> {
    BooksServiceClient::new(cluster.channel(REFERRAL).expect("an address"))
}

/// How many postings are not what was released.
async fn mismatches(cluster: &Cluster) -> u64 {
    let answer = books(cluster).reconcile_rewards(pb::ReconcileRewardsRequest {}).await;
    let mut parts = answer.expect("begun").into_inner();
    let mut found = None;
    while let Some(part) = parts.message().await.expect("a part") {
        if let Some(reconcile_rewards_response::Part::End(end)) = part.part {
            found = Some(end.mismatches);
        }
    }
    found.expect("an end")
}

async fn rebuild(cluster: &Cluster) -> rebuild_response::End {
    let request = pb::RebuildRequest {
        request_id: RequestId::new().to_string(),
        begin_epoch: true,
    };
    let mut parts = books(cluster).rebuild(request).await.expect("begun").into_inner();
    let mut found = None;
    while let Some(part) = parts.message().await.expect("a part") {
        if let Some(rebuild_response::Part::End(end)) = part.part {
            found = Some(end);
        }
    }
    found.expect("an end")
}

/// The files of referral's database, and where their copies are.
fn files(cluster: &Cluster) -> Vec<(PathBuf, PathBuf)> {
    let url = cluster.database(REFERRAL);
    let path = url.strip_prefix("sqlite:").expect("a file");
    ["", "-wal", "-shm"]
        .map(|end| {
            (
                PathBuf::from(format!("{path}{end}")),
                PathBuf::from(format!("{path}.backup{end}")),
            )
        })
        .to_vec()
}

async fn settle(story: &Story) {
    story.clock.settle().await.expect("at rest");
}

async fn a_restored_database_begins_a_new_epoch(cluster: &mut Cluster, start: Timestamp) {
    let story = cluster.story().expect("a story");
    let rosa = story.register("Rosa", "rosa@talent.example", "").await.expect("Rosa");
    let referrer = story.enrol(&rosa).await.expect("a referrer");
    let contract = contract(&story, &referrer.code, start).await;
    let day = |days| start.add_days(days);
    earn(&story, &contract, &[10_000]).await;
    story.clock.advance_to(day(6), |_| ()).await.expect("settled");
    assert_eq!(available(&story, &rosa.account_id).await, 500);

    cluster.stop_service(REFERRAL).await.expect("stopped");
    for (file, backup) in files(cluster).into_iter().filter(|(file, _)| file.exists()) {
        fs::copy(file, backup).expect("copied");
    }
    cluster.start_again(REFERRAL).await.expect("started");
    earn(&story, &contract, &[20_000]).await;
    story.clock.advance_to(day(12), |_| ()).await.expect("settled");
    assert_eq!(available(&story, &rosa.account_id).await, 1_500);
    assert_eq!(mismatches(cluster).await, 0);
    for arguments in [&["rebuild"][..], &["rebuild", "--from-streams"]] {
        let (good, said) = cluster.command(REFERRAL, arguments).await.expect("it runs");
        assert!(good && said.contains(", 0 differences, "), "{said}");
    }

    // The disk is lost, and with it all since the backup. The bus has told it, and will not tell it again.
    cluster.stop_service(REFERRAL).await.expect("stopped");
    for (file, backup) in files(cluster) {
        if backup.exists() {
            fs::copy(backup, file).expect("restored");
        } else if file.exists() {
            fs::remove_file(file).expect("removed");
        }
    }
    cluster.start_again(REFERRAL).await.expect("started");
    story.clock.set_one(REFERRAL, day(12)).await.expect("on time");
    settle(&story).await;
    assert_eq!(
        mismatches(cluster).await,
        1,
        "payments has posted what referral knows nothing of"
    );

    // The streams still hold what is lost.
    let from_streams = ["rebuild", "--from-streams"];
    let (good, said) = cluster.command(REFERRAL, &from_streams).await.expect("it runs");
    assert!(
        !good && said.contains("is stored") && said.contains("USD 200.00 of "),
        "{said}"
    );

    let rebuilt = rebuild(cluster).await;
    assert_eq!(
        rebuilt.live_sha256, rebuilt.rebuilt_sha256,
        "what was restored is sound"
    );
    settle(&story).await;
    assert_eq!(mismatches(cluster).await, 0, "payments has healed itself");
    assert_eq!(available(&story, &rosa.account_id).await, 500);
    earn(&story, &contract, &[30_000]).await;
    story.clock.advance_to(day(20), |_| ()).await.expect("settled");
    assert_eq!(available(&story, &rosa.account_id).await, 2_000, "the books go on");
    assert_eq!(mismatches(cluster).await, 0);
}
