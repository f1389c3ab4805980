//! Activating an account from the token of an invitation.

use sha2::{Digest, Sha256};
use tonic::Code;
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::Plan,
    onboarding::v1::{self as pb, case, get_home_response::NextStep},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    example::{activation, at, basic_information, fixed_terms, of_address, registration, start},
    invitations::Mood,
    tables::{count, counts, told},
    world::{World, refusal, violations},
};

on_both_databases! {
    a_token_activates_an_account_and_opens_the_case,
    another_address_has_to_be_verified,
    an_address_that_takes_no_mail_is_refused,
    a_token_that_opens_nothing_leaves_nothing,
    an_address_has_one_account,
    an_unverified_registration_keeps_nobody_from_the_address,
    an_address_that_was_proved_meanwhile_stays_where_it_is,
    a_request_is_answered_once_and_for_all,
}

// F9, F10, F11, B12, B17, R23, B1
async fn a_token_activates_an_account_and_opens_the_case(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let request = pb::ActivateAccountRequest {
        referral_code: " vch2-k7qx ".to_owned(),
        ..activation(&invitation, " Ada@Example.com ")
    };
    let answer = world.activate(request).await.expect("an account");
    let (person, case) = (answer.person.expect("a person"), answer.case.expect("a case"));
    let expected = pb::Person {
        id: person.id.clone(),
        account_id: person.account_id.clone(),
        basic_information: Some(basic_information("Ada", "ada@example.com")),
        email_verified: true,
        create_time: Some(to_wire_time(start())),
        ..Default::default()
    };
    assert_eq!(person, expected);
    assert_eq!(world.person(&person.id).await.expect("the person"), person);

    let expected = pb::Case {
        id: case.id.clone(),
        person_id: person.id.clone(),
        account_id: person.account_id.clone(),
        invitation_id: invitation.id.clone(),
        client_id: invitation.client_id.clone(),
        state: case::State::ReviewContract.into(),
        offer: Some(pb::Offer {
            id: case.offer.clone().expect("an offer").id,
            company_name: "Acme".to_owned(),
            hiring_manager_name: "Grace Hopper".to_owned(),
            contract_terms: Some(fixed_terms()),
            lapse_time: Some(to_wire_time(at("2026-03-31T09:00:00Z"))),
            version: 1,
            ..Default::default()
        }),
        create_time: Some(to_wire_time(start())),
        way: case::Way::FreelancerToContract.into(),
        company_name: "Acme".to_owned(),
        client_plan: Plan::Basic.into(),
        state_time: Some(to_wire_time(start())),
        waiting_for: vec![pb::Waiting {
            owner: pb::TaskOwner::Talent.into(),
            since_time: Some(to_wire_time(start())),
        }],
        ..Default::default()
    };
    assert_eq!(case, expected);
    assert_eq!(world.case(&case.id).await, case);
    assert_eq!(world.home(&person.id).await.expect("a home"), NextStep::OpenCase(case));
    assert_eq!(world.invitations.get(&invitation.id).person_id, person.id);
    let registered = pb::AccountRegistered {
        person_id: person.id.clone(),
        account_id: person.account_id,
        register_time: Some(to_wire_time(start())),
        referral_code: "VCH2-K7QX".to_owned(),
        ..of_address("ada@example.com")
    };
    assert_eq!(told::<pb::AccountRegistered>(&world.db).await, [registered]);
    let verified = pb::EmailVerified {
        person_id: person.id,
        verify_time: Some(to_wire_time(start())),
        email_sha256: Sha256::digest("ada@example.com").to_vec(),
        mailbox_sha256: Sha256::digest("ada@example.com").to_vec(),
    };
    assert_eq!(told::<pb::EmailVerified>(&world.db).await, [verified]);
    assert_eq!(count(&world.db, "mail").await, 0, "the token has proved the address");
    world.until_only_timers(&["offer.lapse"]).await;
    world.stop().await;
}

// F8, B12
async fn another_address_has_to_be_verified(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let answer = world
        .activate(activation(&invitation, "ada@home.example"))
        .await
        .expect("an account");
    let person = answer.person.expect("a person");
    assert!(!person.email_verified);
    assert_eq!(
        world.home(&person.id).await.expect("a home"),
        NextStep::VerifyEmail(pb::VerifyEmailStep {})
    );
    assert_eq!(told::<pb::EmailVerified>(&world.db).await, []);

    let token = world.token_for("ada@home.example").await;
    let verified = world.verify(&token).await.expect("verified");
    assert_eq!(
        verified,
        pb::Person {
            email_verified: true,
            ..person.clone()
        }
    );
    assert_eq!(world.verify(&token).await.expect("a repeat"), verified);
    assert_eq!(
        told::<pb::EmailVerified>(&world.db).await.len(),
        1,
        "it was verified once"
    );
    let case = answer.case.expect("a case");
    assert_eq!(world.home(&person.id).await.expect("a home"), NextStep::OpenCase(case));
    let guessed = world.verify("guessed").await;
    assert_eq!(refusal(guessed), (Code::NotFound, "UNKNOWN_VERIFICATION".to_owned()));
    world.stop().await;
}

