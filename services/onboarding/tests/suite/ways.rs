//! The ways of agencies, and of those who are invited to talent clouds.

use tonic::Code;
use vouch_proto::{
    common::v1 as common,
    onboarding::v1::{self as pb, account::Listing, case, get_home_response::NextStep, save_section_request::Section},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    callers::{nda, person, signed},
    example::{acceptance, activation, fixed_terms, registration, request_id},
    tables::{count, told},
    world::{World, refusal, violations},
};

on_both_databases! {
    an_agency_is_offered_a_contract,
    the_final_invitation_comes_after_the_tasks_and_can_be_sent_again,
    the_final_invitation_goes_to_a_verified_address_alone,
    a_listing_that_is_confirmed_moves_all_cases_of_the_agency,
    an_agency_name_is_for_agencies_alone,
    an_agency_that_is_listed_needs_no_second_confirmation,
    a_cloud_that_lists_an_agency_moves_its_other_cases,
    talent_comes_into_a_cloud,
    in_the_agency_context_the_offer_waits_under_the_persons_name,
    the_database_knows_the_ways,
    the_database_leaves_no_profile_half_done,
}

const AGENCY: &str = "Analytical Engines";

/// Ada accepts an invitation of an agency.
fn as_agency(invitation: &vouch_proto::invitation::v1::Invitation) -> pb::ActivateAccountRequest {
    pb::ActivateAccountRequest {
        agency_name: AGENCY.to_owned(),
        ..activation(invitation, "ada@example.com")
    }
}

fn hourly_terms() -> common::ContractTerms {
    let rate = common::Money {
        currency_code: "USD".to_owned(),
        minor_units: 5_000,
    };
    common::ContractTerms {
        pay: Some(common::contract_terms::Pay::Hourly(common::HourlyPay {
            rate: Some(rate),
            weekly_limit_minutes: 2_400,
        })),
        ..fixed_terms()
    }
}

// B29, B30, B31, B33, B34, B35, B36, B38
async fn an_agency_is_offered_a_contract(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", hourly_terms());
    let invitation = world.invitations.of_agency(invitation);
    let activated = world.activate(as_agency(&invitation)).await.expect("an account");
    let (ada, case) = (activated.person.expect("a person"), activated.case.expect("a case"));
    assert_eq!(case.way(), case::Way::AgencyToContract);
    assert_eq!(case.state(), case::State::ReviewContract);
    let accounts = world.accounts_of(&ada.id).await;
    assert_eq!(accounts[0].id, ada.account_id);
    assert_eq!(accounts[0].listing(), Listing::Unspecified);
    assert_eq!(accounts[1].id, case.account_id);
    assert_eq!(
        (accounts[1].agency_name.as_str(), accounts[1].listing()),
        (AGENCY, Listing::Provisional)
    );

    // There are no tasks, so that the way leads straight to the confirmation, not to the offer.
    let reviewed = world.review(&case.id).await.expect("reviewed");
    assert_eq!(reviewed.state(), case::State::ConfirmListing);
    let early = world.accept(acceptance(&case, "Hello")).await;
    let unlisted = (Code::FailedPrecondition, "LISTING_NOT_CONFIRMED".to_owned());
    assert_eq!(refusal(early), unlisted);

    let unknown = (Code::NotFound, "NO_AGENCY_INVITATION".to_owned());
    assert_eq!(refusal(world.accept_agency("nonsense").await), unknown);
    let token = world.agency_token("ada@example.com").await;
    let confirmed = world.accept_agency(&token).await.expect("confirmed");
    assert_eq!(confirmed.state(), case::State::AcceptOffer);
    assert_eq!(world.accept_agency(&token).await.expect("a repeat"), confirmed);
    assert_eq!(world.accounts_of(&ada.id).await[1].listing(), Listing::Public);

    let nothing = world.accept(acceptance(&case, "")).await;
    assert_eq!(violations(nothing), ["message REQUIRED"]);
    let accepted = world.accept(acceptance(&case, "Hello")).await.expect("accepted");
    assert_eq!(accepted.state(), case::State::Accepted);
    let events = told::<pb::OfferAccepted>(&world.db).await;
    assert_eq!(
        (&events[0].account_id, &events[0].person_id),
        (&case.account_id, &ada.id)
    );
    world.stop().await;
}

