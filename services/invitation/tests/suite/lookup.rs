//! Looking an invitation up by its token: it changes nothing, and tells strangers nothing.

use sha2::{Digest, Sha256};
use tonic::{Code, Status};
use vouch_primitives::PersonId;
use vouch_proto::invitation::v1::{self as pb, accept_invitation_request::Proof};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{counts, everything},
    world::{World, at, invite, violations},
};

on_both_databases! {
    looking_never_consumes,
    tokens_that_open_nothing_cannot_be_told_apart,
    the_token_is_in_the_e_mail_and_nowhere_else,
}

/// What accepts an invitation by its token.
pub fn by_token(token: &str) -> Proof {
    Proof::TokenSha256(Sha256::digest(token).to_vec())
}

async fn looking_never_consumes(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let token = world.token_for("ada@example.com").await;
    let is_sent = |invitation: &pb::Invitation| invitation.delivery.as_ref().is_some_and(|mail| mail.attempts == 1);
    let invitation = pb::Invitation {
        delivery: None,
        ..world.until(&invitation.id, "the e-mail is sent", is_sent).await
    };
    let before = counts(&world.db).await;
    for _ in 0..5 {
        assert_eq!(world.look_up(&token).await.expect("the invitation"), invitation);
    }
    assert_eq!(counts(&world.db).await, before);
    world
        .accept(&invitation.id, PersonId::new(), by_token(&token))
        .await
        .expect("it is still open");
    world.stop().await;
}

async fn tokens_that_open_nothing_cannot_be_told_apart(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let used = world
        .send(invite(&client.id, "ada@example.com"))
        .await
        .expect("an invitation");
    let used_token = world.token_for("ada@example.com").await;
    world
        .accept(&used.id, PersonId::new(), by_token(&used_token))
        .await
        .expect("accepted");
    let withdrawn = world
        .send(invite(&client.id, "kay@example.com"))
        .await
        .expect("an invitation");
    let withdrawn_token = world.token_for("kay@example.com").await;
    world.withdraw(&withdrawn.id).await.expect("withdrawn");
    world
        .send(invite(&client.id, "lin@example.com"))
        .await
        .expect("an invitation");
    let declined_token = world.token_for("lin@example.com").await;
    world.decline(&declined_token, "").await.expect("declined");
    let resent = world
        .send(invite(&client.id, "mia@example.com"))
        .await
        .expect("an invitation");
    let dead_token = world.token_for("mia@example.com").await;
    let expired = world
        .send(invite(&client.id, "joan@example.com"))
        .await
        .expect("an invitation");
    let expired_token = world.token_for("joan@example.com").await;
    world.clock.set(at("2026-03-31T09:00:00Z")).expect("forwards");
    let is_expired = |invitation: &pb::Invitation| invitation.state() == pb::invitation::State::Expired;
    world.until(&expired.id, "it expires", is_expired).await;
    // Open again for thirty days, but not by the first token.
    world.resend(&resent.id).await.expect("sent again");
    world
        .send(invite(&client.id, "late@example.com"))
        .await
        .expect("an invitation");
    let late_token = world.token_for("late@example.com").await;
    world.look_up(&late_token).await.expect("this one is open");

    let altered = late_token.chars().rev().collect::<String>();
    let dead = [
        altered.as_str(),
        &used_token,
        &withdrawn_token,
        &declined_token,
        &dead_token,
        &expired_token,
        "x",
        "a\0b",
        &"y".repeat(10_000),
    ];
    let (answers, work) = asked(&world, &dead).await;
    assert_eq!(work[0].len(), 1, "one query: {:?}", work[0]);
    assert!(
        work.iter().all(|queries| *queries == work[0]),
        "the same work: {work:#?}"
    );
    assert_eq!(answers[0].0, Code::NotFound);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(violations(world.look_up("").await), ["token REQUIRED"]);
    world.stop().await;
}

/// What is answered when these are looked up and declined, and what the database was asked for it.
async fn asked(world: &World, tokens: &[&str]) -> (Vec<Bytes>, Vec<Vec<String>>) {
    let (mut answers, mut work) = (Vec::new(), Vec::new());
    for token in tokens {
        world.asked_about("");
        answers.push(bytes(&world.look_up(token).await.expect_err("no open invitation")));
        work.push(world.asked_about("invitation_token"));
        answers.push(bytes(
            &world.decline(token, "no").await.expect_err("no open invitation"),
        ));
        work.push(world.asked_about("invitation_token"));
    }
    (answers, work)
}

type Bytes = (Code, String, Vec<u8>, Vec<String>);

/// All of a refusal that goes over the wire, without the date of the answer.
fn bytes(status: &Status) -> Bytes {
    let headers = status.metadata().keys().map(|key| format!("{key:?}")).collect();
    (
        status.code(),
        status.message().to_owned(),
        status.details().to_vec(),
        headers,
    )
}

async fn the_token_is_in_the_e_mail_and_nowhere_else(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let token = world.token_for("ada@example.com").await;
    assert_eq!(token.len(), 43, "256 bits");
    let is_sent = |invitation: &pb::Invitation| invitation.delivery.as_ref().is_some_and(|mail| mail.attempts == 1);
    world.until(&invitation.id, "the e-mail is sent", is_sent).await;
    world
        .accept(&invitation.id, PersonId::new(), by_token(&token))
        .await
        .expect("accepted");
    let stored = everything(&world.db).await.to_lowercase();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert!(stored.contains("ada@example.com"), "texts are searched");
    assert!(stored.contains(&hex(&Sha256::digest(&token))), "bytes are searched");
    assert!(!stored.contains(&token.to_lowercase()), "the token is stored as text");
    assert!(!stored.contains(&hex(token.as_bytes())), "the token is stored as bytes");
    world.stop().await;
}