/// There are addresses of a good shape that no mail server takes.
async fn an_address_that_takes_no_mail_is_refused(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let before = counts(&world.db).await;
    let told = ["basic_information.account_email INVALID_FORMAT"];
    let long = format!("ada@{}.example", "a".repeat(64));
    for unfit in ["ada@-home.example", &long] {
        assert_eq!(violations(world.register(registration(unfit)).await), told);
        assert_eq!(violations(world.activate(activation(&invitation, unfit)).await), told);
    }
    assert_eq!(counts(&world.db).await, before);
    world.stop().await;
}

async fn a_token_that_opens_nothing_leaves_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    let used = world.invitations.send("ada@example.com", fixed_terms());
    world
        .activate(activation(&used, "ada@example.com"))
        .await
        .expect("an account");
    let before = counts(&world.db).await;
    let requests = count(&world.db, "request").await;
    let unknown = pb::ActivateAccountRequest {
        invitation_token: "guessed".to_owned(),
        ..activation(&used, "eve@example.com")
    };
    for request in [unknown, activation(&used, "eve@example.com")] {
        let refused = world.activate(request).await.expect_err("a refusal");
        assert_eq!(refused.message(), "there is no open invitation");
        assert_eq!(
            refusal(Err::<(), _>(refused)),
            (Code::NotFound, "NO_OPEN_INVITATION".to_owned())
        );
    }
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(count(&world.db, "request").await, requests);
    world.stop().await;
}

async fn an_address_has_one_account(database: TestDatabase) {
    let world = World::new(database).await;
    world.ada().await;
    let before = counts(&world.db).await;
    let taken = (Code::AlreadyExists, "EMAIL_TAKEN".to_owned());
    let second = world.invitations.send("ada@example.com", fixed_terms());
    assert_eq!(
        refusal(world.activate(activation(&second, "ADA@example.com")).await),
        taken
    );
    assert_eq!(counts(&world.db).await, before);
    let untouched = world.invitations.get(&second.id);
    assert_eq!(untouched, second, "it was not accepted for somebody who cannot be");
    world.stop().await;
}

// B12: the token proves the address; to say that it is one's own proves nothing.
async fn an_unverified_registration_keeps_nobody_from_the_address(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let eve = world.register(registration("ada@example.com")).await.expect("answered");
    let answer = world.activate(activation(&invitation, "ada@example.com")).await;
    let ada = answer.expect("an account").person.expect("a person");
    assert!(ada.email_verified);
    assert_ne!(ada.id, eve.id);
    let late = world.verify(&world.token_for("ada@example.com").await).await;
    assert_eq!(refusal(late), (Code::AlreadyExists, "EMAIL_TAKEN".to_owned()));
    assert!(!world.person(&eve.id).await.expect("a person").email_verified);
    assert_eq!(told::<pb::EmailVerified>(&world.db).await.len(), 1);
    world.stop().await;
}

async fn an_address_that_was_proved_meanwhile_stays_where_it_is(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    world.register(registration("ada@example.com")).await.expect("answered");
    let token = world.token_for("ada@example.com").await;
    world.invitations.set(Mood::AnswerLost);
    let request = activation(&invitation, "ada@example.com");
    world.activate(request.clone()).await.expect_err("the answer is lost");
    world.verify(&token).await.expect("the first to prove it");
    world.invitations.set(Mood::Good);
    let answer = world.activate(request).await.expect("an account");
    assert!(!answer.person.expect("a person").email_verified);
    assert_eq!(told::<pb::EmailVerified>(&world.db).await.len(), 1);
    world.until_only_timers(&["offer.lapse"]).await;
    world.stop().await;
}

async fn a_request_is_answered_once_and_for_all(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let request = activation(&invitation, "ada@example.com");
    let answer = world.activate(request.clone()).await.expect("an account");
    world
        .review(&answer.case.clone().expect("a case").id)
        .await
        .expect("reviewed");
    let again = world.activate(request.clone()).await.expect("the same account");
    assert_eq!(again, answer, "as it was then");
    let reused = (Code::AlreadyExists, "REQUEST_ID_REUSED".to_owned());
    let other = pb::ActivateAccountRequest {
        referral_code: "VCH2".to_owned(),
        ..request.clone()
    };
    assert_eq!(refusal(world.activate(other).await), reused);
    let other = pb::RegisterAccountRequest {
        request_id: request.request_id,
        ..registration("eve@example.com")
    };
    assert_eq!(refusal(world.register(other.clone()).await), reused);

    // The other way round: a request that was a registration accepts no invitation.
    let invitation = world.invitations.send("eve@example.com", fixed_terms());
    let registered = registration("mary@example.com");
    world.register(registered.clone()).await.expect("an account");
    let other = pb::ActivateAccountRequest {
        request_id: registered.request_id,
        ..activation(&invitation, "eve@example.com")
    };
    assert_eq!(refusal(world.activate(other).await), reused);
    assert_eq!(world.invitations.get(&invitation.id), invitation);
    world.stop().await;
}
