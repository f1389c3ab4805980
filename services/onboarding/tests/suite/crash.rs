//! Accepting an invitation spans two services. Whatever dies or is away in between, there is one person, one case and
//! one answer, or nothing at all.

use std::time::Duration;

use futures::future::join_all;
use tonic::Code;
use tonic_types::StatusExt;
use vouch_primitives::{Clock, InvitationId, PersonId, RequestId};
use vouch_proto::onboarding::v1::{self as pb, get_home_response::NextStep};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    example::{activation, fixed_terms, registration, request_id},
    invitations::{Mood, token_of},
    tables::{count, counts, told},
    world::{World, refusal},
};

on_both_databases! {
    died_before_accepting_and_the_timer_finishes,
    died_before_accepting_and_the_same_request_finishes,
    died_after_accepting_and_the_timer_finishes,
    died_after_accepting_and_the_same_request_finishes,
    opening_a_case_is_finished_too,
    while_invitation_is_away_the_caller_waits,
    a_lost_answer_is_no_refusal,
    a_refusal_leaves_nothing_behind,
    a_refusal_that_the_timer_meets_leaves_nothing_behind,
    a_reused_request_id_finishes_nothing,
    twenty_at_once_are_one_person,
    two_people_with_one_token,
}

const MINUTE: Duration = Duration::from_secs(60);

async fn died_before_accepting_and_the_timer_finishes(database: TestDatabase) {
    finished_by_the_timer(database, Mood::HangsBefore).await;
}

async fn died_after_accepting_and_the_timer_finishes(database: TestDatabase) {
    finished_by_the_timer(database, Mood::HangsAfter).await;
}

async fn died_before_accepting_and_the_same_request_finishes(database: TestDatabase) {
    finished_by_the_same_request(database, Mood::HangsBefore).await;
}

async fn died_after_accepting_and_the_same_request_finishes(database: TestDatabase) {
    finished_by_the_same_request(database, Mood::HangsAfter).await;
}

async fn finished_by_the_timer(database: TestDatabase, mood: Mood) {
    let mut world = World::new(database).await;
    let request = die_while(&mut world, mood).await;
    assert_eq!(count(&world.db, "outbox").await, 0, "nothing is told before it is true");
    pass(&world, MINUTE);
    world.until_only_timers(&["offer.lapse"]).await;
    expect_one_person(&world, &request).await;
    world.stop().await;
}

