//! The end of an account, and of the end.

use sha2::{Digest, Sha256};
use tonic::Code;
use vouch_primitives::PersonId;
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{self as pb, case, get_home_response::NextStep},
    payments::v1::{ContractEnded, ContractStarted},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    example::{acceptance, activation, at, basic_information, fixed_terms, registration},
    hire::accepted,
    tables::{counts, told},
    world::{SOON, World, refusal},
};

on_both_databases! {
    open_offers_are_declined_along_with_it,
    a_closed_account_can_be_reopened,
    whoever_has_closed_the_account_begins_nothing,
    an_account_with_an_open_contract_stays_open,
    a_contract_may_end_before_it_is_heard_of,
    what_comes_after_the_end_is_declined,
    the_address_of_a_closed_account_stays_taken,
}

const CLOSED: &str = "ACCOUNT_CLOSED";

fn refused(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}

async fn open_offers_are_declined_along_with_it(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, first) = world.ada().await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let second = world.open_case(&ada.id, &invitation.id).await.expect("a case");
    world.decline(&second.id, "No time").await.expect("declined");
    world.wait_until(at("2026-03-02"));
    let now = Some(to_wire_time(at("2026-03-02")));
    let closed = world.close(&ada.id, "Enough").await.expect("closed");
    let expected = pb::Person {
        close_time: now,
        close_reason: "Enough".to_owned(),
        ..ada.clone()
    };
    assert_eq!(closed, expected);
    assert_eq!(world.person(&ada.id).await.expect("a person"), expected);
    assert_eq!(world.case(&first.id).await.state(), case::State::Declined);
    let step = pb::AccountClosedStep { close_time: now };
    assert_eq!(
        world.home(&ada.id).await.expect("a home"),
        NextStep::AccountClosed(step)
    );
    assert_eq!(
        refusal(world.accept(acceptance(&first, "Hello")).await),
        refused("OFFER_DECLINED")
    );

    let declined = told::<pb::OfferDeclined>(&world.db).await;
    let of: Vec<_> = declined.iter().map(|event| event.invitation_id.as_str()).collect();
    assert_eq!(of, [&second.invitation_id, &first.invitation_id]);
    let event = pb::AccountClosed {
        person_id: ada.id.clone(),
        close_time: now,
    };
    assert_eq!(told::<pb::AccountClosed>(&world.db).await, [event]);
    let released = pb::EmailReleased {
        person_id: ada.id.clone(),
        release_time: now,
        email_sha256: Sha256::digest("ada@example.com").to_vec(),
    };
    assert_eq!(told::<pb::EmailReleased>(&world.db).await, [released]);
    world.until_only_timers(&[]).await;

    world.wait_until(at("2026-03-03"));
    assert_eq!(world.close(&ada.id, "Again").await.expect("closed before"), expected);
    assert_eq!(told::<pb::AccountClosed>(&world.db).await.len(), 1);
    let nobody = world.close(&PersonId::new().to_string(), "").await;
    assert_eq!(refusal(nobody), (Code::NotFound, "NOT_FOUND".to_owned()));
    world.stop().await;
}

async fn a_closed_account_can_be_reopened(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case) = world.ada().await;
    assert_eq!(world.reopen(&ada.id).await.expect("it is open"), ada);
    assert_eq!(told::<pb::AccountReopened>(&world.db).await, []);
    world.close(&ada.id, "Enough").await.expect("closed");
    world.wait_until(at("2026-03-02"));
    assert_eq!(world.reopen(&ada.id).await.expect("reopened"), ada);
    let now = Some(to_wire_time(at("2026-03-02")));
    let event = pb::AccountReopened {
        person_id: ada.id.clone(),
        reopen_time: now,
    };
    assert_eq!(told::<pb::AccountReopened>(&world.db).await, [event]);
    let verified = told::<pb::EmailVerified>(&world.db).await;
    let times: Vec<_> = verified.iter().map(|event| event.verify_time).collect();
    assert_eq!(
        times,
        [ada.create_time, now],
        "what is sent to the address goes to the account again"
    );
    assert_eq!(world.case(&case.id).await.state(), case::State::Declined);
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    world.open_case(&ada.id, &invitation.id).await.expect("a case");
    world.stop().await;
}

