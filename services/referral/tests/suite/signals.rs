//! What makes referrals look wrong, and what is made of it.

use sha2::{Digest, Sha256};
use tonic::Code;
use vouch_primitives::{PayoutMethodId, RequestId};
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::AccountRegistered,
    payments::v1::PayoutMethodAdded,
    referral::v1::{
        self as pb,
        signal::{Kind, State},
    },
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    JOINED,
    attributing::sign_up,
    harness::{House, Person, Rosa, at, envelope, minor},
    touches::touch,
};

on_both_databases! {
    a_burst_of_sign_ups_is_noticed,
    a_late_sign_up_makes_no_burst_of_usual_ones,
    an_address_for_a_moment_is_noticed,
    a_device_of_two_people_is_noticed,
    a_signal_is_appealed_against_and_closed,
    what_a_referee_is_worth_waits_until_somebody_has_looked,
    a_shared_payout_instrument_is_noticed_whenever_it_is_heard_of,
}

pub async fn waiting(house: &House) -> Vec<pb::Signal> {
    let request = pb::ListSignalsRequest {
        page_size: 100,
        ..Default::default()
    };
    house
        .signals()
        .list_signals(request)
        .await
        .expect("a page")
        .into_inner()
        .signals
}

async fn referred(house: &House, rosa: &Rosa, email: &str, cookie: &str) -> Person {
    let person = Person::new();
    let event = AccountRegistered {
        referral_code: rosa.code.clone(),
        link_cookie_id: cookie.to_owned(),
        ..sign_up(&person, email, JOINED)
    };
    house.publish(&[envelope(&event)]).await;
    house.quiet().await;
    person
}

pub async fn disposable(house: &House, domain: &str) {
    let request = pb::AddDisposableDomainRequest {
        request_id: RequestId::new().to_string(),
        domain: domain.to_owned(),
    };
    house.signals().add_disposable_domain(request).await.expect("added");
}

async fn a_burst_of_sign_ups_is_noticed(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let (rosa, otto) = (house.referrer().await, house.referrer().await);
    let events: Vec<_> = (0..10)
        .map(|_| house.registration(&Person::new(), &rosa.code))
        .collect();
    house.publish(&events).await;
    house.publish(&[house.registration(&Person::new(), &otto.code)]).await;
    house.quiet().await;
    assert_eq!(waiting(&house).await, [], "ten a day are usual");
    let eleventh = Person::new();
    house.publish(&[house.registration(&eleventh, &rosa.code)]).await;
    house.quiet().await;
    let signals = waiting(&house).await;
    assert_eq!(signals.len(), 1);
    assert_eq!((signals[0].kind(), signals[0].state()), (Kind::Velocity, State::Open));
    assert_eq!(
        (&signals[0].referee_person_id, &signals[0].referrer_id),
        (&eleventh.id, &rosa.id)
    );
    assert_eq!(house.attributions(&rosa).await.len(), 11, "nobody is dropped");
}

async fn a_late_sign_up_makes_no_burst_of_usual_ones(database: TestDatabase) {
    let house = House::start(&database, "2026-01-01").await;
    let rosa = house.referrer().await;
    let join = |when: &str| house.registration_at(at(when), &Person::new(), &rosa.code);
    let mut usual: Vec<_> = (0..10).map(|_| join("2026-01-10T12:00:00Z")).collect();
    usual.extend((0..10).map(|_| join("2026-01-11T12:00:00Z")));
    house.publish(&usual).await;
    house.quiet().await;
    house.publish(&[join("2026-01-02"), join("2026-01-12T12:00:00Z")]).await;
    house.quiet().await;
    assert_eq!(waiting(&house).await, [], "never more than ten in a day");
    house.publish(&[join("2026-01-11T11:59:59.999999Z")]).await;
    house.quiet().await;
    let signals = waiting(&house).await;
    assert_eq!(signals.len(), 1, "the eleventh of the day that ends with it");
    assert_eq!(signals[0].kind(), Kind::Velocity);
}

