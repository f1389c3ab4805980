//! From a request to an answer that is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prost::{Message, Name};
use tonic::{Code, Request};
use tonic_types::StatusExt;
use vouch_primitives::{EarningId, RequestId, TestClock, Timestamp};
use vouch_proto::common::v1::Money;
use vouch_proto::payments::v1::RefundEarningRequest;
use vouch_proto::{Fields, Violations};
use vouch_runtime::Commands;
use vouch_runtime::grpc::{parse_mutation, parse_query, status};
use vouch_storage::{DatabaseConfig, Db, StorageError};
use vouch_testkit::{TestDatabase, on_both_databases};

on_both_databases! {
    the_same_request_gets_the_same_answer,
    an_id_with_another_request_is_refused,
    a_failed_command_leaves_its_id_free,
}

/// A command with one field, so that the id and the command can both be wrong.
#[derive(Debug, PartialEq)]
struct Refund(EarningId);

impl TryFrom<RefundEarningRequest> for Refund {
    type Error = Violations;

    fn try_from(request: RefundEarningRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let earning = fields.id("earning_id", &request.earning_id);
        let Some(earning) = earning else {
            return Err(fields.into());
        };
        fields.finish(Self(earning))
    }
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("no")]
    Refused,
}

fn request(id: RequestId, earning: EarningId) -> RefundEarningRequest {
    RefundEarningRequest {
        request_id: id.to_string(),
        earning_id: earning.to_string(),
        ..Default::default()
    }
}

async fn commands(database: &TestDatabase) -> Commands {
    let config = DatabaseConfig {
        url: database.url().to_owned(),
        max_connections: 4,
    };
    let db = Db::connect(&config).await.expect("connected");
    vouch_storage::migrate::<Migrator>(&db).await.expect("migrated");
    Commands::new(db, Arc::new(TestClock::new(Timestamp::EPOCH)))
}

struct Migrator;

impl sea_orm_migration::MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        vouch_storage::migrations()
    }
}

/// Runs the request; each run of the work answers with its own number.
async fn run(commands: &Commands, runs: &AtomicUsize, message: RefundEarningRequest) -> Result<String, Error> {
    let (key, _) = parse_mutation::<_, Refund>(Request::new(message)).expect("a good request");
    commands
        .once(&key, |_txn, now| async move {
            assert_eq!(now, Timestamp::EPOCH);
            Ok(format!("run {}", runs.fetch_add(1, Ordering::SeqCst)))
        })
        .await
}

async fn the_same_request_gets_the_same_answer(database: TestDatabase) {
    let (commands, runs) = (commands(&database).await, AtomicUsize::new(0));
    let message = request(RequestId::new(), EarningId::new());
    let first = run(&commands, &runs, message.clone()).await.expect("done");
    let again = run(&commands, &runs, message).await.expect("answered");
    assert_eq!(first.encode_to_vec(), again.encode_to_vec());
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

async fn an_id_with_another_request_is_refused(database: TestDatabase) {
    let (commands, runs) = (commands(&database).await, AtomicUsize::new(0));
    let id = RequestId::new();
    run(&commands, &runs, request(id, EarningId::new()))
        .await
        .expect("done");
    let refused = run(&commands, &runs, request(id, EarningId::new()))
        .await
        .expect_err("another request");
    let Error::Storage(error) = refused else {
        panic!("{refused}")
    };
    let told = status::storage(&error);
    assert_eq!(told.code(), Code::AlreadyExists);
    assert_eq!(
        told.get_details_error_info().expect("a reason").reason,
        "REQUEST_ID_REUSED"
    );
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

async fn a_failed_command_leaves_its_id_free(database: TestDatabase) {
    let (commands, runs) = (commands(&database).await, AtomicUsize::new(0));
    let message = request(RequestId::new(), EarningId::new());
    let (key, _) = parse_mutation::<_, Refund>(Request::new(message.clone())).expect("a good request");
    let failed = commands
        .once(&key, |_txn, _now| async move { Err::<String, _>(Error::Refused) })
        .await;
    assert!(matches!(failed, Err(Error::Refused)), "{failed:?}");
    assert_eq!(run(&commands, &runs, message).await.expect("done"), "run 0");
}

#[test]
fn a_bad_request_is_told_all_that_is_wrong_with_it() {
    let bad = RefundEarningRequest {
        request_id: "7".to_owned(),
        earning_id: "x".to_owned(),
        ..Default::default()
    };
    let refused = parse_mutation::<_, Refund>(Request::new(bad.clone())).expect_err("bad");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let told = refused
        .get_details_bad_request()
        .expect("the violations")
        .field_violations;
    let fields: Vec<_> = told.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["request_id", "earning_id"]);
    assert!(told[0].description.starts_with("INVALID_FORMAT: "), "{told:?}");
    let refused = parse_query::<_, Refund>(Request::new(bad)).expect_err("bad");
    assert_eq!(
        refused
            .get_details_bad_request()
            .expect("the violations")
            .field_violations
            .len(),
        1
    );
}

#[test]
fn the_key_holds_the_method_and_all_that_the_request_says() {
    let (id, earning) = (RequestId::new(), EarningId::new());
    let key = |message| parse_mutation::<_, Refund>(Request::new(message)).expect("good").0;
    let one = key(request(id, earning));
    assert_eq!(
        (one.id, one.method.as_str()),
        (id, RefundEarningRequest::full_name().as_str())
    );
    assert_eq!(one, key(request(id, earning)));
    assert_ne!(
        one.hash,
        key(RefundEarningRequest {
            amount: Some(Money {
                currency_code: "USD".to_owned(),
                minor_units: 1
            }),
            ..request(id, earning)
        })
        .hash
    );
}

#[test]
fn what_is_internal_stays_inside() {
    let cause = std::io::Error::other("disk sda1 is on fire");
    let told = status::internal(&StorageError::Directory(cause));
    assert_eq!(told.code(), Code::Internal);
    let bytes = String::from_utf8_lossy(told.details()).into_owned();
    assert!(!format!("{told:?}{bytes}").contains("sda1"), "{told:?}");
}