// B32, B34
async fn the_final_invitation_comes_after_the_tasks_and_can_be_sent_again(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(nda()).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let invitation = world.invitations.of_agency(invitation);
    let activated = world.activate(as_agency(&invitation)).await.expect("an account");
    let case = activated.case.expect("a case");
    let ada = person(&case.person_id);
    let resend = async || {
        let request = pb::ResendAgencyInvitationRequest {
            request_id: request_id(),
            case_id: case.id.clone(),
        };
        world.cases_of(ada.clone()).resend_agency_invitation(request).await
    };
    let reviewed = world.review(&case.id).await.expect("reviewed");
    assert_eq!(reviewed.state(), case::State::CompleteTasks);
    let not_yet = (Code::FailedPrecondition, "NO_LISTING_TO_CONFIRM".to_owned());
    assert_eq!(refusal(resend().await), not_yet);
    assert_eq!(count(&world.db, "agency_invitation").await, 0);

    let task = world.tasks_of(&case.id).await.remove(0);
    world.start(&ada, &task).await.expect("started");
    world.submit(&ada, &task, signed()).await.expect("signed");
    assert_eq!(world.case(&case.id).await.state(), case::State::ConfirmListing);
    let first = world.agency_token("ada@example.com").await;
    assert_eq!(
        count(&world.db, "mail").await,
        1,
        "one letter says that all is confirmed and what comes next"
    );

    let just_now = (Code::FailedPrecondition, "AGENCY_INVITATION_JUST_SENT".to_owned());
    assert_eq!(refusal(resend().await), just_now);
    world.wait_until(crate::example::at("2026-03-01T09:10:00Z"));
    resend().await.expect("sent again");
    let dead = (Code::NotFound, "NO_AGENCY_INVITATION".to_owned());
    assert_eq!(refusal(world.accept_agency(&first).await), dead);
    // When the offer lapses, so does the invitation.
    assert_eq!(count(&world.db, "agency_invitation").await, 1);
    world.stop().await;
}

// B34
async fn the_final_invitation_goes_to_a_verified_address_alone(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let invitation = world.invitations.of_agency(invitation);
    let request = pb::ActivateAccountRequest {
        agency_name: AGENCY.to_owned(),
        ..activation(&invitation, "elsewhere@example.com")
    };
    let case = world.activate(request).await.expect("an account").case.expect("a case");
    let reviewed = world.review(&case.id).await.expect("reviewed");
    assert_eq!(reviewed.state(), case::State::VerifyEmail);
    assert_eq!(count(&world.db, "agency_invitation").await, 0);
    let early = world.accept(acceptance(&case, "Hello")).await;
    let unverified = (Code::FailedPrecondition, "EMAIL_NOT_VERIFIED".to_owned());
    assert_eq!(refusal(early), unverified);
    let token = world.token_for("elsewhere@example.com").await;
    world.verify(&token).await.expect("verified");
    assert_eq!(world.case(&case.id).await.state(), case::State::ConfirmListing);
    assert_eq!(count(&world.db, "agency_invitation").await, 1);
    world.stop().await;
}

