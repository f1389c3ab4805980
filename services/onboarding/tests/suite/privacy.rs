//! Events carry opaque ids: streams cannot be cleaned later.

use vouch_primitives::Uuid;
use vouch_proto::onboarding::v1 as pb;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    example::{acceptance, activation, fixed_terms},
    tables::{payloads, told},
    world::World,
};

on_both_databases! { no_event_carries_a_name_or_an_address }

async fn no_event_carries_a_name_or_an_address(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let answer = world
        .activate(activation(&invitation, "ada@home.example"))
        .await
        .expect("an account");
    world
        .verify(&world.token_for("ada@home.example").await)
        .await
        .expect("verified");
    let case = answer.case.expect("a case");
    world.review(&case.id).await.expect("reviewed");
    world
        .accept(acceptance(&case, "Hello Grace, you reach me at 555-0100."))
        .await
        .expect("accepted");

    let events = payloads(&world.db).await;
    assert_eq!(events.len(), 3, "registered, verified, accepted");
    assert_eq!(told::<pb::OfferAccepted>(&world.db).await.len(), 1);
    for personal in [
        "Ada",
        "Lovelace",
        "ada@",
        "example",
        "Grace",
        "Hopper",
        "Acme",
        "555-0100",
        "Europe/London",
    ] {
        for event in &events {
            let event = without_ids(&String::from_utf8_lossy(event)).to_lowercase();
            assert!(!event.contains(&personal.to_lowercase()), "{personal} is in {event:?}");
        }
    }
    world.stop().await;
}

/// The text without the ids in it, whose digits may come to a name. An id stands behind its length, 36, which is `$`.
fn without_ids(text: &str) -> String {
    let is_id = |text: &&str| text.parse::<Uuid>().is_ok();
    let parts = text.split('$').map(|part| match part.get(..36).filter(is_id) {
        Some(id) => &part[id.len()..],
        None => part,
    });
    parts.collect()
}
