//! Enrolling, codes and links.

use std::collections::BTreeSet;

use futures::future::join_all;
use tonic::Code;
use vouch_primitives::{ClientId, RequestId};
use vouch_proto::referral::v1 as pb;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    JOINED,
    harness::{self, House, Person, Rosa},
};

on_both_databases! {
    a_person_an_agency_and_a_client_enrol,
    fifty_enrol_at_once_and_each_gets_a_code_of_their_own,
    many_enrolments_of_one_account_come_to_one_referrer,
    a_code_of_ones_own_choice_works_and_stays,
    a_mistyped_code_is_told_as_such,
    links_tell_where_they_are_shared_and_lead_to_one_place,
}

pub async fn claim(house: &House, rosa: &Rosa, code: &str) -> Result<String, tonic::Status> {
    let request = pb::ClaimVanityCodeRequest {
        request_id: RequestId::new().to_string(),
        referrer_id: rosa.id.clone(),
        code: code.to_owned(),
    };
    Ok(house.links().claim_vanity_code(request).await?.into_inner().code)
}

fn link(rosa: &Rosa, kind: pb::ReferralKind) -> pb::CreateLinkRequest {
    pb::CreateLinkRequest {
        request_id: RequestId::new().to_string(),
        referrer_id: rosa.id.clone(),
        kind: kind.into(),
        source: "LinkedIn".to_owned(),
        ..Default::default()
    }
}

// R3, R4, R14, R22, R35
async fn a_person_an_agency_and_a_client_enrol(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let ada = Person::new();
    let person = house.enrolled(&ada).await;
    let agency = house.enrol(&house.agency(&ada).await).await.expect("an agency");
    let client_id = ClientId::new().to_string();
    let request = pb::EnrolReferrerRequest {
        request_id: RequestId::new().to_string(),
        client_id: client_id.clone(),
        ..Default::default()
    };
    let client = house.client().enrol_referrer(request).await.expect("a client");
    let client = client.into_inner().referrer.expect("a referrer");
    assert_eq!(
        (agency.party(), &agency.person_id),
        (pb::referrer::Party::Agency, &ada.id)
    );
    assert_eq!((client.party(), &*client.person_id), (pb::referrer::Party::Client, ""));
    assert_eq!((&client.client_id, &client.account_id), (&client_id, &client_id));
    let codes = BTreeSet::from([person.code, agency.code, client.code.clone()]);
    assert_eq!(codes.len(), 3, "each has a code of its own: {codes:?}");
    assert!(
        client.link.ends_with(&format!("/join?code={}", client.code)),
        "{}",
        client.link
    );

    let bob = Person::new();
    house.registered(&bob, &client.code).await;
    house.quiet().await;
    house.settled(&bob, 10_000, "2026-01-20").await;
    house.quiet().await;
    let releases = house.releases().await;
    assert_eq!(releases.len(), 1);
    assert_eq!(releases[0].account_id, client_id, "a client is paid as others are [R4]");
}

// R22
async fn fifty_enrol_at_once_and_each_gets_a_code_of_their_own(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let people: Vec<_> = (0..50).map(|_| Person::new()).collect();
    let events: Vec<_> = people.iter().map(|person| house.registration(person, "")).collect();
    house.publish(&events).await;
    house.quiet().await;
    let enrolled = join_all(people.iter().map(|person| house.enrol(&person.account))).await;
    let codes: BTreeSet<_> = enrolled.into_iter().map(|one| one.expect("enrolled").code).collect();
    assert_eq!(codes.len(), 50);
}

async fn many_enrolments_of_one_account_come_to_one_referrer(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let ada = Person::new();
    house.registered(&ada, "").await;
    house.quiet().await;
    let enrolled = join_all((0..10).map(|_| house.enrol(&ada.account))).await;
    let ids: BTreeSet<_> = enrolled.into_iter().map(|one| one.expect("enrolled").id).collect();
    assert_eq!(ids.len(), 1);
}

// R2, R22
async fn a_code_of_ones_own_choice_works_and_stays(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let (rosa, otto) = (house.referrer().await, house.referrer().await);
    assert_eq!(claim(&house, &rosa, "rosa-2026").await.expect("hers"), "ROSA2026");
    assert_eq!(
        claim(&house, &rosa, "Rosa 2026").await.expect("hers already"),
        "ROSA2026"
    );
    let other = claim(&house, &rosa, "ROSA2027").await.expect_err("one for each");
    assert_eq!(
        (other.code(), &*house.reason(&other)),
        (Code::FailedPrecondition, "VANITY_CODE_FINAL")
    );
    let taken = claim(&house, &otto, "ROSA2026").await.expect_err("Rosa's");
    assert_eq!(
        (taken.code(), &*house.reason(&taken)),
        (Code::AlreadyExists, "CODE_TAKEN")
    );
    let request = pb::GetReferrerRequest {
        referrer_id: rosa.id.clone(),
    };
    let read = house.client().get_referrer(request).await.expect("read").into_inner();
    assert_eq!(read.referrer.expect("Rosa").vanity_code, "ROSA2026");

    let (ada, bob) = (Person::new(), Person::new());
    house.registered(&ada, "ROSA-2026").await;
    house.registered(&bob, &rosa.code).await;
    house.quiet().await;
    assert_eq!(house.attributions(&rosa).await.len(), 2, "both codes work");
}

// R2
async fn a_mistyped_code_is_told_as_such(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let last = if rosa.code.ends_with('Z') { 'Y' } else { 'Z' };
    let slip = format!("{}{last}", &rosa.code[..rosa.code.len() - 1]);
    for (code, good) in [
        (&*rosa.code, true),
        ("ROSA2026", true),
        (&*slip, false),
        ("no code!", false),
    ] {
        let request = pb::CheckCodeRequest { code: code.to_owned() };
        let answer = house.links().check_code(request).await.expect("an answer").into_inner();
        assert_eq!(answer.well_formed, good, "{code}");
    }
}

// R10, R30, R35
async fn links_tell_where_they_are_shared_and_lead_to_one_place(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let employer = ClientId::new().to_string();
    let mut links = house.links();
    let mut urls = Vec::new();
    for request in [
        link(&rosa, pb::ReferralKind::ThirdPartySite),
        pb::CreateLinkRequest {
            client_id: employer.clone(),
            campaign: "autumn".to_owned(),
            ..link(&rosa, pb::ReferralKind::Friend)
        },
    ] {
        let made = links.create_link(request).await.expect("a link").into_inner();
        urls.push(made.link.expect("a link").url);
    }
    assert!(urls[0].contains(&format!("/join?code={}&link=", rosa.code)), "{urls:?}");
    assert!(urls[1].contains(&format!("/employers/{employer}?code=")), "{urls:?}");
    let unnamed = pb::CreateLinkRequest {
        source: String::new(),
        ..link(&rosa, pb::ReferralKind::ThirdPartySite)
    };
    let status = links.create_link(unnamed).await.expect_err("which site?");
    assert_eq!(harness::fields(&status), ["source"]);

    let mut seen = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListLinksRequest {
            referrer_id: rosa.id.clone(),
            page_size: 1,
            page_token,
        };
        let page = links.list_links(request).await.expect("a page").into_inner();
        seen.extend(page.links.into_iter().map(|link| link.url));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    urls.reverse();
    assert_eq!(seen, urls, "the newest first");
}
