//! Signed statements, checked by the script that referrers are given.

use std::{fs, path::Path, process::Output};

use tokio::process::Command;
use vouch_primitives::{ClientId, ContractId};
use vouch_proto::{
    convert::to_wire_time,
    referral::v1::{self as pb, statement_service_client::StatementServiceClient},
};
use vouch_runtime::access::Signed;
use vouch_testkit::{
    TestDatabase, on_both_databases,
    tools::{python, repository},
};

use crate::harness::{House, Job, Person, Rosa, at};

on_both_databases! {
    a_statement_is_checked_offline_and_a_changed_figure_is_refused,
    a_statement_begins_where_the_one_before_it_ended,
    statements_stay_checkable_when_the_key_is_replaced,
}

const JOINED: &str = "2026-01-15T12:00:00Z";

async fn statement(house: &House, rosa: &Rosa, from: &str, until: &str) -> pb::GetSignedStatementResponse {
    let request = pb::GetSignedStatementRequest {
        referrer_id: rosa.id.clone(),
        from_time: Some(to_wire_time(at(from))),
        until_time: Some(to_wire_time(at(until))),
    };
    let answer = stating(house).get_signed_statement(request).await;
    answer.expect("a statement").into_inner()
}

fn stating(house: &House) -> StatementServiceClient<Signed> {
    StatementServiceClient::new(house.channel())
}

async fn keys(house: &House) -> pb::ListStatementKeysResponse {
    let answer = stating(house)
        .list_statement_keys(pb::ListStatementKeysRequest {})
        .await;
    answer.expect("keys").into_inner()
}

/// What the script says of a file.
async fn checked(file: &str, keys: &str) -> Output {
    let home = tempfile::tempdir().expect("a directory");
    let path = |name: &str| home.path().join(name);
    fs::write(path("statement.json"), file).expect("written");
    fs::write(path("keys.json"), keys).expect("written");
    script(&path("statement.json"), &path("keys.json")).await
}

async fn script(statement: &Path, keys: &Path) -> Output {
    let mut command = Command::new(python().expect("a Python"));
    command.arg(repository().join("docs/examples/verify_statement.py"));
    command.arg("--keys").arg(keys).arg(statement);
    command.output().await.expect("it runs")
}

fn good(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// Rosa, who vouched for Ada under the standard terms and introduced Cleo, with all kinds of rewards.
async fn all_kinds(database: &TestDatabase) -> (House, Rosa) {
    let house = House::start(database, JOINED).await;
    let rosa = house.referrer().await;
    let early = Person::new();
    house.registered(&early, &rosa.code).await;
    house.quiet().await;
    house.publish_standard().await;
    let (ada, cleo, client) = (Person::new(), Person::new(), ClientId::new());
    house.registered(&ada, &rosa.code).await;
    house.known(&cleo).await;
    house.works(&rosa, client).await;
    let introduced = house.introduce(&rosa, &cleo, client, pb::ReferralKind::ClientIntroduction);
    introduced.await.expect("introduced");
    let job = Job {
        client,
        contract: ContractId::new(),
    };
    let (first, second) = (
        house.earning(&ada, 60_010, "2026-01-20"),
        house.earning(&ada, 33, "2026-02-21T10:00:00.5Z"),
    );
    house
        .publish(&[
            house.settlement(&house.earning(&early, 19, "2026-01-20")),
            house.settlement(&first),
            house.settlement(&second),
            house.reversal(&first, 1_111),
            house.started(&cleo, job, "2026-01-16"),
            house.settlement(&house.earning_of(&cleo, job, 7_777, "2026-01-21")),
        ])
        .await;
    house.quiet().await;
    house.publish(&[house.ended(&cleo, job, "2026-02-01")]).await;
    house.move_clock("2026-05-01").await;
    (house, rosa)
}

// R25
async fn a_statement_is_checked_offline_and_a_changed_figure_is_refused(database: TestDatabase) {
    let (house, rosa) = all_kinds(&database).await;
    let stated = statement(&house, &rosa, JOINED, "2026-05-01").await;
    let keys = keys(&house).await;
    let said = good(&checked(&stated.file, &keys.jwk_set).await);
    // 5 % of 589.32 and of 0.19 and of 77.77, a bonus of 10 % of both, and USD 100.00 granted once, each rounded down.
    let expected = 2_946 + 5_893 + 1 + 10_000 + 388;
    let line = format!("USD: 0 before, {expected} at the end, {expected} released");
    assert!(said.contains("GOOD: 6 rewards") && said.contains(&line), "{said}");

    let figures = [
        ("\"amount\": \"60010\"", "\"amount\": \"60011\""),
        ("\"basis_points\": 500", "\"basis_points\": 501"),
        ("\"rounded\": \"2946\"", "\"rounded\": \"2947\""),
        ("lifetime_basis_points 500", "lifetime_basis_points 600"),
        ("\"released\": \"2946\"", "\"released\": \"2900\""),
    ];
    for (true_one, false_one) in figures {
        assert!(stated.file.contains(true_one), "{true_one} in {}", stated.file);
        let changed = stated.file.replacen(true_one, false_one, 1);
        let refused = checked(&changed, &keys.jwk_set).await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && said.contains("the signature is not"),
            "{said}"
        );
    }
    let strange = keys.jwk_set.replace(&stated.key_id, "another");
    let refused = checked(&stated.file, &strange).await;
    assert!(!refused.status.success(), "nobody knows the key");
}

