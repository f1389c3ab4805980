//! From a request to an answer that is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prost::{Message, Name};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use vouch_primitives::{EarningId, PersonId, RequestId, TestClock, Timestamp, Uuid};
use vouch_proto::access::access_of;
use vouch_proto::common::v1::Money;
use vouch_proto::onboarding::v1::GetPersonRequest;
use vouch_proto::payments::v1::RefundEarningRequest;
use vouch_proto::{Fields, Violations};
use vouch_runtime::Commands;
use vouch_runtime::access::{Caller, FindOwners, Owners};
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

/// Any query, as it comes.
#[derive(Debug)]
struct Anyone;

impl TryFrom<GetPersonRequest> for Anyone {
    type Error = Violations;

    fn try_from(_: GetPersonRequest) -> Result<Self, Violations> {
        Ok(Self)
    }
}

/// Knows one earning.
#[derive(Default)]
struct Books {
    earning: Option<(EarningId, Owners)>,
}

impl FindOwners for Books {
    async fn find_owners(&self, field: &str, id: Uuid) -> Result<Option<Owners>, StorageError> {
        assert_eq!(field, "earning_id");
        let found = self.earning.filter(|(earning, _)| earning.as_uuid() == id);
        Ok(found.map(|(_, owners)| owners))
    }
}

/// A request as the gate hands it on.
fn from(subject: &str, message: RefundEarningRequest) -> Request<RefundEarningRequest> {
    let mut request = Request::new(message);
    let caller: Caller = subject.parse().expect("a subject");
    request.extensions_mut().insert(caller);
    let policy = access_of("/vouch.payments.v1.EarningService/RefundEarning").expect("a policy");
    request.extensions_mut().insert(policy);
    request
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
        max_connections: 5,
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
    let (key, _) = parse_mutation::<_, Refund>(&Books::default(), from("operator:jo", message))
        .await
        .expect("a good request");
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
    let (key, _) = parse_mutation::<_, Refund>(&Books::default(), from("operator:jo", message.clone()))
        .await
        .expect("a good request");
    let failed = commands
        .once(&key, |_txn, _now| async move { Err::<String, _>(Error::Refused) })
        .await;
    assert!(matches!(failed, Err(Error::Refused)), "{failed:?}");
    assert_eq!(run(&commands, &runs, message).await.expect("done"), "run 0");
}

#[tokio::test]
async fn a_bad_request_is_told_all_that_is_wrong_with_it() {
    let bad = RefundEarningRequest {
        request_id: "7".to_owned(),
        earning_id: "x".to_owned(),
        ..Default::default()
    };
    let refused = parse_mutation::<_, Refund>(&Books::default(), from("operator:jo", bad.clone()))
        .await
        .expect_err("bad");
    assert_eq!(refused.code(), Code::InvalidArgument);
    let told = refused
        .get_details_bad_request()
        .expect("the violations")
        .field_violations;
    let fields: Vec<_> = told.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(fields, ["request_id", "earning_id"]);
    assert!(told[0].description.starts_with("INVALID_FORMAT: "), "{told:?}");
    let refused = parse_query::<_, Refund>(&Books::default(), from("operator:jo", bad))
        .await
        .expect_err("bad");
    assert_eq!(
        refused
            .get_details_bad_request()
            .expect("the violations")
            .field_violations
            .len(),
        1
    );
}

#[tokio::test]
async fn the_key_holds_the_method_its_caller_and_all_that_the_request_says() {
    let (id, earning) = (RequestId::new(), EarningId::new());
    let key = async |subject, message| {
        let parsed = parse_mutation::<_, Refund>(&Books::default(), from(subject, message)).await;
        parsed.expect("good").0
    };
    let one = key("operator:jo", request(id, earning)).await;
    assert_eq!(
        (one.id, one.method.as_str()),
        (id, RefundEarningRequest::full_name().as_str())
    );
    assert_eq!(one, key("operator:jo", request(id, earning)).await);
    let more = RefundEarningRequest {
        amount: Some(Money {
            currency_code: "USD".to_owned(),
            minor_units: 1,
        }),
        ..request(id, earning)
    };
    assert_ne!(one.hash, key("operator:jo", more).await.hash);
    // Nobody gets the answer that somebody else was given.
    assert_ne!(one.hash, key("operator:bo", request(id, earning)).await.hash);
}

#[tokio::test]
async fn people_have_to_do_with_what_is_theirs_alone() {
    let (me, them, earning) = (PersonId::new(), PersonId::new(), EarningId::new());
    let books = Books {
        earning: Some((earning, Owners::person(me))),
    };
    let ask = async |person: PersonId, message| {
        let subject = Caller::Person(person).to_string();
        parse_mutation::<_, Refund>(&books, from(&subject, message)).await
    };
    ask(me, request(RequestId::new(), earning)).await.expect("mine");
    let told = |status: Status| {
        let reason = status.get_details_error_info().expect("a reason").reason;
        (status.code(), reason)
    };
    // Of what is somebody else's one hears the same as of what is not there, whatever else is wrong.
    let unknown = EarningId::new();
    for (person, earning) in [(them, earning), (me, unknown)] {
        let bad = RefundEarningRequest {
            request_id: String::new(),
            ..request(RequestId::new(), earning)
        };
        for message in [request(RequestId::new(), earning), bad] {
            let refused = ask(person, message).await.expect_err("not theirs");
            assert_eq!(refused.message(), format!("earning {earning} does not exist"));
            assert_eq!(told(refused), (Code::NotFound, "NOT_FOUND".to_owned()));
        }
    }
    // Without a gate in front there is no policy, and without a policy nobody calls.
    let refused = parse_mutation::<_, Refund>(&books, Request::new(request(RequestId::new(), earning))).await;
    let refused = refused.expect_err("no policy");
    assert_eq!(told(refused), (Code::PermissionDenied, "CALLER_NOT_ALLOWED".to_owned()));
}

#[tokio::test]
async fn a_person_is_only_ever_themselves() {
    let (me, them) = (PersonId::new(), PersonId::new());
    let ask = async |person: PersonId| {
        let message = GetPersonRequest {
            person_id: person.to_string(),
        };
        let mut request = Request::new(message);
        request.extensions_mut().insert(Caller::Person(me));
        let policy = access_of("/vouch.onboarding.v1.AccountService/GetPerson").expect("a policy");
        request.extensions_mut().insert(policy);
        parse_query::<_, Anyone>(&Books::default(), request).await
    };
    ask(me).await.expect("oneself");
    let refused = ask(them).await.expect_err("somebody else");
    let reason = refused.get_details_error_info().expect("a reason").reason;
    assert_eq!((refused.code(), &*reason), (Code::PermissionDenied, "NOT_YOURS"));
}

#[test]
fn what_is_internal_stays_inside() {
    let cause = std::io::Error::other("disk sda1 is on fire");
    let told = status::internal(&StorageError::Directory(cause));
    assert_eq!(told.code(), Code::Internal);
    let bytes = String::from_utf8_lossy(told.details()).into_owned();
    assert!(!format!("{told:?}{bytes}").contains("sda1"), "{told:?}");
}
