//! An offer that goes straight to somebody who has an account [R37].

use vouch_primitives::PersonId;
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{InvitationAccepted, invitation::State},
    onboarding::v1::{self as pb, case, get_home_response::NextStep},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    example::{fixed_terms, registration, start},
    invitations::Mood,
    tables::count,
    world::{SOON, World},
};

on_both_databases! {
    an_offer_opens_its_case_by_itself,
    an_invitation_that_somebody_accepted_opens_nothing_here,
}

async fn verified_ada(world: &World) -> pb::Person {
    let ada = world
        .register(registration("ada@example.com"))
        .await
        .expect("an account");
    world
        .verify(&world.token_for("ada@example.com").await)
        .await
        .expect("verified");
    ada
}

/// What the invitation service tells of an invitation that it has accepted for `person`.
pub fn accepted(world: &World, person: &str, hire: bool) -> InvitationAccepted {
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    world.invitations.change(&invitation.id, |it| {
        it.set_state(State::Accepted);
        it.person_id = person.to_owned();
        it.accept_time = Some(to_wire_time(start()));
    });
    InvitationAccepted {
        invitation_id: invitation.id,
        client_id: invitation.client_id,
        person_id: person.to_owned(),
        accept_time: Some(to_wire_time(start())),
        hire,
    }
}

async fn an_offer_opens_its_case_by_itself(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = verified_ada(&world).await;
    // Whatever the invitation service does meanwhile, and however often it is told.
    world.invitations.set(Mood::Away);
    let event = accepted(&world, &ada.id, true);
    for _ in 0..3 {
        world.hear("/vouch/invitation", &event).await;
    }
    eventually("it is begun, and tried in vain", SOON, async || {
        match count(&world.db, "timer WHERE last_error IS NOT NULL").await {
            1 => Ok(()),
            other => Err(format!("{other} were tried")),
        }
    })
    .await;
    assert_eq!(count(&world.db, "acceptance").await, 1);
    assert_eq!(count(&world.db, "onboarding_case").await, 0);
    world.invitations.set(Mood::Good);
    world.wait_until(start().add_days(1));
    let case = eventually("the case", SOON, async || match world.home(&ada.id).await {
        Ok(NextStep::OpenCase(case)) => Ok(case),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(
        (case.state(), &case.invitation_id),
        (case::State::ReviewContract, &event.invitation_id)
    );
    let again = world
        .open_case(&ada.id, &event.invitation_id)
        .await
        .expect("the same case");
    assert_eq!(again, case);
    world.until_only_timers(&["offer.lapse"]).await;
    world.stop().await;
}

async fn an_invitation_that_somebody_accepted_opens_nothing_here(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = verified_ada(&world).await;
    world
        .hear(
            "/vouch/invitation",
            &accepted(&world, &PersonId::new().to_string(), false),
        )
        .await;
    let event = accepted(&world, &ada.id, true);
    world.hear("/vouch/invitation", &event).await;
    eventually("the case of the offer", SOON, async || {
        match world.home(&ada.id).await {
            Ok(NextStep::OpenCase(case)) if case.invitation_id == event.invitation_id => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(count(&world.db, "acceptance").await, 1);
    world.stop().await;
}
