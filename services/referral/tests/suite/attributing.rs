//! Attribution by whatever spoke for somebody when they signed up.

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use sha2::{Digest, Sha256};
use vouch_primitives::RequestId;
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::AccountRegistered,
    referral::v1::{
        self as pb,
        evidence::{Sort, Verdict},
    },
};
use vouch_testkit::{SmtpSink, TestDatabase, on_both_databases};

use crate::{
    JOINED,
    enrolment::claim,
    harness::{House, Person, Rosa, at, envelope},
    inviting::{accept, invited},
    touches::{click, touch},
};

on_both_databases! {
    a_typed_code_goes_before_an_invitation_and_that_before_a_click,
    every_order_of_what_spoke_for_somebody_comes_to_the_same,
    the_last_click_within_ninety_days_counts,
    an_accepted_invitation_counts_for_whoever_signs_up_with_the_address,
    two_who_sign_up_with_one_invitation_are_not_both_referred,
    nobody_refers_their_own_mailbox,
    a_click_that_is_stored_after_the_sign_up_still_counts,
    what_was_nobodys_code_at_the_sign_up_never_counts,
    each_link_makes_its_own_type_of_referral,
    a_rule_without_a_hire_passes_whoever_is_attributed,
}

/// The news that somebody signed up, with what they had.
pub fn sign_up(person: &Person, email: &str, when: &str) -> AccountRegistered {
    let address: vouch_primitives::EmailAddress = email.parse().expect("an address");
    AccountRegistered {
        person_id: person.id.clone(),
        account_id: person.account.clone(),
        register_time: Some(to_wire_time(at(when))),
        email_sha256: Sha256::digest(address.as_str()).to_vec(),
        mailbox_sha256: Sha256::digest(address.mailbox()).to_vec(),
        domain_sha256: Sha256::digest(address.domain()).to_vec(),
        ..AccountRegistered::default()
    }
}

pub async fn explained(house: &House, rosa: &Rosa) -> Vec<(Sort, Verdict, bool)> {
    let attributions = house.attributions(rosa).await;
    let [attribution] = attributions.as_slice() else {
        panic!("one attribution, not {attributions:?}")
    };
    let request = pb::ExplainAttributionRequest {
        attribution_id: attribution.id.clone(),
    };
    let answer = house
        .attributing()
        .explain_attribution(request)
        .await
        .expect("explained");
    let evidence = answer.into_inner().evidence.into_iter();
    let mut told: Vec<_> = evidence
        .map(|it| (it.sort(), it.verdict(), it.referrer_id == rosa.id))
        .collect();
    told.sort_by_key(|(sort, verdict, _)| (i32::from(*sort), i32::from(*verdict)));
    told
}

async fn published(house: &House, event: &AccountRegistered) {
    house.publish(&[envelope(event)]).await;
    house.quiet().await;
}

// R2, R17, R23
async fn a_typed_code_goes_before_an_invitation_and_that_before_a_click(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let (rosa, otto, mia) = (house.referrer().await, house.referrer().await, house.referrer().await);
    let token = invited(&house, &sink, &otto, "ada@example.com").await;
    accept(&house, &token).await.expect("accepted");
    let visitor = click(&house, &mia.code, "").await;
    let ada = Person::new();
    let event = AccountRegistered {
        referral_code: rosa.code.clone(),
        referral_invitation_sha256: Sha256::digest(&token).to_vec(),
        link_cookie_id: visitor,
        ..sign_up(&ada, "ada@example.com", JOINED)
    };
    published(&house, &event).await;
    let expected = [
        (Sort::Code, Verdict::Won, true),
        (Sort::Invitation, Verdict::Outranked, false),
        (Sort::Click, Verdict::Outranked, false),
    ];
    assert_eq!(explained(&house, &rosa).await, expected, "what is others' is not named");
    assert_eq!(house.attributions(&otto).await, []);
    assert_eq!(house.attributions(&mia).await, []);
}

/// All facts that are known before the sign-up is, in any order, and the sign-up twice.
// R23
async fn every_order_of_what_spoke_for_somebody_comes_to_the_same(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let (otto, mia, rosa) = (house.referrer().await, house.referrer().await, house.referrer().await);
    for seed in 0..6 {
        let mut rng = StdRng::seed_from_u64(seed);
        let ada = Person::new();
        let email = format!("ada{seed}@example.com");
        let token = invited(&house, &sink, &otto, &email).await;
        let visitor = format!("visitor-of-seed-{seed}");
        let mut facts = ["accept", "mia", "rosa", "sign up", "sign up"];
        facts.shuffle(&mut rng);
        let event = AccountRegistered {
            link_cookie_id: visitor.clone(),
            referral_invitation_sha256: Sha256::digest(&token).to_vec(),
            ..sign_up(&ada, &email, JOINED)
        };
        for fact in facts {
            match fact {
                "accept" => drop(accept(&house, &token).await),
                "mia" => drop(click(&house, &mia.code, &visitor).await),
                "rosa" => drop(click(&house, &rosa.code, &visitor).await),
                _ => published(&house, &event).await,
            }
        }
        let of_otto = house.attributions(&otto).await;
        let found = of_otto.iter().filter(|it| it.referee_person_id == ada.id).count();
        assert_eq!(found, 1, "seed {seed}: {facts:?}");
        assert_eq!(of_otto.len(), usize::try_from(seed).expect("small") + 1);
    }
    assert_eq!(house.attributions(&mia).await, []);
    assert_eq!(house.attributions(&rosa).await, []);
}

