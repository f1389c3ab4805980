//! Registering directly, and finding the offer first.

use futures::future::join_all;
use tonic::Code;
use vouch_primitives::{InvitationId, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::TalentType,
    onboarding::v1::{self as pb, case, get_home_response::NextStep},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    example::{acceptance, at, fixed_terms, of_address, registration, request_id, start},
    invitations::Mood,
    tables::{count, counts, told},
    world::{World, refusal},
};

on_both_databases! {
    from_registering_to_the_accepted_offer,
    only_the_verified_owner_of_the_address_opens_the_case,
    a_case_opens_once,
    home_needs_a_person_and_the_invitation_service,
    of_many_who_prove_an_address_the_first_has_it,
    registering_does_not_tell_who_has_an_account,
}

// B11
async fn from_registering_to_the_accepted_offer(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let request = pb::RegisterAccountRequest {
        referral_code: "vch2".to_owned(),
        ..registration("ada@example.com")
    };
    let person = world.register(request.clone()).await.expect("an account");
    assert!(!person.email_verified);
    assert_eq!(world.register(request).await.expect("a repeat"), person);
    assert_eq!(count(&world.db, "mail").await, 1);
    let registered = pb::AccountRegistered {
        person_id: person.id.clone(),
        account_id: person.account_id.clone(),
        register_time: Some(to_wire_time(start())),
        referral_code: "VCH2".to_owned(),
        ..of_address("ada@example.com")
    };
    assert_eq!(told::<pb::AccountRegistered>(&world.db).await, [registered]);

    assert_eq!(
        world.home(&person.id).await.expect("a home"),
        NextStep::VerifyEmail(pb::VerifyEmailStep {})
    );
    let token = world.token_for("ada@example.com").await;
    assert!(world.verify(&token).await.expect("verified").email_verified);
    let waiting = pb::OpenInvitation {
        invitation_id: invitation.id.clone(),
        company_name: "Acme".to_owned(),
        contract_terms: Some(fixed_terms()),
        expire_time: Some(to_wire_time(at("2026-03-31T09:00:00Z"))),
        talent_type: TalentType::Freelancer.into(),
        talent_cloud: None,
    };
    assert_eq!(
        world.home(&person.id).await.expect("a home"),
        NextStep::OpenInvitation(waiting)
    );

    let case = world.open_case(&person.id, &invitation.id).await.expect("a case");
    assert_eq!(
        (case.state(), &case.person_id),
        (case::State::ReviewContract, &person.id)
    );
    assert_eq!(
        world.home(&person.id).await.expect("a home"),
        NextStep::OpenCase(case.clone())
    );
    let reviewed = world.review(&case.id).await.expect("reviewed");
    assert_eq!(
        reviewed,
        pb::Case {
            state: case::State::AcceptOffer.into(),
            ..case.clone()
        }
    );
    assert_eq!(world.review(&case.id).await.expect("a repeat"), reviewed);
    let accepted = world
        .accept(acceptance(&case, "Hello Grace, I begin on Monday."))
        .await
        .expect("accepted");
    assert_eq!(accepted.state(), case::State::Accepted);
    assert_eq!(
        world.home(&person.id).await.expect("a home"),
        NextStep::NothingToDo(pb::NothingToDoStep {})
    );
    world.until_only_timers(&[]).await;
    world.stop().await;
}

// B11: without the token, exactly the verified address.
async fn only_the_verified_owner_of_the_address_opens_the_case(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let ada = world
        .register(registration("ada@example.com"))
        .await
        .expect("an account");
    let before = counts(&world.db).await;
    let unverified = world.open_case(&ada.id, &invitation.id).await;
    assert_eq!(
        refusal(unverified),
        (Code::FailedPrecondition, "EMAIL_NOT_VERIFIED".to_owned())
    );
    assert_eq!(counts(&world.db).await, before);

    let eve = world
        .register(registration("eve@example.com"))
        .await
        .expect("an account");
    world
        .verify(&world.token_for("eve@example.com").await)
        .await
        .expect("verified");
    assert_eq!(
        world.home(&eve.id).await.expect("a home"),
        NextStep::NothingToDo(pb::NothingToDoStep {})
    );
    let before = counts(&world.db).await;
    let none = (Code::NotFound, "NO_OPEN_INVITATION".to_owned());
    assert_eq!(refusal(world.open_case(&eve.id, &invitation.id).await), none);
    assert_eq!(
        refusal(world.open_case(&eve.id, &InvitationId::new().to_string()).await),
        none
    );
    let nobody = world.open_case(&PersonId::new().to_string(), &invitation.id).await;
    assert_eq!(refusal(nobody), (Code::NotFound, "NOT_FOUND".to_owned()));
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(world.invitations.get(&invitation.id), invitation);

    // Once it is Ada's, it is not Eve's either.
    world
        .verify(&world.token_for("ada@example.com").await)
        .await
        .expect("verified");
    world.open_case(&ada.id, &invitation.id).await.expect("a case");
    assert_eq!(refusal(world.open_case(&eve.id, &invitation.id).await), none);
    world.stop().await;
}

