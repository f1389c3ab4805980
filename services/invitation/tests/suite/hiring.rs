//! Onboarding tells that an offer was accepted.

use vouch_messaging::dead_letter;
use vouch_primitives::{EventId, InvitationId, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::accept_invitation_request::Proof,
    onboarding::v1::{AccountRegistered, OfferAccepted},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::world::{SOON, World, at, invite};

on_both_databases! { an_accepted_offer_is_a_hire_once, a_hire_of_nobody_is_set_aside }

fn accepted(invitation_id: &str, time: &str) -> OfferAccepted {
    OfferAccepted {
        invitation_id: invitation_id.to_owned(),
        accept_time: Some(to_wire_time(at(time))),
        ..OfferAccepted::default()
    }
}

async fn an_accepted_offer_is_a_hire_once(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let mut ids = Vec::new();
    for recipient in ["ada@example.com", "joan@example.com", "eve@example.com"] {
        let id = world
            .send(invite(&client.id, recipient))
            .await
            .expect("an invitation")
            .id;
        let proof = Proof::VerifiedEmail(recipient.to_owned());
        world.accept(&id, PersonId::new(), proof).await.expect("accepted");
        ids.push(id);
    }
    // The same event twice, and the same fact under another id: each is harmless, in whatever batch.
    let (event, hired) = (EventId::new(), accepted(&ids[0], "2026-03-05T10:00:00Z"));
    world.hear(event, "/vouch/onboarding", &hired).await;
    world.hear(event, "/vouch/onboarding", &hired).await;
    world.hear(EventId::new(), "/vouch/onboarding", &hired).await;
    world
        .hear(
            EventId::new(),
            "/vouch/onboarding",
            &accepted(&ids[1], "2026-03-06T10:00:00Z"),
        )
        .await;
    let expected = Some(to_wire_time(at("2026-03-05T10:00:00Z")));
    world
        .until(&ids[0], "ada is hired", |now| now.hire_time == expected)
        .await;
    let other = Some(to_wire_time(at("2026-03-06T10:00:00Z")));
    world
        .until(&ids[1], "joan is hired", |now| now.hire_time == other)
        .await;

    world
        .hear(
            EventId::new(),
            "/vouch/onboarding",
            &accepted(&ids[0], "2026-04-01T00:00:00Z"),
        )
        .await;
    world
        .hear(
            EventId::new(),
            "/vouch/onboarding",
            &accepted(&ids[2], "2026-04-01T00:00:00Z"),
        )
        .await;
    world
        .until(&ids[2], "eve is hired", |now| now.hire_time.is_some())
        .await;
    let ada = world.get(&ids[0]).await.expect("the invitation");
    assert_eq!(ada.hire_time, expected, "the first one counts");
    assert_eq!(dead_letter::count(world.db.reader()).await.expect("a number"), 0);
    world.stop().await;
}

async fn a_hire_of_nobody_is_set_aside(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let open = world
        .send(invite(&invitation.client_id, "joan@example.com"))
        .await
        .expect("an invitation");
    let proof = Proof::VerifiedEmail("ada@example.com".to_owned());
    world
        .accept(&invitation.id, PersonId::new(), proof)
        .await
        .expect("accepted");
    world
        .hear(EventId::new(), "/vouch/onboarding", &AccountRegistered::default())
        .await;
    let bad = [
        accepted(&InvitationId::new().to_string(), "2026-03-05"),
        accepted(&open.id, "2026-03-05"),
        accepted("ada", "2026-03-05"),
        OfferAccepted {
            accept_time: None,
            ..accepted(&invitation.id, "2026-03-05")
        },
    ];
    for event in &bad {
        world.hear(EventId::new(), "/vouch/onboarding", event).await;
    }
    world
        .hear(
            EventId::new(),
            "/vouch/onboarding",
            &accepted(&invitation.id, "2026-03-06"),
        )
        .await;
    let expected = Some(to_wire_time(at("2026-03-06")));
    world
        .until(&invitation.id, "the good one is applied", |now| {
            now.hire_time == expected
        })
        .await;
    eventually("the bad ones are set aside", SOON, async || {
        match dead_letter::count(world.db.reader()).await {
            Ok(4) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    let still_open = world.get(&open.id).await.expect("the invitation");
    assert_eq!(still_open.hire_time, None);
    world.stop().await;
}