async fn the_last_click_within_ninety_days_counts(database: TestDatabase) {
    let house = House::start(&database, "2026-01-01T12:00:00Z").await;
    let (otto, rosa) = (house.referrer().await, house.referrer().await);
    let (late, early) = (Person::new(), Person::new());
    let visitor = click(&house, &otto.code, "").await;
    let lonely = click(&house, &otto.code, "").await;
    house.move_clock("2026-02-01T12:00:00Z").await;
    click(&house, &rosa.code, &visitor).await;
    house.move_clock("2026-04-01T12:00:00.000001Z").await;
    let both = AccountRegistered {
        link_cookie_id: visitor,
        ..sign_up(&late, "ada@example.com", "2026-04-01T12:00:00.000001Z")
    };
    let old = AccountRegistered {
        link_cookie_id: lonely,
        ..sign_up(&early, "bob@example.com", "2026-04-01T12:00:00.000001Z")
    };
    published(&house, &both).await;
    published(&house, &old).await;
    let expected = [(Sort::Click, Verdict::Won, true), (Sort::Click, Verdict::TooOld, false)];
    assert_eq!(explained(&house, &rosa).await, expected);
    assert_eq!(house.attributions(&otto).await, [], "a click counts for 90 days");
}

// R13, R17
async fn an_accepted_invitation_counts_for_whoever_signs_up_with_the_address(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let (rosa, otto) = (house.referrer().await, house.referrer().await);
    let token = invited(&house, &sink, &rosa, "ada@example.com").await;
    invited(&house, &sink, &otto, "ada@example.com").await;
    accept(&house, &token).await.expect("accepted");
    // Without the token: the address shows whose it is.
    published(&house, &sign_up(&Person::new(), "ada@example.com", JOINED)).await;
    let expected = [
        (Sort::Invitation, Verdict::Won, true),
        (Sort::Invitation, Verdict::NotAccepted, false),
    ];
    assert_eq!(explained(&house, &rosa).await, expected);
    assert_eq!(house.attributions(&otto).await, []);
}

async fn two_who_sign_up_with_one_invitation_are_not_both_referred(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let house = House::mailing_to(&database, JOINED, &sink).await;
    let rosa = house.referrer().await;
    let token = invited(&house, &sink, &rosa, "ada@example.com").await;
    accept(&house, &token).await.expect("accepted");
    let event = |email| {
        envelope(&AccountRegistered {
            referral_invitation_sha256: Sha256::digest(&token).to_vec(),
            ..sign_up(&Person::new(), email, JOINED)
        })
    };
    let (one, other) = ([event("ada@example.com")], [event("bob@example.com")]);
    tokio::join!(house.publish(&one), house.publish(&other));
    house.quiet().await;
    assert_eq!(house.attributions(&rosa).await.len(), 1, "one invitation, one referee");
}

async fn nobody_refers_their_own_mailbox(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let me = Person::new();
    published(&house, &sign_up(&me, "ada@gmail.com", JOINED)).await;
    let referrer = house.enrol(&me.account).await.expect("enrolled");
    let rosa = Rosa {
        id: referrer.id,
        person: me.id.clone(),
        account: me.account.clone(),
        code: referrer.code,
    };
    let again = AccountRegistered {
        referral_code: rosa.code.clone(),
        ..sign_up(&Person::new(), "a.d.a+second@googlemail.com", JOINED)
    };
    published(&house, &again).await;
    assert_eq!(
        house.attributions(&rosa).await,
        [],
        "another address of the same mailbox"
    );
    let bob = AccountRegistered {
        referral_code: rosa.code.clone(),
        ..sign_up(&Person::new(), "bob@gmail.com", JOINED)
    };
    published(&house, &bob).await;
    assert_eq!(house.attributions(&rosa).await.len(), 1);
}

