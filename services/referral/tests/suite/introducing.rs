//! Letters that introduce their readers to a client, and who may introduce whom.

use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use sha2::{Digest, Sha256};
use tonic::{Code, Status};
use vouch_primitives::{ClientId, ContractId};
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{AccountRegistered, EmailVerified, PersonErased},
    referral::v1::{self as pb, ReferralKind, referral_invitation::Stage},
};
use vouch_testkit::{SmtpSink, TestDatabase, on_both_databases};

use crate::{
    JOINED,
    attributing::sign_up,
    harness::{House, Job, Person, Rosa, at, envelope, fields, minor},
    inviting::{accept, friend, letter, stages, token_in},
};

on_both_databases! {
    a_letter_of_introduction_pays_once_the_work_is_completed,
    a_member_is_introduced_by_accepting_the_letter,
    every_order_of_what_makes_a_member_known_comes_to_the_same,
    who_knew_the_client_before_brings_nothing_whenever_that_is_heard,
    who_was_introduced_first_stays_so_and_nobody_is_told,
    a_letter_of_introduction_names_a_client_of_the_referrers,
    what_is_said_in_an_introduction_goes_with_the_people,
    nobody_introduces_more_than_the_limit_allows,
}

/// When members answer: after they have registered.
const ANSWERED: &str = "2026-01-16T12:00:00Z";

/// Rosa under the standard terms, and a client for whom she has worked.
async fn rosa_and_her_client(database: &TestDatabase, sink: &SmtpSink) -> (House, Rosa, ClientId) {
    let house = House::mailing_to(database, JOINED, sink).await;
    house.publish_standard().await;
    let rosa = house.referrer().await;
    let client = ClientId::new();
    house.works(&rosa, client).await;
    (house, rosa, client)
}

async fn write(house: &House, rosa: &Rosa, kind: ReferralKind, client: &str, email: &str) -> Result<(), Status> {
    let request = pb::InviteFriendRequest {
        kind: kind.into(),
        client_id: client.to_owned(),
        ..friend(rosa, email)
    };
    house.inviting().invite_friend(request).await.map(drop)
}

/// Rosa writes a letter that names the client; its token. It is the only one to that address.
async fn written(
    (house, sink): (&House, &SmtpSink),
    rosa: &Rosa,
    kind: ReferralKind,
    client: ClientId,
    email: &str,
) -> String {
    write(house, rosa, kind, &client.to_string(), email)
        .await
        .expect("written");
    token_in(&letter(sink, email, 1).await)
}

/// A member with this address.
async fn member(house: &House, email: &str) -> Person {
    let person = Person::new();
    house.publish(&[envelope(&sign_up(&person, email, JOINED))]).await;
    house.quiet().await;
    person
}

fn job(client: ClientId) -> Job {
    Job {
        client,
        contract: ContractId::new(),
    }
}

/// Earnings, commission, and what of it was released.
fn totals(introduction: &pb::Introduction) -> [i64; 3] {
    let [total] = introduction.totals.as_slice() else {
        panic!("one currency, not {:?}", introduction.totals)
    };
    [minor(&total.earnings), minor(&total.commission), minor(&total.released)]
}

