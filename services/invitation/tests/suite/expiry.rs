//! Nobody answers in time.

use tonic::Code;
use vouch_primitives::{PersonId, Timestamp};
use vouch_proto::invitation::v1::{self as pb, accept_invitation_request::Proof, invitation::State};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    lookup::by_token,
    tables::{count, told},
    world::{World, at, refusal},
};

on_both_databases! { after_thirty_days_it_expires, what_was_accepted_never_expires }

async fn after_thirty_days_it_expires(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let token = world.token_for("ada@example.com").await;
    let end = at("2026-03-31T09:00:00Z");
    world
        .clock
        .set(Timestamp::from_micros(end.as_micros() - 1))
        .expect("forwards");
    world.look_up(&token).await.expect("open to the last microsecond");
    assert_eq!(world.open_invitations("ada@example.com").await.len(), 1);
    assert_eq!(
        world.get(&invitation.id).await.expect("the invitation").state(),
        State::Pending
    );

    world.clock.set(end).expect("forwards");
    // The moment counts, whether the timer has come round or not.
    world.look_up(&token).await.expect_err("closed at once");
    assert_eq!(world.open_invitations("ada@example.com").await, []);
    let expired = world
        .until(&invitation.id, "it expires", |now| now.state() == State::Expired)
        .await;
    assert_eq!((expired.accept_time, expired.person_id), (None, String::new()));
    let event = pb::InvitationExpired {
        invitation_id: invitation.id.clone(),
        client_id: invitation.client_id,
        expire_time: invitation.expire_time,
    };
    assert_eq!(told::<pb::InvitationExpired>(&world.db).await, [event]);
    for proof in [by_token(&token), Proof::VerifiedEmail("ada@example.com".to_owned())] {
        let refused = world.accept(&invitation.id, PersonId::new(), proof).await;
        assert_eq!(
            refusal(refused),
            (Code::FailedPrecondition, "INVITATION_EXPIRED".to_owned())
        );
    }
    world.stop().await;
}

async fn what_was_accepted_never_expires(database: TestDatabase) {
    let world = World::new(database).await;
    let accepted = world.invite_ada().await;
    let token = world.token_for("ada@example.com").await;
    world
        .accept(&accepted.id, PersonId::new(), by_token(&token))
        .await
        .expect("accepted");
    world.clock.set(at("2026-03-10")).expect("forwards");
    let other = world
        .send(crate::world::invite(&accepted.client_id, "joan@example.com"))
        .await
        .expect("an invitation");
    assert_eq!(count(&world.db, "timer").await, 2, "only the other one can expire");
    world.clock.set(at("2026-05-01")).expect("forwards");
    world
        .until(&other.id, "the other one expires", |now| now.state() == State::Expired)
        .await;
    assert_eq!(
        world.get(&accepted.id).await.expect("the invitation").state(),
        State::Accepted
    );
    let events = told::<pb::InvitationExpired>(&world.db).await;
    assert_eq!(
        events.iter().map(|event| &event.invitation_id).collect::<Vec<_>>(),
        [&other.id]
    );
    world.stop().await;
}