// B34
async fn a_listing_that_is_confirmed_moves_all_cases_of_the_agency(database: TestDatabase) {
    let world = World::new(database).await;
    let mut cases = Vec::new();
    for nth in 0..2 {
        let invitation = world.invitations.send("ada@example.com", fixed_terms());
        let invitation = world.invitations.of_agency(invitation);
        let case = if nth == 0 {
            let activated = world.activate(as_agency(&invitation)).await;
            activated.expect("an account").case.expect("a case")
        } else {
            let first: &pb::Case = &cases[0];
            let request = pb::OpenCaseRequest {
                request_id: request_id(),
                person_id: first.person_id.clone(),
                invitation_id: invitation.id,
                agency_name: AGENCY.to_owned(),
            };
            let opened = world.cases.clone().open_case(request).await.expect("a case");
            opened.into_inner().case.expect("a case")
        };
        let reviewed = world.review(&case.id).await.expect("reviewed");
        assert_eq!(reviewed.state(), case::State::ConfirmListing);
        cases.push(case);
    }
    world
        .accept_agency(&world.agency_token("ada@example.com").await)
        .await
        .expect("confirmed");
    for case in &cases {
        assert_eq!(world.case(&case.id).await.state(), case::State::AcceptOffer);
    }
    world.stop().await;
}

// B30
async fn an_agency_name_is_for_agencies_alone(database: TestDatabase) {
    let world = World::new(database).await;
    let to_agency = world.invitations.send("ada@example.com", fixed_terms());
    let to_agency = world.invitations.of_agency(to_agency);
    let to_freelancer = world.invitations.send("ada@example.com", fixed_terms());
    let nameless = world.activate(activation(&to_agency, "ada@example.com")).await;
    let required = (Code::FailedPrecondition, "AGENCY_NAME_REQUIRED".to_owned());
    assert_eq!(refusal(nameless), required);
    let not_one = (Code::FailedPrecondition, "NOT_AN_AGENCY".to_owned());
    assert_eq!(refusal(world.activate(as_agency(&to_freelancer)).await), not_one);
    assert_eq!(count(&world.db, "person").await, 0);

    let ada = world
        .register(registration("ada@example.com"))
        .await
        .expect("an account");
    let token = world.token_for("ada@example.com").await;
    world.verify(&token).await.expect("verified");
    assert_eq!(refusal(world.open_case(&ada.id, &to_agency.id).await), required);
    assert_eq!(
        world.invitations.get(&to_agency.id).person_id,
        "",
        "nobody has accepted it"
    );
    let NextStep::OpenInvitation(waiting) = world.home(&ada.id).await.expect("a home") else {
        panic!("no invitation waits")
    };
    assert_eq!(waiting.talent_type(), vouch_proto::invitation::v1::TalentType::Agency);
    world.stop().await;
}

// B34, B36
async fn an_agency_that_is_listed_needs_no_second_confirmation(database: TestDatabase) {
    let world = World::new(database).await;
    let cloud = world.invitations.send_to_cloud("ada@example.com");
    let cloud = world.invitations.of_agency(cloud);
    let activated = world.activate(as_agency(&cloud)).await.expect("an account");
    let (ada, first) = (activated.person.expect("a person"), activated.case.expect("a case"));
    // B48: the listing is there at acceptance.
    assert_eq!(world.accounts_of(&ada.id).await[1].listing(), Listing::Public);

    let contract = world.invitations.send("ada@example.com", fixed_terms());
    let contract = world.invitations.of_agency(contract);
    let request = pb::OpenCaseRequest {
        request_id: request_id(),
        person_id: ada.id.clone(),
        invitation_id: contract.id,
        agency_name: format!("  {}  ", AGENCY.to_uppercase()),
    };
    let opened = world.cases.clone().open_case(request).await.expect("a case");
    let second = opened.into_inner().case.expect("a case");
    assert_eq!(second.account_id, first.account_id, "it is the same agency");
    let reviewed = world.review(&second.id).await.expect("reviewed");
    assert_eq!(reviewed.state(), case::State::AcceptOffer);
    assert_eq!(count(&world.db, "agency").await, 1);
    world.stop().await;
}

