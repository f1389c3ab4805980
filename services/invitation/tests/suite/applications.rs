//! Applications: who applies, who sees it, what the client answers; and an offer that goes straight into the account.

use tonic::{Code, Status};
use vouch_primitives::{EventId, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{self as pb, application::State, invitation, invitation::Branch},
    onboarding::v1::{OfferAccepted, OfferDeclined, OfferLapsed},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    tables::{count, counts, told},
    world::{SOON, World, at, fixed_terms, refusal, request_id, start, violations},
};

on_both_databases! {
    who_has_proved_the_address_applies_once,
    what_was_taken_back_is_submitted_anew,
    an_offer_to_an_applicant_goes_straight_to_the_account,
    an_offer_that_lapses_leaves_the_application_waiting,
    who_says_no_to_the_offer_takes_the_application_back,
    a_client_says_no,
    an_offer_knows_no_limit_but_writes_to_nobody_who_wants_nothing,
    of_many_answers_at_once_one_is_heard,
    bad_requests_are_told_everything,
}

const ANSWERED: (Code, &str) = (Code::FailedPrecondition, "APPLICATION_ANSWERED");

pub fn application(project: &str, person: PersonId, email: &str) -> pb::ApplyRequest {
    pb::ApplyRequest {
        request_id: request_id(),
        project_id: project.to_owned(),
        person_id: person.to_string(),
        applicant_name: "Ada Lovelace".to_owned(),
        contact_email: email.to_owned(),
        message: "I have done this before.".to_owned(),
        share_id: String::new(),
    }
}

pub async fn apply(world: &World, request: pb::ApplyRequest) -> Result<pb::Application, Status> {
    let answer = world.applications.clone().apply(request).await?;
    Ok(answer.into_inner().application.expect("an application"))
}

/// Ada has applied for a project of Acme.
async fn ada_applies(world: &World) -> (pb::Project, PersonId, pb::Application) {
    let client = world.acme().await;
    let logo = world.project(&client.id, "Logo", &[]).await;
    let ada = world.person("ada@example.com").await;
    let applied = apply(world, application(&logo.id, ada, "ada@example.com")).await;
    (logo, ada, applied.expect("applied"))
}

async fn get(world: &World, id: &str) -> pb::Application {
    let request = pb::GetApplicationRequest {
        application_id: id.to_owned(),
    };
    let answer = world.applications.clone().get_application(request).await;
    answer.expect("known").into_inner().application.expect("an application")
}

async fn withdraw(world: &World, id: &str) -> Result<pb::Application, Status> {
    let request = pb::WithdrawApplicationRequest {
        request_id: request_id(),
        application_id: id.to_owned(),
    };
    let answer = world.applications.clone().withdraw_application(request).await?;
    Ok(answer.into_inner().application.expect("an application"))
}

pub async fn decline(world: &World, id: &str) -> Result<pb::Application, Status> {
    let request = pb::DeclineApplicationRequest {
        request_id: request_id(),
        application_id: id.to_owned(),
        reason: "Somebody else was faster".to_owned(),
    };
    let answer = world.applications.clone().decline_application(request).await?;
    Ok(answer.into_inner().application.expect("an application"))
}

async fn offer(world: &World, id: &str) -> Result<(pb::Application, pb::Invitation), Status> {
    let request = pb::OfferToApplicantRequest {
        request_id: request_id(),
        application_id: id.to_owned(),
        personal_message: "Begin on Monday".to_owned(),
        ..pb::OfferToApplicantRequest::default()
    };
    let answer = world
        .applications
        .clone()
        .offer_to_applicant(request)
        .await?
        .into_inner();
    Ok((
        answer.application.expect("an application"),
        answer.invitation.expect("an offer"),
    ))
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Status>, expected: (Code, &str)) {
    let (code, reason) = refusal(answer);
    assert_eq!((code, reason.as_str()), expected);
}