async fn an_address_for_a_moment_is_noticed(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    disposable(&house, "Moment.Example").await;
    disposable(&house, "another.example").await;
    let request = pb::RemoveDisposableDomainRequest {
        request_id: RequestId::new().to_string(),
        domain: "another.example".to_owned(),
    };
    house
        .signals()
        .remove_disposable_domain(request)
        .await
        .expect("removed");
    let listed = house
        .signals()
        .list_disposable_domains(pb::ListDisposableDomainsRequest::default())
        .await;
    assert_eq!(listed.expect("a page").into_inner().domains, ["moment.example"]);
    let ada = referred(&house, &rosa, "ada@moment.example", "").await;
    referred(&house, &rosa, "bob@another.example", "").await;
    let signals = waiting(&house).await;
    assert_eq!(signals.len(), 1);
    assert_eq!(
        (signals[0].kind(), &signals[0].referee_person_id),
        (Kind::DisposableDomain, &ada.id)
    );
}

async fn a_device_of_two_people_is_noticed(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let (rosa, otto) = (house.referrer().await, house.referrer().await);
    let hash = |text: &str| Sha256::digest(text).to_vec();
    let mut cookies = Vec::new();
    for (code, device, network) in [
        (&rosa.code, "a phone", "at home"),
        (&otto.code, "a phone", "at work"),
        (&rosa.code, "a desk", "at home"),
        (&otto.code, "a tablet", "at home"),
    ] {
        let click = pb::RecordTouchRequest {
            device_sha256: hash(device),
            network_sha256: hash(network),
            ..touch(code, "")
        };
        let answer = house.attributing().record_touch(click).await.expect("stored");
        cookies.push(answer.into_inner().visitor_id);
    }
    let mut people = Vec::new();
    for (nth, (rosa, cookie)) in [&rosa, &otto, &rosa, &otto].into_iter().zip(&cookies).enumerate() {
        people.push(
            referred(&house, rosa, &format!("friend{nth}@example.com"), cookie)
                .await
                .id,
        );
    }
    let mut told: Vec<_> = waiting(&house)
        .await
        .into_iter()
        .map(|signal| (signal.kind(), signal.referee_person_id))
        .collect();
    told.sort_unstable();
    let mut expected = [
        (Kind::SharedDevice, people[1].clone()),
        (Kind::SharedNetwork, people[2].clone()),
    ];
    expected.sort_unstable();
    assert_eq!(
        told, expected,
        "a network of another referrer's referee is a coincidence"
    );
}

async fn a_signal_is_appealed_against_and_closed(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    disposable(&house, "moment.example").await;
    referred(&house, &rosa, "ada@moment.example", "").await;
    let request = pb::ListReferrerSignalsRequest {
        referrer_id: rosa.id.clone(),
        ..Default::default()
    };
    let theirs = house
        .signals()
        .list_referrer_signals(request)
        .await
        .expect("a page")
        .into_inner()
        .signals;
    assert_eq!(theirs.len(), 1);
    let appeal = || pb::AppealSignalRequest {
        request_id: RequestId::new().to_string(),
        signal_id: theirs[0].id.clone(),
        message: "It is the address of a club.".to_owned(),
    };
    house.signals().appeal_signal(appeal()).await.expect("said");
    let again = house.signals().appeal_signal(appeal()).await.expect_err("one appeal");
    assert_eq!(
        (again.code(), &*house.reason(&again)),
        (Code::FailedPrecondition, "SIGNAL_APPEALED_BEFORE")
    );
    assert_eq!(waiting(&house).await[0].state(), State::Appealed);
    let close = |confirmed| pb::CloseSignalRequest {
        request_id: RequestId::new().to_string(),
        signal_id: theirs[0].id.clone(),
        confirmed,
        reason: "So it is.".to_owned(),
    };
    house.signals().close_signal(close(false)).await.expect("closed");
    house
        .signals()
        .close_signal(close(false))
        .await
        .expect("closed already");
    let other = house
        .signals()
        .close_signal(close(true))
        .await
        .expect_err("closed in another way");
    assert_eq!(house.reason(&other), "SIGNAL_CLOSED");
    assert_eq!(waiting(&house).await, []);
    let request = pb::ListSignalsRequest {
        closed: true,
        ..Default::default()
    };
    let closed = house
        .signals()
        .list_signals(request)
        .await
        .expect("a page")
        .into_inner()
        .signals;
    assert_eq!((closed[0].state(), &*closed[0].reason), (State::Cleared, "So it is."));
}

