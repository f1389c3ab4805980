//! Saying no to an offer [R31].

use tonic::Code;
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{self as pb, case, get_home_response::NextStep},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    example::{acceptance, at},
    tables::{count, told},
    world::{World, refusal},
};

on_both_databases! { an_offer_is_declined_once, what_was_accepted_cannot_be_declined }

async fn an_offer_is_declined_once(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, case) = world.ada().await;
    world.wait_until(at("2026-03-02"));
    let declined = world.decline(&case.id, "No time").await.expect("declined");
    let offer = declined.offer.clone().expect("an offer");
    assert_eq!(declined.state(), case::State::Declined);
    assert_eq!(
        (offer.decline_time, offer.decline_reason.as_str()),
        (Some(to_wire_time(at("2026-03-02"))), "No time")
    );
    assert_eq!(world.case(&case.id).await, declined);
    assert_eq!(
        world.decline(&case.id, "Still none").await.expect("declined before"),
        declined
    );
    let event = pb::OfferDeclined {
        offer_id: offer.id,
        invitation_id: case.invitation_id.clone(),
        client_id: case.client_id.clone(),
        person_id: ada.id.clone(),
        decline_time: Some(to_wire_time(at("2026-03-02"))),
    };
    assert_eq!(told::<pb::OfferDeclined>(&world.db).await, [event]);
    let gone = (Code::FailedPrecondition, "OFFER_DECLINED".to_owned());
    assert_eq!(refusal(world.review(&case.id).await), gone);
    assert_eq!(refusal(world.accept(acceptance(&case, "After all?")).await), gone);
    assert_eq!(
        world.home(&ada.id).await.expect("a home"),
        NextStep::NothingToDo(pb::NothingToDoStep {})
    );
    world.until_only_timers(&[]).await;
    world.wait_until(at("2026-05-01"));
    assert_eq!(count(&world.db, "room").await, 0);
    assert_eq!(told::<pb::OfferLapsed>(&world.db).await, []);
    world.stop().await;
}

async fn what_was_accepted_cannot_be_declined(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    world.accept(acceptance(&case, "Gladly.")).await.expect("accepted");
    assert_eq!(
        refusal(world.decline(&case.id, "").await),
        (Code::FailedPrecondition, "OFFER_ALREADY_ACCEPTED".to_owned())
    );
    world.stop().await;
}