async fn who_has_proved_the_address_applies_once(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let logo = world.project(&client.id, "Logo", &[]).await;
    let (ada, eve) = (world.person("ada@example.com").await, PersonId::new());
    let before = counts(&world.db).await;
    let unproved = (Code::FailedPrecondition, "ADDRESS_NOT_VERIFIED");
    refused(
        apply(&world, application(&logo.id, ada, "other@example.com")).await,
        unproved,
    );
    refused(
        apply(&world, application(&logo.id, eve, "ada@example.com")).await,
        unproved,
    );
    let strange = pb::ApplyRequest {
        share_id: logo.id.clone(),
        ..application(&logo.id, ada, "ada@example.com")
    };
    assert_eq!(refusal(apply(&world, strange).await).0, Code::NotFound, "no such share");
    assert_eq!(counts(&world.db).await, before);

    let applied = apply(&world, application(&logo.id, ada, "Ada@Example.com"))
        .await
        .expect("applied");
    let expected = pb::Application {
        id: applied.id.clone(),
        project_id: logo.id.clone(),
        client_id: client.id.clone(),
        person_id: ada.to_string(),
        applicant_name: "Ada Lovelace".to_owned(),
        contact_email: "ada@example.com".to_owned(),
        message: "I have done this before.".to_owned(),
        state: State::Submitted.into(),
        apply_time: Some(to_wire_time(start())),
        state_time: Some(to_wire_time(start())),
        ..pb::Application::default()
    };
    assert_eq!(applied, expected);
    assert_eq!(get(&world, &applied.id).await, expected);
    let event = pb::ApplicationChanged {
        application_id: applied.id.clone(),
        project_id: logo.id.clone(),
        client_id: client.id.clone(),
        person_id: ada.to_string(),
        state: State::Submitted.into(),
        change_time: Some(to_wire_time(start())),
        ..pb::ApplicationChanged::default()
    };
    assert_eq!(told::<pb::ApplicationChanged>(&world.db).await, [event]);
    let again = apply(&world, application(&logo.id, ada, "ada@example.com")).await;
    refused(again, (Code::AlreadyExists, "APPLICATION_EXISTS"));

    // Nobody applies for what they cannot find.
    let draft = world.project(&client.id, "Closed", &[]).await;
    world.close(&draft.id).await;
    assert_eq!(
        refusal(apply(&world, application(&draft.id, ada, "ada@example.com")).await).0,
        Code::NotFound
    );
    world.stop().await;
}

async fn what_was_taken_back_is_submitted_anew(database: TestDatabase) {
    let world = World::new(database).await;
    let (logo, ada, applied) = ada_applies(&world).await;
    let withdrawn = withdraw(&world, &applied.id).await.expect("withdrawn");
    assert_eq!(withdrawn.state(), State::Withdrawn);
    assert_eq!(
        withdraw(&world, &applied.id).await.expect("withdrawn before"),
        withdrawn
    );
    refused(offer(&world, &applied.id).await, ANSWERED);
    refused(decline(&world, &applied.id).await, ANSWERED);
    world.clock.set(at("2026-03-04T09:00:00Z")).expect("forwards");
    let again = pb::ApplyRequest {
        message: "I have thought it over.".to_owned(),
        ..application(&logo.id, ada, "ada@example.com")
    };
    let again = apply(&world, again).await.expect("applied");
    assert_eq!(
        (again.id.as_str(), again.state()),
        (applied.id.as_str(), State::Submitted)
    );
    assert_eq!(again.apply_time, Some(to_wire_time(at("2026-03-04T09:00:00Z"))));
    assert_eq!(again.message, "I have thought it over.");
    let told = told::<pb::ApplicationChanged>(&world.db).await;
    let states: Vec<_> = told.iter().map(pb::ApplicationChanged::state).collect();
    assert_eq!(states, [State::Submitted, State::Withdrawn, State::Submitted]);
    world.stop().await;
}