// R36, R29
async fn a_letter_of_introduction_pays_once_the_work_is_completed(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let (house, rosa, client) = rosa_and_her_client(&database, &sink).await;
    let mut people = Vec::new();
    for order in 0..3 {
        let email = format!("ada{order}@example.com");
        let kind = ReferralKind::ClientIntroduction;
        let token = written((&house, &sink), &rosa, kind, client, &email).await;
        let (ada, job) = (Person::new(), job(client));
        // With another address: the token shows who was invited.
        let registered = AccountRegistered {
            referral_invitation_sha256: Sha256::digest(&token).to_vec(),
            ..sign_up(&ada, &format!("countess{order}@example.com"), JOINED)
        };
        let earning = house.earning_of(&ada, job, 10_000, "2026-01-20");
        let mut facts = [
            envelope(&registered),
            house.started(&ada, job, "2026-01-16"),
            house.settlement(&earning),
        ];
        facts.rotate_left(order);
        // One after the other, so that each order is heard as such; and all of it twice.
        for fact in facts.clone().into_iter().chain(facts) {
            house.publish(&[fact]).await;
            house.quiet().await;
        }
        people.push((ada, job));
    }
    assert_eq!(stages(&house, &rosa).await, [Stage::Hired; 3]);
    assert_eq!(house.attributions(&rosa).await, [], "an introduction is no attribution");
    assert_eq!(house.introductions(&rosa).await.len(), 3);
    house.move_clock("2026-02-20").await;
    for (ada, job) in people {
        let introduction = async || {
            let mut all = house.introductions(&rosa).await;
            all.retain(|it| it.account_id == ada.account);
            all.pop().expect("an introduction")
        };
        let waiting = introduction().await;
        assert_eq!(
            (waiting.kind(), &waiting.client_id),
            (ReferralKind::ClientIntroduction, &client.to_string())
        );
        assert_eq!(waiting.introduce_time, Some(to_wire_time(at(JOINED))));
        assert_eq!(waiting.contract_ids, [job.contract.to_string()]);
        assert_eq!(totals(&waiting), [10_000, 0, 0], "not completed");
        house.publish(&[house.ended(&ada, job, "2026-02-19")]).await;
        house.quiet().await;
        assert_eq!(totals(&introduction().await), [10_000, 500, 500]);
    }
}

// R9, R18, R36
async fn a_member_is_introduced_by_accepting_the_letter(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let (house, rosa, client) = rosa_and_her_client(&database, &sink).await;
    house.move_clock(ANSWERED).await;
    for (kind, email) in [
        (ReferralKind::ClientIntroduction, "ada@example.com"),
        (ReferralKind::Freelancer, "bob@example.com"),
    ] {
        let person = member(&house, email).await;
        let token = written((&house, &sink), &rosa, kind, client, email).await;
        assert_eq!(
            stages(&house, &rosa).await[0],
            Stage::Sent,
            "nothing tells of the account"
        );
        let theirs = async || {
            let mut all = house.introductions(&rosa).await;
            all.retain(|it| it.account_id == person.account);
            all
        };
        assert_eq!(theirs().await, [], "nobody is introduced before they accept");
        let first = accept(&house, &token).await.expect("accepted");
        assert_eq!(accept(&house, &token).await.expect("accepted already"), first);
        let [introduced] = &*theirs().await else {
            panic!("one introduction")
        };
        assert_eq!((introduced.kind(), &introduced.client_id), (kind, &client.to_string()));
        assert_eq!(introduced.introduce_time, Some(to_wire_time(at(ANSWERED))));
        assert_eq!(
            stages(&house, &rosa).await[0],
            Stage::Registered,
            "as if they had signed up by it"
        );
        let job = job(client);
        let earning = house.earning_of(&person, job, 10_000, "2026-01-20");
        house
            .publish(&[
                house.started(&person, job, "2026-01-17"),
                house.settlement(&earning),
                house.ended(&person, job, "2026-01-30"),
            ])
            .await;
        house.quiet().await;
        assert_eq!(stages(&house, &rosa).await[0], Stage::Hired);
        let total = totals(&theirs().await[0]);
        assert_eq!(total, [10_000, 500, 0], "pending for the hold");
    }
    house.move_clock("2026-02-20").await;
    for introduction in house.introductions(&rosa).await {
        assert_eq!(totals(&introduction), [10_000, 500, 500]);
    }
    assert_eq!(house.attributions(&rosa).await, [], "members are nobody's referees");
}

