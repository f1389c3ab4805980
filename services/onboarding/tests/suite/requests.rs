//! Bad requests are told everything that is wrong with them, and write nothing.

use vouch_proto::onboarding::v1 as pb;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    example::{basic_information, request_id},
    tables::{count, counts},
    world::{World, violations},
};

on_both_databases! { empty_people_are_told_everything, bad_people_are_told_everything, bad_steps_are_told_everything }

async fn empty_people_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let before = counts(&world.db).await;
    let mut accounts = world.accounts.clone();
    let nothing = accounts.activate_account(pb::ActivateAccountRequest::default()).await;
    assert_eq!(
        violations(nothing),
        [
            "request_id REQUIRED",
            "invitation_token REQUIRED",
            "basic_information REQUIRED"
        ]
    );
    let empty = pb::RegisterAccountRequest {
        basic_information: Some(pb::BasicInformation::default()),
        ..Default::default()
    };
    let told = [
        "request_id REQUIRED",
        "basic_information.legal_name REQUIRED",
        "basic_information.display_name REQUIRED",
        "basic_information.country_code REQUIRED",
        "basic_information.time_zone REQUIRED",
        "basic_information.account_email REQUIRED",
    ];
    assert_eq!(violations(accounts.register_account(empty).await), told);
    let nothing = accounts.verify_email(pb::VerifyEmailRequest::default()).await;
    assert_eq!(violations(nothing), ["request_id REQUIRED", "token REQUIRED"]);
    let nobody = accounts
        .get_person(pb::GetPersonRequest {
            person_id: "ada".to_owned(),
        })
        .await;
    assert_eq!(violations(nobody), ["person_id INVALID_FORMAT"]);
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(count(&world.db, "request").await, 0);
    world.stop().await;
}

async fn bad_people_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let before = counts(&world.db).await;
    let mut accounts = world.accounts.clone();
    let bad = pb::BasicInformation {
        legal_name: "x".repeat(201),
        display_name: "Ada\r\nBcc: all@example.com".to_owned(),
        country_code: "UK".to_owned(),
        time_zone: "Lisbon".to_owned(),
        account_email: "ada".to_owned(),
    };
    let told = [
        "request_id INVALID_FORMAT",
        "basic_information.legal_name TOO_LONG",
        "basic_information.display_name INVALID_FORMAT",
        "basic_information.country_code INVALID_FORMAT",
        "basic_information.time_zone INVALID_FORMAT",
        "basic_information.account_email INVALID_FORMAT",
        "referral_code INVALID_FORMAT",
        "link_cookie_id INVALID_FORMAT",
        "referral_invitation_token TOO_LONG",
    ];
    let request = pb::RegisterAccountRequest {
        request_id: "7".to_owned(),
        basic_information: Some(bad.clone()),
        referral_code: "ada@example.com".to_owned(),
        link_cookie_id: "ada@example.com".to_owned(),
        referral_invitation_token: "t".repeat(201),
    };
    assert_eq!(violations(accounts.register_account(request).await), told);
    let request = pb::ActivateAccountRequest {
        request_id: "7".to_owned(),
        invitation_token: "t".repeat(201),
        basic_information: Some(bad),
        referral_code: "ada@example.com".to_owned(),
        agency_name: "x".repeat(201),
        link_cookie_id: "ada@example.com".to_owned(),
        referral_invitation_token: "t".repeat(201),
    };
    let mut told = told.to_vec();
    told.insert(1, "invitation_token TOO_LONG");
    told.push("agency_name TOO_LONG");
    assert_eq!(violations(accounts.activate_account(request).await), told);
    let turned = pb::RegisterAccountRequest {
        request_id: request_id(),
        basic_information: Some(basic_information("\u{202e}adA", "ada@example.com")),
        ..Default::default()
    };
    let told = [
        "basic_information.legal_name INVALID_FORMAT",
        "basic_information.display_name INVALID_FORMAT",
    ];
    assert_eq!(violations(accounts.register_account(turned).await), told);
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(count(&world.db, "request").await, 0);
    world.stop().await;
}

async fn bad_steps_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let before = counts(&world.db).await;
    let mut cases = world.cases.clone();
    assert_eq!(
        violations(cases.get_home(pb::GetHomeRequest::default()).await),
        ["person_id REQUIRED"]
    );
    assert_eq!(
        violations(cases.get_case(pb::GetCaseRequest::default()).await),
        ["case_id REQUIRED"]
    );
    let nothing = cases.open_case(pb::OpenCaseRequest::default()).await;
    assert_eq!(
        violations(nothing),
        ["request_id REQUIRED", "person_id REQUIRED", "invitation_id REQUIRED"]
    );
    let nothing = cases.review_contract(pb::ReviewContractRequest::default()).await;
    assert_eq!(violations(nothing), ["request_id REQUIRED", "case_id REQUIRED"]);
    let nothing = cases.accept_offer(pb::AcceptOfferRequest::default()).await;
    assert_eq!(
        violations(nothing),
        ["request_id REQUIRED", "case_id REQUIRED", "message REQUIRED"]
    );
    let page = pb::ListNotesRequest {
        room_id: "7".to_owned(),
        page_size: 101,
        page_token: "next".to_owned(),
    };
    let told = [
        "room_id INVALID_FORMAT",
        "page_size OUT_OF_RANGE",
        "page_token INVALID_FORMAT",
    ];
    assert_eq!(violations(cases.list_notes(page).await), told);
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(count(&world.db, "request").await, 0);
    world.stop().await;
}