// R37, F15
async fn an_offer_to_an_applicant_goes_straight_to_the_account(database: TestDatabase) {
    let world = World::new(database).await;
    let (logo, ada, applied) = ada_applies(&world).await;
    // Who is late with closing the project has not answered those who have applied.
    world.close(&logo.id).await;
    let (answered, offered) = offer(&world, &applied.id).await.expect("an offer");
    assert_eq!(
        (answered.state(), &answered.invitation_id),
        (State::Offered, &offered.id)
    );
    assert_eq!(
        (offered.branch(), offered.state()),
        (Branch::Hire, invitation::State::Accepted)
    );
    assert_eq!(offered.person_id, ada.to_string());
    assert_eq!(offered.recipient_name, "Ada Lovelace");
    assert_eq!(offered.content, logo.terms.map(invitation::Content::ContractTerms));
    assert_eq!(told::<pb::InvitationAccepted>(&world.db).await.len(), 1);
    let sent = |now: &pb::Invitation| now.delivery.as_ref().is_some_and(|mail| mail.attempts == 1);
    world.until(&offered.id, "the e-mail is sent", sent).await;
    for answer in [
        offer(&world, &applied.id).await.map(|(application, _)| application),
        decline(&world, &applied.id).await,
    ] {
        refused(answer, ANSWERED);
    }
    refused(withdraw(&world, &applied.id).await, ANSWERED);
    assert_eq!(count(&world.db, "invitation").await, 1);

    let hired = OfferAccepted {
        invitation_id: offered.id.clone(),
        accept_time: Some(to_wire_time(start())),
        ..OfferAccepted::default()
    };
    for _ in 0..2 {
        world.hear(EventId::new(), "/vouch/onboarding", &hired).await;
    }
    eventually("ada is hired", SOON, async || {
        match get(&world, &applied.id).await.state() {
            State::Hired => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let told = told::<pb::ApplicationChanged>(&world.db).await;
    let states: Vec<_> = told.iter().map(pb::ApplicationChanged::state).collect();
    assert_eq!(states, [State::Submitted, State::Offered, State::Hired]);
    assert_eq!(told[2].invitation_id, offered.id);
    world.stop().await;
}

async fn an_offer_that_lapses_leaves_the_application_waiting(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, _, applied) = ada_applies(&world).await;
    let (_, first) = offer(&world, &applied.id).await.expect("an offer");
    let lapsed = OfferLapsed {
        invitation_id: first.id.clone(),
        lapse_time: Some(to_wire_time(at("2026-03-31T09:00:00Z"))),
        ..OfferLapsed::default()
    };
    world.hear(EventId::new(), "/vouch/onboarding", &lapsed).await;
    eventually("it waits", SOON, async || match get(&world, &applied.id).await {
        now if now.state() == State::Submitted && now.invitation_id.is_empty() => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    let (_, second) = offer(&world, &applied.id).await.expect("another offer");
    // News of the first offer is nothing to the second.
    world.hear(EventId::new(), "/vouch/onboarding", &lapsed).await;
    let hired = OfferAccepted {
        invitation_id: second.id.clone(),
        accept_time: Some(to_wire_time(start())),
        ..OfferAccepted::default()
    };
    world.hear(EventId::new(), "/vouch/onboarding", &hired).await;
    eventually("ada is hired", SOON, async || match get(&world, &applied.id).await {
        now if now.state() == State::Hired && now.invitation_id == second.id => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    world.stop().await;
}

// R31
async fn who_says_no_to_the_offer_takes_the_application_back(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, ada, applied) = ada_applies(&world).await;
    let (_, offered) = offer(&world, &applied.id).await.expect("an offer");
    let declined = OfferDeclined {
        invitation_id: offered.id.clone(),
        decline_time: Some(to_wire_time(at("2026-03-02T09:00:00Z"))),
        ..OfferDeclined::default()
    };
    for _ in 0..2 {
        world.hear(EventId::new(), "/vouch/onboarding", &declined).await;
    }
    let ended = |now: &pb::Invitation| now.offer_end_time.is_some();
    let ended = world.until(&offered.id, "the offer has ended", ended).await;
    assert_eq!(ended.offer_end_time, declined.decline_time);
    assert_eq!(get(&world, &applied.id).await.state(), State::Withdrawn);
    // Somebody else would do: for an offer that one got, and for nobody else's.
    let recommend = |person: PersonId| pb::RecommendTalentRequest {
        request_id: request_id(),
        invitation_id: offered.id.clone(),
        person_id: person.to_string(),
        talent: Some(pb::RecommendedTalent {
            name: "Bo".to_owned(),
            email: "bo@example.com".to_owned(),
            message: String::new(),
        }),
        ..pb::RecommendTalentRequest::default()
    };
    let mut projects = world.projects.clone();
    let first = projects.recommend_talent(recommend(ada)).await.expect("recommended");
    let again = projects.recommend_talent(recommend(ada)).await.expect("the same");
    assert_eq!(first.into_inner(), again.into_inner());
    let stranger = projects.recommend_talent(recommend(PersonId::new())).await;
    assert_eq!(refusal(stranger).0, Code::NotFound);
    assert_eq!(count(&world.db, "recommendation").await, 1);
    let told = told::<pb::ApplicationChanged>(&world.db).await;
    let states: Vec<_> = told.iter().map(pb::ApplicationChanged::state).collect();
    assert_eq!(states, [State::Submitted, State::Offered, State::Withdrawn]);
    world.stop().await;
}

async fn a_client_says_no(database: TestDatabase) {
    let world = World::new(database).await;
    let (logo, ada, applied) = ada_applies(&world).await;
    let declined = decline(&world, &applied.id).await.expect("declined");
    assert_eq!(
        (declined.state(), declined.decline_reason.as_str()),
        (State::Declined, "Somebody else was faster")
    );
    assert_eq!(decline(&world, &applied.id).await.expect("declined before"), declined);
    refused(withdraw(&world, &applied.id).await, ANSWERED);
    refused(offer(&world, &applied.id).await, ANSWERED);
    let again = apply(&world, application(&logo.id, ada, "ada@example.com")).await;
    refused(again, (Code::AlreadyExists, "APPLICATION_EXISTS"));
    let own = pb::ListOwnApplicationsRequest {
        person_id: ada.to_string(),
        ..pb::ListOwnApplicationsRequest::default()
    };
    let own = world
        .applications
        .clone()
        .list_own_applications(own)
        .await
        .expect("a list");
    assert_eq!(own.into_inner().applications, [declined]);
    world.stop().await;
}

async fn an_offer_knows_no_limit_but_writes_to_nobody_who_wants_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let ada = world.person("ada@example.com").await;
    let suppress = pb::SuppressAddressRequest {
        request_id: request_id(),
        email: "ada@example.com".to_owned(),
        reason: pb::suppression::Reason::Unsubscribed.into(),
    };
    world
        .suppressions
        .clone()
        .suppress_address(suppress)
        .await
        .expect("on the list");
    // More than one address may get in a week.
    for nth in 0..5 {
        let project = world.project(&client.id, &format!("Logo {nth}"), &[]).await;
        let applied = apply(&world, application(&project.id, ada, "ada@example.com"))
            .await
            .expect("applied");
        let (_, offered) = offer(&world, &applied.id).await.expect("an offer");
        assert_eq!((offered.branch(), offered.delivery), (Branch::Hire, None));
    }
    assert_eq!(count(&world.db, "mail").await, 0);
    world.stop().await;
}

async fn of_many_answers_at_once_one_is_heard(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let logo = world.project(&client.id, "Logo", &[]).await;
    let ada = world.person("ada@example.com").await;
    let many = (0..10).map(|_| apply(&world, application(&logo.id, ada, "ada@example.com")));
    let applied = futures::future::join_all(many).await;
    let mut applied: Vec<_> = applied.into_iter().filter_map(Result::ok).collect();
    assert_eq!(applied.len(), 1);
    let id = applied.remove(0).id;
    let offers = (0..10).map(|_| offer(&world, &id));
    let (offers, withdrawn) = futures::join!(futures::future::join_all(offers), withdraw(&world, &id));
    let heard = offers.iter().filter(|answer| answer.is_ok()).count() + usize::from(withdrawn.is_ok());
    assert_eq!(heard, 1);
    let invitations = usize::try_from(count(&world.db, "invitation").await).expect("a number");
    assert_eq!(invitations, offers.iter().filter(|answer| answer.is_ok()).count());
    world.stop().await;
}

async fn bad_requests_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let mut applications = world.applications.clone();
    let apply = applications.apply(pb::ApplyRequest {
        contact_email: "ada".to_owned(),
        applicant_name: "Ada\r\nBcc: all@example.com".to_owned(),
        share_id: "x".to_owned(),
        ..pb::ApplyRequest::default()
    });
    assert_eq!(
        violations(apply.await),
        [
            "request_id REQUIRED",
            "project_id REQUIRED",
            "person_id REQUIRED",
            "contact_email INVALID_FORMAT",
            "applicant_name INVALID_FORMAT",
            "message REQUIRED",
            "share_id INVALID_FORMAT",
        ]
    );
    let mut terms = fixed_terms();
    terms.schedule = None;
    let offer = pb::OfferToApplicantRequest {
        terms: Some(terms),
        hiring_manager_id: "x".to_owned(),
        personal_message: "x".repeat(2_001),
        ..pb::OfferToApplicantRequest::default()
    };
    assert_eq!(
        violations(world.applications.clone().offer_to_applicant(offer).await),
        [
            "request_id REQUIRED",
            "application_id REQUIRED",
            "hiring_manager_id INVALID_FORMAT",
            "terms.schedule REQUIRED",
            "personal_message TOO_LONG",
        ]
    );
    world.stop().await;
}