// R25
async fn a_statement_begins_where_the_one_before_it_ended(database: TestDatabase) {
    let (house, rosa) = all_kinds(&database).await;
    let jwk_set = keys(&house).await.jwk_set;
    let mut closed = "0".to_owned();
    for (from, until) in [
        (JOINED, "2026-01-27"),
        ("2026-01-27", "2026-02-26T10:00:00.5Z"),
        ("2026-02-26T10:00:00.5Z", "2026-05-01"),
    ] {
        let stated = statement(&house, &rosa, from, until).await;
        good(&checked(&stated.file, &jwk_set).await);
        let file: serde_json::Value = serde_json::from_str(&stated.file).expect("JSON");
        let lifetime = |part: &str| {
            let rewards = file["statement"]["rewards"].as_array().expect("rewards").iter();
            let shares = rewards.filter(|it| it["kind"] == "LIFETIME_SHARE");
            let sum: i64 = shares
                .map(|it| it[part]["exact_ten_thousandths"].as_str().expect("digits"))
                .map(|digits| digits.parse::<i64>().expect("a number"))
                .sum();
            sum.to_string()
        };
        assert_eq!(lifetime("opening"), closed, "{from}");
        closed = lifetime("closing");
    }
    assert_eq!(closed, (500 * (60_010 + 33 - 1_111 + 19)).to_string());
    let refused = stating(&house)
        .get_signed_statement(pb::GetSignedStatementRequest {
            referrer_id: rosa.id.clone(),
            from_time: Some(to_wire_time(at(JOINED))),
            until_time: Some(to_wire_time(at("2026-05-02"))),
        })
        .await
        .expect_err("not over");
    assert_eq!(crate::harness::fields(&refused), ["until_time"]);
}

async fn statements_stay_checkable_when_the_key_is_replaced(database: TestDatabase) {
    let (house, rosa) = all_kinds(&database).await;
    let old = statement(&house, &rosa, JOINED, "2026-05-01").await;
    house.end().await;
    // A key as `openssl genpkey -algorithm ed25519` makes it.
    let pem = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n-----END PRIVATE KEY-----\n";
    let settings = [("STATEMENTS__PRIVATE_KEY", pem.to_owned())];
    let house = House::start_with(&database, "2026-05-02", &settings).await;
    let new = statement(&house, &rosa, JOINED, "2026-05-01").await;
    assert_ne!(old.key_id, new.key_id);
    let keys = keys(&house).await;
    let known: Vec<_> = keys.keys.iter().map(|key| key.key_id.clone()).collect();
    assert_eq!(known, [new.key_id.clone(), old.key_id.clone()], "the newest first");
    for file in [&old.file, &new.file] {
        good(&checked(file, &keys.jwk_set).await);
    }
}