// B34, B48
async fn a_cloud_that_lists_an_agency_moves_its_other_cases(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.invitations.send("ada@example.com", fixed_terms());
    let contract = world.invitations.of_agency(contract);
    let activated = world.activate(as_agency(&contract)).await.expect("an account");
    let (ada, waiting) = (activated.person.expect("a person"), activated.case.expect("a case"));
    let open = async |invitation: &str, agency_name: &str| {
        let request = pb::OpenCaseRequest {
            request_id: request_id(),
            person_id: ada.id.clone(),
            invitation_id: invitation.to_owned(),
            agency_name: agency_name.to_owned(),
        };
        let opened = world.cases.clone().open_case(request).await.expect("a case");
        opened.into_inner().case.expect("a case")
    };
    let other = world.invitations.send("ada@example.com", fixed_terms());
    let other = world.invitations.of_agency(other);
    let of_another = open(&other.id, "Difference Engines").await;
    for case in [&waiting, &of_another] {
        let reviewed = world.review(&case.id).await.expect("reviewed");
        assert_eq!(reviewed.state(), case::State::ConfirmListing);
    }
    let cloud = world.invitations.send_to_cloud("ada@example.com");
    let cloud = world.invitations.of_agency(cloud);
    let in_cloud = open(&cloud.id, AGENCY).await;
    assert_eq!(in_cloud.account_id, waiting.account_id, "it is the same agency");
    assert_eq!(world.case(&waiting.id).await.state(), case::State::AcceptOffer);
    assert_eq!(
        world.case(&of_another.id).await.state(),
        case::State::ConfirmListing,
        "another agency's waits for its own"
    );
    let accepted = world.accept(acceptance(&waiting, "Hello")).await.expect("accepted");
    assert_eq!(accepted.state(), case::State::Accepted);
    world.stop().await;
}

// B40, B41, B42, B44, B45, B47, B49, B51, B52
async fn talent_comes_into_a_cloud(database: TestDatabase) {
    let world = World::new(database).await;
    world.enterprise();
    for agency in [false, true] {
        let address = if agency { "joan@example.com" } else { "ada@example.com" };
        let mut invitation = world.invitations.send_to_cloud(address);
        let mut request = activation(&invitation, "elsewhere@example.com");
        if agency {
            invitation = world.invitations.of_agency(invitation);
            request.agency_name = AGENCY.to_owned();
            request.basic_information.as_mut().expect("information").account_email = address.to_owned();
        }
        let activated = world.activate(request).await.expect("an account");
        let (who, case) = (activated.person.expect("a person"), activated.case.expect("a case"));
        assert_eq!((case.state(), case.offer.clone()), (case::State::BuildProfile, None));
        assert_eq!(
            case.talent_cloud.as_ref().map(|cloud| cloud.name.as_str()),
            Some("Friends of Acme")
        );
        assert_eq!(
            refusal(world.review(&case.id).await),
            (Code::FailedPrecondition, "NO_OFFER".to_owned())
        );
        let hello = world.accept(acceptance(&case, "Hello")).await;
        assert_eq!(refusal(hello), (Code::FailedPrecondition, "NO_OFFER".to_owned()));
        let public = world.accounts_of(&who.id).await.into_iter();
        let public = public.filter(|account| account.listing() == Listing::Public).count();
        assert_eq!(public, usize::from(agency), "a freelancer gets no public listing");

        let left = world.leave_profile(&case).await.expect("skipped");
        if agency {
            assert_eq!(left.state(), case::State::Ready);
        } else {
            // The token has not proved another address than the invited one.
            assert_eq!(left.state(), case::State::VerifyEmail);
            assert!(told::<pb::TalentReady>(&world.db).await.is_empty());
            let token = world.token_for("elsewhere@example.com").await;
            world.verify(&token).await.expect("verified");
        }
        let ready = world.case(&case.id).await;
        assert_eq!((ready.state(), ready.waiting_for.len()), (case::State::Ready, 0));
        assert_eq!(
            world.leave_profile(&case).await.expect("a repeat").state(),
            case::State::Ready
        );
        let told = told::<pb::TalentReady>(&world.db).await.pop().expect("an event");
        assert_eq!(
            (&told.invitation_id, &told.account_id),
            (&invitation.id, &case.account_id)
        );
        assert_eq!((&told.case_id, &told.person_id), (&case.id, &who.id));
    }
    assert_eq!(told::<pb::TalentReady>(&world.db).await.len(), 2);
    world.stop().await;
}