async fn a_click_that_is_stored_after_the_sign_up_still_counts(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    let visitor = "0123456789abcdef-visitor".to_owned();
    let ada = Person::new();
    let event = AccountRegistered {
        link_cookie_id: visitor.clone(),
        ..sign_up(&ada, "ada@example.com", JOINED)
    };
    published(&house, &event).await;
    assert_eq!(house.attributions(&rosa).await, []);
    house.settled(&ada, 10_000, "2026-01-20").await;
    house.quiet().await;
    // The clock stands at the very moment of the sign-up.
    click(&house, &rosa.code, &visitor).await;
    assert_eq!(explained(&house, &rosa).await, [(Sort::Click, Verdict::Won, true)]);
    assert_eq!(house.total(&rosa, &ada).await, (10_000, 500, 0));
    house.move_clock("2026-02-01").await;
    let otto = house.referrer().await;
    click(&house, &otto.code, &visitor).await;
    assert_eq!(house.attributions(&otto).await, [], "it never moves");
}

// R23
async fn what_was_nobodys_code_at_the_sign_up_never_counts(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let (rosa, otto) = (house.referrer().await, house.referrer().await);
    let (ada, bob, cleo) = (Person::new(), Person::new(), Person::new());
    let typed = |person: &Person, visitor: &str, when: &str| AccountRegistered {
        referral_code: "ROSA-2026".to_owned(),
        link_cookie_id: visitor.to_owned(),
        ..sign_up(person, &format!("{visitor}@example.com"), when)
    };
    published(&house, &typed(&ada, "visitor-called-ada", JOINED)).await;
    published(&house, &typed(&cleo, "visitor-called-cleo", JOINED)).await;
    // At the very moment of her sign-up.
    click(&house, &otto.code, "visitor-called-cleo").await;
    let expected = [
        (Sort::Code, Verdict::UnknownCode, false),
        (Sort::Click, Verdict::Won, true),
    ];
    assert_eq!(explained(&house, &otto).await, expected);

    house.move_clock("2026-01-16").await;
    claim(&house, &rosa, "ROSA-2026").await.expect("free");
    click(&house, &otto.code, "visitor-called-ada").await;
    published(&house, &typed(&ada, "visitor-called-ada", JOINED)).await;
    // The news of this sign-up is late.
    published(&house, &typed(&bob, "visitor-called-bob", JOINED)).await;
    assert_eq!(house.attributions(&rosa).await, [], "it was nobody's code then");
    assert_eq!(
        house.attributions(&otto).await.len(),
        1,
        "a click after the sign-up changes nothing"
    );
    published(&house, &typed(&Person::new(), "visitor-called-dora", "2026-01-16")).await;
    assert_eq!(explained(&house, &rosa).await, [(Sort::Code, Verdict::Won, true)]);
}

async fn a_rule_without_a_hire_passes_whoever_is_attributed(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    house.publish_standard().await;
    let rosa = house.referrer().await;
    let (before, after) = (Person::new(), Person::new());
    house.registered(&before, &rosa.code).await;
    house.quiet().await;
    let request = pb::SetScreeningRuleRequest {
        request_id: RequestId::new().to_string(),
        rule: Some(pb::ScreeningRule {
            name: "EVERYBODY".to_owned(),
            hired: false,
            unrelated: true,
            enabled: true,
        }),
    };
    house.screening().set_screening_rule(request).await.expect("set");
    house.registered(&after, &rosa.code).await;
    house.quiet().await;
    for (person, state) in [
        (&before, pb::ScreeningState::Queued),
        (&after, pb::ScreeningState::Passed),
    ] {
        let request = pb::GetScreeningRequest {
            person_id: person.id.clone(),
        };
        let told = house.screening().get_screening(request).await.expect("a case");
        assert_eq!(told.into_inner().state(), state);
    }
}

// R9, R10, R11
async fn each_link_makes_its_own_type_of_referral(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    for kind in [
        pb::ReferralKind::Friend,
        pb::ReferralKind::Freelancer,
        pb::ReferralKind::ThirdPartySite,
        pb::ReferralKind::Affiliate,
    ] {
        let request = pb::CreateLinkRequest {
            request_id: RequestId::new().to_string(),
            referrer_id: rosa.id.clone(),
            kind: kind.into(),
            source: "LinkedIn".to_owned(),
            ..Default::default()
        };
        let link = house
            .links()
            .create_link(request)
            .await
            .expect("a link")
            .into_inner()
            .link
            .expect("a link");
        let click = pb::RecordTouchRequest {
            link_id: link.id,
            ..touch(&rosa.code, "")
        };
        let answer = house
            .attributing()
            .record_touch(click)
            .await
            .expect("stored")
            .into_inner();
        let person = Person::new();
        let event = AccountRegistered {
            link_cookie_id: answer.visitor_id,
            ..sign_up(
                &person,
                &format!("{}@example.com", kind.as_str_name().to_lowercase()),
                JOINED,
            )
        };
        published(&house, &event).await;
        let attributions = house.attributions(&rosa).await;
        let made = attributions
            .iter()
            .find(|it| it.referee_person_id == person.id)
            .expect("an attribution");
        assert_eq!(made.kind(), kind);
    }
}