async fn whoever_has_closed_the_account_begins_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    world.change_email(&ada.id, "ada@home.example").await.expect("asked");
    let token = world.token_for("ada@home.example").await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let closed = world.close(&ada.id, "").await.expect("closed");
    assert_eq!(closed.pending_email, "");
    let before = counts(&world.db).await;
    assert_eq!(refusal(world.open_case(&ada.id, &invitation.id).await), refused(CLOSED));
    let said = basic_information("Augusta", "");
    assert_eq!(refusal(world.update(&ada.id, said).await), refused(CLOSED));
    assert_eq!(
        refusal(world.change_email(&ada.id, "a@b.example").await),
        refused(CLOSED)
    );
    assert_eq!(refusal(world.resend(&ada.id).await), refused(CLOSED));
    let dead = (Code::NotFound, "UNKNOWN_VERIFICATION".to_owned());
    assert_eq!(refusal(world.verify(&token).await), dead);
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(
        world.invitations.get(&invitation.id),
        invitation,
        "nobody has accepted it"
    );
    world.stop().await;
}

/// Ada has accepted her offer: what payments tells of its contract.
async fn contract(world: &World) -> (pb::Person, pb::Case, ContractEnded) {
    let (ada, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let case = world.accept(acceptance(&case, "Hello")).await.expect("accepted");
    let offer = case.offer.clone().expect("an offer");
    let ended = ContractEnded {
        contract_id: offer.contract_id,
        offer_id: offer.id,
        client_id: case.client_id.clone(),
        person_id: ada.id.clone(),
        account_id: ada.account_id.clone(),
        end_time: Some(to_wire_time(at("2026-03-20"))),
    };
    (ada, case, ended)
}

async fn until_closed(world: &World, person: &str) {
    eventually("the account is closed", SOON, async || {
        world
            .close(person, "")
            .await
            .map(|_| ())
            .map_err(|status| status.to_string())
    })
    .await;
}

async fn an_account_with_an_open_contract_stays_open(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _, ended) = contract(&world).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let other = world.open_case(&ada.id, &invitation.id).await.expect("a case");
    let before = counts(&world.db).await;
    assert_eq!(refusal(world.close(&ada.id, "").await), refused("OPEN_CONTRACTS"));
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(world.case(&other.id).await, other, "nothing is declined");
    world.hear("/vouch/payments", &ended).await;
    until_closed(&world, &ada.id).await;
    assert_eq!(world.case(&other.id).await.state(), case::State::Declined);
    world.stop().await;
}

async fn a_contract_may_end_before_it_is_heard_of(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case, ended) = contract(&world).await;
    let begin_time = case.offer.clone().expect("an offer").accept_time;
    let started = ContractStarted {
        contract_id: ended.contract_id.clone(),
        offer_id: ended.offer_id.clone(),
        client_id: ended.client_id.clone(),
        person_id: ended.person_id.clone(),
        account_id: ended.account_id.clone(),
        begin_time,
    };
    for _ in 0..2 {
        world.hear("/vouch/payments", &ended).await;
    }
    until_closed(&world, &ada.id).await;
    let begun = world.case(&case.id).await.offer.expect("an offer").contract_start_time;
    assert_eq!(begun, begin_time);
    // The news of the start changes nothing; that of another contract's is heard after it.
    world.hear("/vouch/payments", &started).await;
    world.reopen(&ada.id).await.expect("reopened");
    until_closed(&world, &ada.id).await;
    let begun = world.case(&case.id).await.offer.expect("an offer").contract_start_time;
    assert_eq!(begun, begin_time);
    world.stop().await;
}

// R37
async fn what_comes_after_the_end_is_declined(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case) = world.ada().await;
    world.close(&ada.id, "").await.expect("closed");
    let hired = accepted(&world, &ada.id, true);
    world.hear("/vouch/invitation", &hired).await;
    let declined = eventually("both are declined", SOON, async || {
        let declined = told::<pb::OfferDeclined>(&world.db).await;
        (declined.len() == 2)
            .then_some(declined)
            .ok_or_else(|| "not yet".to_owned())
    })
    .await;
    let of: Vec<_> = declined.iter().map(|event| event.invitation_id.as_str()).collect();
    assert_eq!(of, [&case.invitation_id, &hired.invitation_id]);
    world.until_only_timers(&[]).await;
    world.stop().await;
}

async fn the_address_of_a_closed_account_stays_taken(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ada().await;
    world.close(&ada.id, "").await.expect("closed");
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let answer = world.activate(activation(&invitation, "ada@example.com")).await;
    assert_eq!(refusal(answer), (Code::AlreadyExists, "EMAIL_TAKEN".to_owned()));
    world.register(registration("ada@example.com")).await.expect("answered");
    let mail = world.mail_to("ada@example.com").await;
    assert!(mail.contains("You have an account already"), "{mail}");
    world.reopen(&ada.id).await.expect("reopened");
    world.open_case(&ada.id, &invitation.id).await.expect("a case");
    world.stop().await;
}
