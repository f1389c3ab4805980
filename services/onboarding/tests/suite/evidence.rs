//! What shows at sign-up that somebody was referred [R2, R17, R23].

use sha2::{Digest, Sha256};
use vouch_proto::onboarding::v1 as pb;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    example::{activation, fixed_terms, of_address, registration},
    invitations::Mood,
    tables::told,
    world::World,
};

on_both_databases! {
    a_registration_carries_its_evidence,
    an_activation_carries_its_evidence_through_a_crash,
}

fn expected(person: &pb::Person) -> pb::AccountRegistered {
    pb::AccountRegistered {
        person_id: person.id.clone(),
        account_id: person.account_id.clone(),
        register_time: person.create_time,
        referral_code: "VCH2-K7QX".to_owned(),
        link_cookie_id: "0191-Click_7".to_owned(),
        referral_invitation_sha256: Sha256::digest("token-of-rosa").to_vec(),
        ..of_address("ada@example.com")
    }
}

// R2, R17
async fn a_registration_carries_its_evidence(database: TestDatabase) {
    let world = World::new(database).await;
    let request = pb::RegisterAccountRequest {
        referral_code: "vch2-k7qx".to_owned(),
        link_cookie_id: "0191-Click_7".to_owned(),
        referral_invitation_token: "token-of-rosa".to_owned(),
        ..registration("ada@example.com")
    };
    let person = world.register(request).await.expect("an account");
    assert_eq!(told::<pb::AccountRegistered>(&world.db).await, [expected(&person)]);
    world.stop().await;
}

// R23
async fn an_activation_carries_its_evidence_through_a_crash(database: TestDatabase) {
    let mut world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let request = pb::ActivateAccountRequest {
        referral_code: "vch2-k7qx".to_owned(),
        link_cookie_id: "0191-Click_7".to_owned(),
        referral_invitation_token: "token-of-rosa".to_owned(),
        ..activation(&invitation, "ada@example.com")
    };
    world.invitations.set(Mood::AnswerLost);
    world.activate(request.clone()).await.expect_err("the answer is lost");
    world.die_and_start_again().await;
    world.invitations.set(Mood::Good);
    let answer = world.activate(request).await.expect("an account");
    let person = answer.person.expect("a person");
    assert_eq!(told::<pb::AccountRegistered>(&world.db).await, [expected(&person)]);
    world.stop().await;
}