async fn finished_by_the_same_request(database: TestDatabase, mood: Mood) {
    let mut world = World::new(database).await;
    let request = die_while(&mut world, mood).await;
    expect_one_person(&world, &request).await;
    // The timer has nothing left to do.
    world.until_only_timers(&["offer.lapse"]).await;
    let before = counts(&world.db).await;
    pass(&world, MINUTE);
    world.home(&person_of(&request)).await.expect("a home");
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

/// Ada activates her account, and the service dies while the invitation service does not answer.
async fn die_while(world: &mut World, mood: Mood) -> pb::ActivateAccountRequest {
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let request = pb::ActivateAccountRequest {
        referral_code: "VCH2-K7QX".to_owned(),
        ..activation(&invitation, "ada@example.com")
    };
    world.invitations.set(mood);
    let mut accounts = world.accounts.clone();
    let call = tokio::spawn({
        let request = request.clone();
        async move { accounts.activate_account(request).await }
    });
    world.invitations.until_hanging().await;
    world.die_and_start_again().await;
    call.await.expect("no panic").expect_err("nobody is there to answer");
    world.invitations.set(Mood::Good);
    request
}

/// The same request gets the answer now, and all is there once.
async fn expect_one_person(world: &World, request: &pb::ActivateAccountRequest) {
    let answer = world.activate(request.clone()).await.expect("an account");
    assert_eq!(world.activate(request.clone()).await.expect("the same answer"), answer);
    let (person, case) = (answer.person.expect("a person"), answer.case.expect("a case"));
    assert_eq!(person.id, person_of(request));
    assert_eq!(world.person(&person.id).await.expect("the person"), person);
    assert_eq!(
        world.home(&person.id).await.expect("a home"),
        NextStep::OpenCase(case.clone())
    );
    assert_eq!(world.invitations.get(&case.invitation_id).person_id, person.id);
    assert_eq!(
        world.invitations.requests().len(),
        1,
        "every attempt was the same request"
    );
    let registered = told::<pb::AccountRegistered>(&world.db).await;
    let codes: Vec<_> = registered.iter().map(|event| event.referral_code.as_str()).collect();
    assert_eq!(codes, ["VCH2-K7QX"]);
    for table in ["person", "onboarding_case", "offer", "acceptance"] {
        assert_eq!(count(&world.db, table).await, 1, "{table}");
    }
}

async fn opening_a_case_is_finished_too(database: TestDatabase) {
    let mut world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let ada = world
        .register(registration("ada@example.com"))
        .await
        .expect("an account");
    world
        .verify(&world.token_for("ada@example.com").await)
        .await
        .expect("verified");
    world.invitations.set(Mood::HangsAfter);
    let (request_id, person_id, invitation_id) = (request_id(), ada.id.clone(), invitation.id.clone());
    let request = pb::OpenCaseRequest {
        request_id,
        person_id,
        invitation_id,
        agency_name: String::new(),
    };
    let (mut cases, sent) = (world.cases.clone(), request.clone());
    let call = tokio::spawn(async move { cases.open_case(sent).await });
    world.invitations.until_hanging().await;
    world.die_and_start_again().await;
    call.await.expect("no panic").expect_err("nobody is there to answer");
    world.invitations.set(Mood::Good);
    pass(&world, MINUTE);
    world.until_only_timers(&["offer.lapse"]).await;
    let NextStep::OpenCase(case) = world.home(&ada.id).await.expect("a home") else {
        panic!("no case")
    };
    let answer = world
        .cases
        .clone()
        .open_case(request)
        .await
        .expect("the case")
        .into_inner();
    assert_eq!(answer.case, Some(case));
    assert_eq!(count(&world.db, "person").await, 1);
    world.stop().await;
}

async fn while_invitation_is_away_the_caller_waits(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    world.invitations.set(Mood::Away);
    let request = activation(&invitation, "ada@example.com");
    let status = world
        .activate(request.clone())
        .await
        .expect_err("nobody can look the token up");
    assert!(
        status
            .get_details_retry_info()
            .is_some_and(|info| info.retry_delay.is_some()),
        "{status:?}"
    );
    assert_eq!(
        refusal(Err::<(), _>(status)),
        (Code::Unavailable, "INVITATION_UNAVAILABLE".to_owned())
    );
    assert_eq!(count(&world.db, "person").await, 0, "nothing has begun");
    world.invitations.set(Mood::Good);
    world.activate(request).await.expect("an account");
    world.stop().await;
}

async fn a_lost_answer_is_no_refusal(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    world.invitations.set(Mood::AnswerLost);
    let request = pb::ActivateAccountRequest {
        referral_code: "VCH2-K7QX".to_owned(),
        ..activation(&invitation, "ada@example.com")
    };
    let status = world.activate(request.clone()).await.expect_err("the answer is lost");
    assert!(status.get_details_retry_info().is_some(), "{status:?}");
    assert_eq!(
        refusal(Err::<(), _>(status)),
        (Code::Unavailable, "INVITATION_UNAVAILABLE".to_owned())
    );
    // Nobody sees the person yet.
    let unseen = world.person(&person_of(&request)).await;
    assert_eq!(refusal(unseen), (Code::NotFound, "NOT_FOUND".to_owned()));
    // The timer comes in vain once, and then not in vain.
    pass(&world, MINUTE);
    world.until_only_timers(&["acceptance.finish"]).await;
    world.invitations.set(Mood::Good);
    pass(&world, MINUTE);
    world.until_only_timers(&["offer.lapse"]).await;
    expect_one_person(&world, &request).await;
    world.stop().await;
}

async fn a_refusal_leaves_nothing_behind(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let before = counts(&world.db).await;
    world.invitations.set(Mood::Taken);
    let request = activation(&invitation, "ada@example.com");
    let taken = (Code::FailedPrecondition, "INVITATION_TAKEN".to_owned());
    for _ in 0..2 {
        assert_eq!(refusal(world.activate(request.clone()).await), taken);
        assert_eq!(counts(&world.db).await, before);
    }
    world.invitations.set(Mood::Good);
    // The same request may say something else now: it has done nothing so far.
    let second = world.invitations.send("ada@example.com", fixed_terms());
    let other = pb::ActivateAccountRequest {
        invitation_token: token_of(&second),
        ..request
    };
    world.activate(other).await.expect("an account");
    world.stop().await;
}

async fn a_refusal_that_the_timer_meets_leaves_nothing_behind(database: TestDatabase) {
    let mut world = World::new(database).await;
    let before = counts(&world.db).await;
    let request = die_while(&mut world, Mood::HangsBefore).await;
    world.invitations.set(Mood::Taken);
    pass(&world, MINUTE);
    world.until_only_timers(&[]).await;
    assert_eq!(counts(&world.db).await, before);
    let taken = (Code::FailedPrecondition, "INVITATION_TAKEN".to_owned());
    assert_eq!(refusal(world.activate(request).await), taken);
    world.stop().await;
}

async fn a_reused_request_id_finishes_nothing(database: TestDatabase) {
    let mut world = World::new(database).await;
    let request = die_while(&mut world, Mood::HangsBefore).await;
    let before = counts(&world.db).await;
    let reused = (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned());
    let other = pb::ActivateAccountRequest {
        referral_code: String::new(),
        ..request.clone()
    };
    assert_eq!(refusal(world.activate(other).await), reused);
    let other = pb::OpenCaseRequest {
        request_id: request.request_id.clone(),
        person_id: person_of(&request),
        invitation_id: InvitationId::new().to_string(),
        agency_name: String::new(),
    };
    assert_eq!(refusal(world.cases.clone().open_case(other).await), reused);
    assert_eq!(counts(&world.db).await, before, "nobody has gone on with it");
    expect_one_person(&world, &request).await;
    world.stop().await;
}

async fn twenty_at_once_are_one_person(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let request = pb::ActivateAccountRequest {
        referral_code: "VCH2-K7QX".to_owned(),
        ..activation(&invitation, "ada@example.com")
    };
    let answers = join_all((0..20).map(|_| world.activate(request.clone()))).await;
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.expect("an account")).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    expect_one_person(&world, &request).await;
    world.stop().await;
}