async fn close(house: &House, signal: &pb::Signal, confirmed: bool) {
    let request = pb::CloseSignalRequest {
        request_id: RequestId::new().to_string(),
        signal_id: signal.id.clone(),
        confirmed,
        reason: "Looked at.".to_owned(),
    };
    house.signals().close_signal(request).await.expect("closed");
    house.quiet().await;
}

/// What payments was told last of each total, in all.
fn last_told(told: &[pb::RewardReleased]) -> i64 {
    let mut totals = std::collections::BTreeMap::new();
    for release in told {
        totals.insert((&release.tie_id, release.kind), minor(&release.cumulative));
    }
    totals.values().sum()
}

// R21
async fn what_a_referee_is_worth_waits_until_somebody_has_looked(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    disposable(&house, "moment.example").await;
    let ada = referred(&house, &rosa, "ada@moment.example", "").await;
    let bob = referred(&house, &rosa, "bob@example.com", "").await;
    for person in [&ada, &bob] {
        house.settled(person, 10_000, "2026-01-20").await;
    }
    house.quiet().await;
    assert_eq!(last_told(&house.releases().await), 500, "that of bob alone");
    let earning = house.earning(&ada, 2_000, "2026-01-21");
    house.publish(&[house.settlement(&earning)]).await;
    house.quiet().await;
    let verdicts = house.verdicts(&rosa, &earning).await;
    assert_eq!(
        verdicts,
        [pb::EarningVerdict::HeldForSignal, pb::EarningVerdict::Waiting]
    );
    assert_eq!(minor(&house.whole_total(&rosa, &ada).await.held), 600);
    let signal = waiting(&house).await.remove(0);
    close(&house, &signal, false).await;
    assert_eq!(last_told(&house.releases().await), 600, "it was nothing");
    assert_eq!(minor(&house.whole_total(&rosa, &ada).await.held), 0);
}

async fn pays_out_to(house: &House, account: &str, place: &str) {
    let added = PayoutMethodAdded {
        payout_method_id: PayoutMethodId::new().to_string(),
        account_id: account.to_owned(),
        fingerprint_sha256: Sha256::digest(place).to_vec(),
        add_time: Some(to_wire_time(at(JOINED))),
    };
    house.publish(&[envelope(&added)]).await;
    house.quiet().await;
}

async fn a_shared_payout_instrument_is_noticed_whenever_it_is_heard_of(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let owner = Person::new();
    let rosa = house.enrolled(&owner).await;
    let other = house.referrer().await;
    let ada = referred(&house, &rosa, "ada@example.com", "").await;
    let bob = referred(&house, &other, "bob@example.com", "").await;
    house.settled(&ada, 10_000, "2026-01-20").await;
    house.quiet().await;
    assert_eq!(last_told(&house.releases().await), 500);
    pays_out_to(&house, &bob.account, "one bank account").await;
    pays_out_to(&house, &ada.account, "one bank account").await;
    assert_eq!(waiting(&house).await, [], "referees of two referrers may be a couple");

    // The referrer's own money goes there: what was released stays, and nothing more is.
    pays_out_to(&house, &owner.account, "one bank account").await;
    let signals = waiting(&house).await;
    let told: Vec<_> = signals.iter().map(|it| (it.kind(), &it.referee_person_id)).collect();
    assert_eq!(told, [(Kind::SharedPayoutInstrument, &ada.id)]);
    house.settled(&ada, 10_000, "2026-01-21").await;
    house.quiet().await;
    assert!(house.releases().await.is_empty());
    assert_eq!(minor(&house.whole_total(&rosa, &ada).await.held), 500);
    // It was right: all is taken back.
    close(&house, &signals[0], true).await;
    let told = house.releases().await;
    assert_eq!((told.len(), last_told(&told)), (1, 0));

    // Where somebody's money goes may be known before they are attributed.
    let cleo = Person::new();
    pays_out_to(&house, &cleo.account, "one bank account").await;
    house.registered(&cleo, &rosa.code).await;
    house.settled(&cleo, 10_000, "2026-01-22").await;
    house.quiet().await;
    let signals = waiting(&house).await;
    assert_eq!(signals.len(), 1, "{signals:?}");
    assert_eq!(
        (signals[0].kind(), &signals[0].referee_person_id),
        (Kind::SharedPayoutInstrument, &cleo.id)
    );
    assert!(house.releases().await.is_empty());
}