// R18
async fn every_order_of_what_makes_a_member_known_comes_to_the_same(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let (house, rosa, client) = rosa_and_her_client(&database, &sink).await;
    house.move_clock(ANSWERED).await;
    for seed in 0..8 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (ada, job) = (Person::new(), job(client));
        let email = format!("ada{seed}@example.com");
        let kind = [ReferralKind::ClientIntroduction, ReferralKind::Freelancer][usize::from(seed % 2 == 1)];
        let token = written((&house, &sink), &rosa, kind, client, &email).await;
        let account = envelope(&sign_up(&ada, &format!("countess{seed}@example.com"), JOINED));
        let verified = envelope(&EmailVerified {
            person_id: ada.id.clone(),
            verify_time: Some(to_wire_time(at(JOINED))),
            email_sha256: Sha256::digest(&email).to_vec(),
            ..EmailVerified::default()
        });
        let earning = house.earning_of(&ada, job, 10_000, "2026-01-20");
        let (started, settled) = (
            house.started(&ada, job, "2026-01-16T12:00:01Z"),
            house.settlement(&earning),
        );
        let mut facts = [Some(account), Some(verified), Some(started), Some(settled), None];
        facts.shuffle(&mut rng);
        for fact in facts {
            match fact {
                Some(fact) => house.publish(&[fact]).await,
                None => drop(accept(&house, &token).await.expect("accepted")),
            }
            house.quiet().await;
        }
        let mut all = house.introductions(&rosa).await;
        all.retain(|it| it.account_id == ada.account);
        let [introduced] = &*all else {
            panic!("seed {seed}: {all:?}")
        };
        assert_eq!(introduced.kind(), kind, "seed {seed}");
        assert_eq!(
            introduced.introduce_time,
            Some(to_wire_time(at(ANSWERED))),
            "seed {seed}"
        );
        assert_eq!(introduced.contract_ids, [job.contract.to_string()], "seed {seed}");
        assert_eq!(minor(&introduced.totals[0].earnings), 10_000, "seed {seed}");
        assert_eq!(stages(&house, &rosa).await[0], Stage::Hired, "seed {seed}");
    }
    assert_eq!(house.attributions(&rosa).await, []);
}

async fn who_knew_the_client_before_brings_nothing_whenever_that_is_heard(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let (house, rosa, client) = rosa_and_her_client(&database, &sink).await;
    house.move_clock(ANSWERED).await;
    for order in 0..3 {
        let email = format!("ada{order}@example.com");
        let ada = member(&house, &email).await;
        let kind = ReferralKind::Freelancer;
        let token = written((&house, &sink), &rosa, kind, client, &email).await;
        let (before, later) = (job(client), job(client));
        let earning = house.earning_of(&ada, later, 10_000, "2026-01-20");
        let mut facts = [
            Some(house.started(&ada, before, "2026-01-16T11:59:59Z")),
            None,
            Some(house.started(&ada, later, "2026-01-17")),
        ];
        facts.rotate_left(order);
        for fact in facts.into_iter().chain([Some(house.settlement(&earning))]) {
            match fact {
                Some(fact) => house.publish(&[fact]).await,
                None => drop(accept(&house, &token).await.expect("accepted")),
            }
            house.quiet().await;
        }
        let mut all = house.introductions(&rosa).await;
        all.retain(|it| it.account_id == ada.account);
        assert_eq!(all.len(), 1, "it looks as any other does");
        assert_eq!(all[0].contract_ids, [""; 0], "order {order}");
        let commission: i64 = all[0].totals.iter().map(|total| minor(&total.commission)).sum();
        assert_eq!(commission, 0, "order {order}");
    }
}