async fn a_case_opens_once(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let ada = world
        .register(registration("ada@example.com"))
        .await
        .expect("an account");
    world
        .verify(&world.token_for("ada@example.com").await)
        .await
        .expect("verified");
    let opened = join_all((0..10).map(|_| world.open_case(&ada.id, &invitation.id))).await;
    let opened: Vec<_> = opened.into_iter().map(|answer| answer.expect("a case")).collect();
    assert!(opened.iter().all(|case| *case == opened[0]), "{opened:?}");
    assert_eq!(count(&world.db, "onboarding_case").await, 1);

    // Long after, by a new request and by a repeated one, which needs no other service.
    world.review(&opened[0].id).await.expect("reviewed");
    let (request_id, person_id, invitation_id) = (request_id(), ada.id.clone(), invitation.id.clone());
    let request = pb::OpenCaseRequest {
        request_id,
        person_id,
        invitation_id,
        agency_name: String::new(),
    };
    for mood in [Mood::Good, Mood::Away] {
        world.invitations.set(mood);
        let answer = world.cases.clone().open_case(request.clone()).await.expect("a case");
        let reviewed = pb::Case {
            state: case::State::AcceptOffer.into(),
            ..opened[0].clone()
        };
        assert_eq!(answer.into_inner().case, Some(reviewed));
    }
    world.stop().await;
}

async fn home_needs_a_person_and_the_invitation_service(database: TestDatabase) {
    let world = World::new(database).await;
    let nobody = world.home(&PersonId::new().to_string()).await;
    assert_eq!(refusal(nobody), (Code::NotFound, "NOT_FOUND".to_owned()));
    let ada = world
        .register(registration("ada@example.com"))
        .await
        .expect("an account");
    world
        .verify(&world.token_for("ada@example.com").await)
        .await
        .expect("verified");
    world.invitations.set(Mood::Away);
    let away = world.home(&ada.id).await;
    assert_eq!(refusal(away), (Code::Unavailable, "INVITATION_UNAVAILABLE".to_owned()));
    world.stop().await;
}

async fn of_many_who_prove_an_address_the_first_has_it(database: TestDatabase) {
    let world = World::new(database).await;
    for _ in 0..8 {
        world.register(registration("ada@example.com")).await.expect("answered");
    }
    let tokens = world.tokens_for("ada@example.com", 8).await;
    let answers = join_all(tokens.iter().map(|token| world.verify(token))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 7));
    for answer in lost {
        assert_eq!(refusal(answer), (Code::AlreadyExists, "EMAIL_TAKEN".to_owned()));
    }
    assert_eq!(told::<pb::EmailVerified>(&world.db).await.len(), 1);
    world.stop().await;
}

async fn registering_does_not_tell_who_has_an_account(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    let stranger = world.register(registration("ADA@example.com")).await.expect("answered");
    let other = world.register(registration("eve@example.com")).await.expect("answered");
    assert_ne!(stranger.id, ada.id);
    assert_eq!(
        (stranger.email_verified, stranger.create_time),
        (other.email_verified, other.create_time)
    );
    let mail = world.mail_to("ada@example.com").await;
    assert!(mail.contains("You have an account already"), "{mail}");
    assert!(!mail.contains("#token="), "{mail}");
    assert_eq!(count(&world.db, "email_verification").await, 1);
    world.stop().await;
}
