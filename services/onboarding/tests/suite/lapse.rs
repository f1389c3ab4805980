//! An offer that is not accepted in time.

use tonic::Code;
use vouch_primitives::Timestamp;
use vouch_proto::onboarding::v1::{self as pb, case, get_home_response::NextStep};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    example::{acceptance, at, fixed_terms, registration},
    tables::told,
    world::{SOON, World, refusal},
};

on_both_databases! { after_thirty_days_it_lapses, to_the_last_microsecond, what_was_accepted_never_lapses }

async fn after_thirty_days_it_lapses(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, first) = world.ada().await;
    world.review(&first.id).await.expect("reviewed");
    // A second offer that comes with an invitation a day later outlives the first.
    world.wait_until(at("2026-03-02T09:00:00Z"));
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    let second = world.open_case(&ada.id, &invitation.id).await.expect("a case");
    world.wait_until(at("2026-03-31T09:00:00Z"));
    until(&world, &first.id, case::State::Lapsed).await;
    let late = (Code::FailedPrecondition, "OFFER_LAPSED".to_owned());
    assert_eq!(refusal(world.accept(acceptance(&first, "Too late?")).await), late);
    assert_eq!(refusal(world.review(&first.id).await), late);
    assert_eq!(
        world.home(&ada.id).await.expect("a home"),
        NextStep::OpenCase(second.clone())
    );
    world.wait_until(at("2026-04-01T09:00:00Z"));
    until(&world, &second.id, case::State::Lapsed).await;
    assert_eq!(
        world.home(&ada.id).await.expect("a home"),
        NextStep::NothingToDo(pb::NothingToDoStep {})
    );
    assert_eq!(told::<pb::OfferAccepted>(&world.db).await, []);
    let lapsed = told::<pb::OfferLapsed>(&world.db).await;
    let of: Vec<_> = lapsed.iter().map(|event| event.invitation_id.as_str()).collect();
    assert_eq!(of, [&first.invitation_id, &second.invitation_id]);
    world.until_only_timers(&[]).await;
    world.stop().await;
}

/// The moment decides, not the timer, which may be late: both steps are asked for at once with the move of the clock.
async fn to_the_last_microsecond(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    let eve = world.invitations.send("eve@example.com", fixed_terms());
    let registered = world
        .register(registration("eve@example.com"))
        .await
        .expect("an account");
    world
        .verify(&world.token_for("eve@example.com").await)
        .await
        .expect("verified");
    let other = world.open_case(&registered.id, &eve.id).await.expect("a case");
    for case in [&case, &other] {
        world.review(&case.id).await.expect("reviewed");
    }
    let end = at("2026-03-31T09:00:00Z");
    world.wait_until(Timestamp::from_micros(end.as_micros() - 1));
    world
        .accept(acceptance(&case, "Just in time."))
        .await
        .expect("accepted");
    world.wait_until(end);
    let late = world.accept(acceptance(&other, "A moment later.")).await;
    assert_eq!(refusal(late), (Code::FailedPrecondition, "OFFER_LAPSED".to_owned()));
    world.stop().await;
}

async fn what_was_accepted_never_lapses(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    world.review(&case.id).await.expect("reviewed");
    let accepted = world.accept(acceptance(&case, "Gladly.")).await.expect("accepted");
    world.until_only_timers(&[]).await;
    world.wait_until(at("2027-03-01"));
    assert_eq!(world.case(&case.id).await, accepted);
    world.stop().await;
}

async fn until(world: &World, case_id: &str, state: case::State) {
    eventually("the case's state", SOON, async || {
        let found = world.case(case_id).await.state();
        if found == state {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
}
