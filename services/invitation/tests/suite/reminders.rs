//! Who has not answered is reminded, twice.

use vouch_primitives::PersonId;
use vouch_proto::invitation::v1::{self as pb, invitation::State};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    lookup::by_token,
    world::{World, at},
};

on_both_databases! {
    after_seven_and_after_twenty_one_days,
    who_has_answered_is_left_alone,
    a_clock_that_jumps_brings_one_reminder,
}

async fn after_seven_and_after_twenty_one_days(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    world.tokens_for("ada@example.com", 1).await;
    world.clock.set(at("2026-03-08T08:59:59Z")).expect("forwards");
    world.clock.set(at("2026-03-08T09:00:00Z")).expect("forwards");
    let tokens = world.tokens_for("ada@example.com", 2).await;
    assert_ne!(tokens[0], tokens[1]);
    world.clock.set(at("2026-03-22T09:00:00Z")).expect("forwards");
    let tokens = world.tokens_for("ada@example.com", 3).await;
    // Each of the three links opens it, and it still expires when it would have.
    for token in &tokens {
        let open = world.look_up(token).await.expect("open");
        assert_eq!(open.expire_time, invitation.expire_time);
    }
    let letters = world.letters();
    assert!(!letters[0].contains("Subject: Reminder"), "{}", letters[0]);
    for reminder in &letters[1..] {
        assert!(reminder.contains("Subject: Reminder: Acme invites you"), "{reminder}");
        assert!(reminder.contains("Acme is waiting for your answer"), "{reminder}");
    }
    world
        .accept(&invitation.id, PersonId::new(), by_token(&tokens[1]))
        .await
        .expect("by the link of the first reminder");
    world.stop().await;
}

async fn who_has_answered_is_left_alone(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let token = world.token_for("ada@example.com").await;
    world
        .accept(&invitation.id, PersonId::new(), by_token(&token))
        .await
        .expect("accepted");
    let other = world
        .send(crate::world::invite(&invitation.client_id, "joan@example.com"))
        .await
        .expect("an invitation");
    world.clock.set(at("2026-03-09")).expect("forwards");
    world.tokens_for("joan@example.com", 2).await;
    assert_eq!(world.mails(), 3, "none of them to Ada again");
    assert_eq!(world.get(&other.id).await.expect("it").state(), State::Pending);
    world.stop().await;
}

async fn a_clock_that_jumps_brings_one_reminder(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    world.tokens_for("ada@example.com", 1).await;
    world.clock.set(at("2026-03-25")).expect("forwards");
    world.tokens_for("ada@example.com", 2).await;
    world.clock.set(at("2026-04-01")).expect("forwards");
    let expired = |now: &pb::Invitation| now.state() == State::Expired;
    world.until(&invitation.id, "it expires", expired).await;
    assert_eq!(world.mails(), 2);
    world.stop().await;
}