// B11, B39
async fn in_the_agency_context_the_offer_waits_under_the_persons_name(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let invitation = world.invitations.of_agency(invitation);
    let activated = world.activate(as_agency(&invitation)).await.expect("an account");
    let (ada, case) = (activated.person.expect("a person"), activated.case.expect("a case"));
    let home = async |account_id: &str| {
        let request = pb::GetHomeRequest {
            person_id: ada.id.clone(),
            account_id: account_id.to_owned(),
        };
        let answer = world.cases_of(person(&ada.id)).get_home(request).await?;
        Ok::<_, tonic::Status>(answer.into_inner().next_step.expect("a step"))
    };
    assert!(matches!(home("").await, Ok(NextStep::OpenCase(open)) if open.id == case.id));
    let hint = NextStep::OfferUnderYourName(pb::OfferUnderYourNameStep {
        display_name: "Ada".to_owned(),
        case_id: case.id.clone(),
        invitation_id: invitation.id,
    });
    assert_eq!(home(&case.account_id).await.expect("a hint"), hint);
    let unknown = home("019c0000-0000-7000-8000-000000000001").await;
    assert_eq!(refusal(unknown), (Code::NotFound, "NOT_FOUND".to_owned()));
    world.stop().await;
}

// B43, B50
async fn the_database_leaves_no_profile_half_done(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send_to_cloud("ada@example.com");
    let activated = world.activate(activation(&invitation, "ada@example.com")).await;
    let case = activated.expect("an account").case.expect("a case");
    let half = Section::Skills(pb::Skills::default());
    world
        .save_section(&case.account_id, half, false)
        .await
        .expect("started");
    let leave = "UPDATE onboarding_case SET state = 'READY'";
    let refused = vouch_storage::describe(&world.execute(leave, []).await.expect_err("half done"));
    assert!(refused.contains("the profile is half done"), "{refused}");
    world
        .discard_section(&case.account_id, pb::SectionKind::Skills)
        .await
        .expect("discarded");
    assert_eq!(world.execute(leave, []).await.expect("nothing is half done"), 1);
    world.stop().await;
}

// B18, B34, B36, B41, B48
async fn the_database_knows_the_ways(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let invitation = world.invitations.of_agency(invitation);
    world.activate(as_agency(&invitation)).await.expect("an account");
    let run = async |sql: &str| world.execute(sql, []).await;
    for refused in [
        // A case does not come to its offer while the listing is provisional.
        "UPDATE onboarding_case SET state = 'ACCEPT_OFFER'",
        "UPDATE onboarding_case SET state = 'READY'",
        "UPDATE onboarding_case SET state = 'BUILD_PROFILE'",
        "UPDATE onboarding_case SET listing = 'PUBLIC'",
        "UPDATE onboarding_case SET talent = 'FREELANCER'",
        // A listing is provisional or public, and public only since it was confirmed.
        "UPDATE agency SET listing = 'PRIVATE'",
        "UPDATE agency SET listing = 'PUBLIC'",
        "UPDATE agency SET name = ''",
    ] {
        assert!(run(refused).await.is_err(), "{refused}");
    }
    run("UPDATE agency SET listing = 'PUBLIC', confirmed_at = 1")
        .await
        .expect("a listing");
    // What is public stays so [B36].
    let hidden = "UPDATE agency SET listing = 'PROVISIONAL', confirmed_at = NULL";
    assert!(run(hidden).await.is_err(), "{hidden}");
    run("UPDATE agency SET listing = 'PUBLIC', name = 'Difference Engines'")
        .await
        .expect("another name");
    run("UPDATE onboarding_case SET state = 'ACCEPT_OFFER'")
        .await
        .expect("the listing has followed");
    world.stop().await;
}