async fn two_people_with_one_token(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let requests = (0..10).map(|nth| activation(&invitation, &format!("ada{nth}@example.com")));
    let (won, lost): (Vec<_>, Vec<_>) = join_all(requests.map(|request| world.activate(request)))
        .await
        .into_iter()
        .partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 9));
    for answer in lost {
        let (code, reason) = refusal(answer);
        let expected = [
            (Code::FailedPrecondition, "INVITATION_TAKEN"),
            (Code::NotFound, "NO_OPEN_INVITATION"),
        ];
        assert!(expected.contains(&(code, reason.as_str())), "{code:?} {reason}");
    }
    assert_eq!(count(&world.db, "person").await, 1);
    assert_eq!(told::<pb::AccountRegistered>(&world.db).await.len(), 1);
    world.until_only_timers(&["offer.lapse"]).await;
    world.stop().await;
}

/// Time passes.
fn pass(world: &World, time: Duration) {
    world.wait_until(world.clock.now().saturating_add(time));
}

/// Who registers by this request: the id follows from the request, so that every attempt makes the same person.
fn person_of(request: &pb::ActivateAccountRequest) -> String {
    let request: RequestId = request.request_id.parse().expect("a UUID");
    PersonId::derived(request.as_uuid(), "person").to_string()
}
