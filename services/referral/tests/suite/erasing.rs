//! What goes with people who are erased.

use sha2::{Digest, Sha256};
use vouch_primitives::{ClientId, RequestId};
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{AccountRegistered, PersonErased},
    referral::v1 as pb,
};
use vouch_testkit::{SmtpSink, TestDatabase, on_both_databases};

use crate::{
    JOINED,
    attributing::sign_up,
    harness::{House, Person, Rosa, at, envelope},
    inviting::{invited, listed},
    signals::{disposable, waiting},
    touches::touch,
};

on_both_databases! {
    what_is_personal_goes_with_the_person,
}

/// All that anybody can say about Rosa, and Fred whom she has referred; and what the visitor is known by who has clicked.
async fn said_about_people(house: &House, rosa: &Rosa) -> (String, Person) {
    let hash = |text: &str| Sha256::digest(text).to_vec();
    let click = pb::RecordTouchRequest {
        device_sha256: hash("a phone"),
        network_sha256: hash("at home"),
        ..touch(&rosa.code, "")
    };
    let clicked = house.attributing().record_touch(click).await.expect("stored");
    let (fred, client) = (Person::new(), ClientId::new());
    disposable(house, "moment.example").await;
    let event = AccountRegistered {
        referral_code: rosa.code.clone(),
        ..sign_up(&fred, "fred@moment.example", JOINED)
    };
    house.publish(&[envelope(&event)]).await;
    house.works(rosa, client).await;
    let introduced = house.introduce(rosa, &fred, client, pb::ReferralKind::Freelancer).await;
    introduced.expect("introduced");
    let attribution = house.attributions(rosa).await.remove(0).id;
    house.reject(&fred).await;
    house.appeal(&attribution).await.expect("once");
    house.reject(&fred).await;
    house.relate(&fred, client).await;
    house.stands(rosa, JOINED, false).await;
    let request = pb::AppealSignalRequest {
        request_id: RequestId::new().to_string(),
        signal_id: waiting(house).await.remove(0).id,
        message: "It is the address of a club".to_owned(),
    };
    house.signals().appeal_signal(request).await.expect("said");
    let request = pb::CreateLinkRequest {
        request_id: RequestId::new().to_string(),
        referrer_id: rosa.id.clone(),
        kind: pb::ReferralKind::ThirdPartySite.into(),
        source: "LinkedIn".to_owned(),
        campaign: "Autumn with Rosa".to_owned(),
        ..Default::default()
    };
    house.links().create_link(request).await.expect("a link");
    let request = pb::MigrateAttributionRequest {
        request_id: RequestId::new().to_string(),
        attribution_id: attribution,
        terms_version: house.publish_terms(|_| ()).await.version,
        consent: "I, Rosa, agree".to_owned(),
    };
    house.programme().migrate_attribution(request).await.expect("moved");
    (clicked.into_inner().visitor_id, fred)
}

async fn what_is_personal_goes_with_the_person(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let rosa = house.referrer().await;
    let token = invited(&house, &sink, &rosa, "ada@example.com").await;
    let (visitor, fred) = said_about_people(&house, &rosa).await;
    let ada = Person::new();
    let event = AccountRegistered {
        referral_invitation_sha256: Sha256::digest(&token).to_vec(),
        link_cookie_id: visitor,
        ..sign_up(&ada, "countess@example.com", JOINED)
    };
    let erased = |person: &str| {
        envelope(&PersonErased {
            person_id: person.to_owned(),
            erase_time: Some(to_wire_time(at(JOINED))),
        })
    };
    // The news of the erasure overtakes that of the registration.
    house.publish(&[erased(&ada.id)]).await;
    house.quiet().await;
    house.publish(&[envelope(&event)]).await;
    house.quiet().await;
    let of_ada = listed(&house, &rosa).await;
    assert_eq!((&*of_ada[0].recipient_email, &*of_ada[0].job), ("", ""));
    assert_eq!(house.attributions(&rosa).await.len(), 2, "the books stay");

    invited(&house, &sink, &rosa, "bob@example.com").await;
    house.publish(&[erased(&rosa.person)]).await;
    house.quiet().await;
    let everything = house.everything().await;
    for by_rosa in ["They are real", "It is the address of a club", "I, Rosa, agree"] {
        assert!(!everything.contains(by_rosa), "{by_rosa} is kept");
    }
    let attributions = house.attributions(&rosa).await;
    let of_fred = attributions.iter().find(|it| it.referee_person_id == fred.id);
    let again = house
        .appeal(&of_fred.expect("there").id)
        .await
        .expect_err("there was one");
    assert_eq!(house.reason(&again), "NO_APPEAL");

    house.publish(&[erased(&fred.id)]).await;
    house.quiet().await;
    assert_eq!(house.count("sign_up WHERE link_cookie_id IS NOT NULL").await, 0);
    says_nothing_of_anybody(&house.everything().await.to_lowercase());
}

/// What is in the database tells nothing of any of them.
fn says_nothing_of_anybody(everything: &str) {
    for known_by in ["a phone", "at home", "example.com", "moment.example"] {
        // The list of domains for a moment is nobody's.
        let hash = format!("{:x}", Sha256::digest(known_by));
        let kept = usize::from(known_by == "moment.example");
        assert_eq!(everything.matches(&hash).count(), kept, "{known_by}");
    }
    for personal in [
        "You should meet",
        "They are real",
        "Nobody of that name",
        "One bank account",
        "Looked into",
        "It is the address of a club",
        "I, Rosa, agree",
        "Autumn with Rosa",
        "ada@example.com",
        "bob@example.com",
        "Ada Lovelace",
        "Rosa Parks",
        "Translator",
        "rosa@example",
    ] {
        let digits: String = personal.bytes().map(|byte| format!("{byte:02x}")).collect();
        for found in [personal.to_lowercase(), digits] {
            assert!(!everything.contains(&found), "{personal} is kept");
        }
    }
}