async fn who_was_introduced_first_stays_so_and_nobody_is_told(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let (house, rosa, client) = rosa_and_her_client(&database, &sink).await;
    let otto = house.referrer().await;
    house.works(&otto, client).await;
    house.move_clock(ANSWERED).await;
    let ada = member(&house, "ada@example.com").await;
    let kind = ReferralKind::ClientIntroduction;
    let token = written((&house, &sink), &rosa, kind, client, "ada@example.com").await;
    let first = house.introduce(&otto, &ada, client, kind).await.expect("introduced");
    accept(&house, &token).await.expect("accepted");
    assert_eq!(house.introductions(&rosa).await, []);
    assert_eq!(house.introductions(&otto).await, [first]);
    assert_eq!(stages(&house, &rosa).await, [Stage::Registered]);

    // An address that turns out to be Rosa's own.
    let own = written((&house, &sink), &rosa, kind, client, "rosa.too@example.com").await;
    let verified = EmailVerified {
        person_id: rosa.person.clone(),
        verify_time: Some(to_wire_time(at(JOINED))),
        email_sha256: Sha256::digest("rosa.too@example.com").to_vec(),
        ..EmailVerified::default()
    };
    house.publish(&[envelope(&verified)]).await;
    house.quiet().await;
    accept(&house, &own).await.expect("accepted");
    assert_eq!(house.introductions(&rosa).await, [], "nobody introduces themselves");
}

// R36
async fn a_letter_of_introduction_names_a_client_of_the_referrers(database: TestDatabase) {
    let house = House::start(&database, JOINED).await;
    let rosa = house.referrer().await;
    for kind in [ReferralKind::ClientIntroduction, ReferralKind::Freelancer] {
        let nobody = write(&house, &rosa, kind, "", "ada@example.com").await;
        assert_eq!(fields(&nobody.expect_err("no client")), ["client_id"]);
        let stranger = ClientId::new().to_string();
        let refused = write(&house, &rosa, kind, &stranger, "ada@example.com").await;
        assert_eq!(house.reason(&refused.expect_err("a stranger")), "NOT_YOUR_CLIENT");
    }
    let stranger = ClientId::new().to_string();
    let friend = write(&house, &rosa, ReferralKind::Friend, &stranger, "ada@example.com").await;
    assert_eq!(fields(&friend.expect_err("a friend")), ["client_id"]);
}

async fn what_is_said_in_an_introduction_goes_with_the_people(database: TestDatabase) {
    let sink = SmtpSink::start().await.expect("a mail server");
    let (house, rosa, client) = rosa_and_her_client(&database, &sink).await;
    house.move_clock(ANSWERED).await;
    let ada = member(&house, "ada@example.com").await;
    let kind = ReferralKind::ClientIntroduction;
    let token = written((&house, &sink), &rosa, kind, client, "ada@example.com").await;
    accept(&house, &token).await.expect("accepted");
    let (bob, _) = house.introduced(&rosa, client).await;
    for (person, said) in [(&ada.id, "could do it"), (&bob.id, "You should meet")] {
        assert!(house.everything().await.contains(said), "{said} is kept");
        let erased = PersonErased {
            person_id: person.clone(),
            erase_time: Some(to_wire_time(at(ANSWERED))),
        };
        house.publish(&[envelope(&erased)]).await;
        house.quiet().await;
        assert!(!house.everything().await.contains(said), "{said} is kept");
    }
    assert_eq!(house.introductions(&rosa).await.len(), 2, "the books stay");
}

async fn nobody_introduces_more_than_the_limit_allows(database: TestDatabase) {
    let settings = [("LIMITS__INTRODUCTIONS_PER_DAY", "2".to_owned())];
    let house = House::start_with(&database, JOINED, &settings).await;
    let rosa = house.referrer().await;
    let client = ClientId::new();
    house.works(&rosa, client).await;
    let people: Vec<Person> = (0..4).map(|_| Person::new()).collect();
    for person in &people {
        house.known(person).await;
    }
    let calls = people
        .iter()
        .map(|person| house.introduce(&rosa, person, client, ReferralKind::ClientIntroduction));
    let made = futures::future::join_all(calls).await;
    let (made, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (2, 2), "two a day, however many at once");
    for refused in refused.into_iter().filter_map(Result::err) {
        assert_eq!(
            (refused.code(), &*house.reason(&refused)),
            (Code::ResourceExhausted, "INTRODUCTION_LIMIT_REACHED")
        );
    }
    house.move_clock("2026-01-16T00:00:00Z").await;
    house.introduced(&rosa, client).await;
}
