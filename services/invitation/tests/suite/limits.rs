//! How many invitations may be sent, and when there are more.

use std::time::Duration;

use futures::future::join_all;
use tonic::{Code, Status};
use tonic_types::StatusExt;
use vouch_proto::invitation::v1 as pb;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::counts,
    world::{World, at, invite, refusal},
};

on_both_databases! {
    a_plan_allows_so_many_a_day,
    an_address_gets_so_many_a_week,
    who_sends_at_once_gets_no_more,
}

fn wait(answer: Result<pb::Invitation, Status>, reason: &str) -> Duration {
    let status = answer.expect_err("a refusal");
    let wait = status.get_details_retry_info().and_then(|info| info.retry_delay);
    assert_eq!(refusal::<()>(Err(status)), (Code::ResourceExhausted, reason.to_owned()));
    wait.expect("when to try again")
}

async fn a_plan_allows_so_many_a_day(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let mut sent = Vec::new();
    for nth in 0..20 {
        let invitation = world
            .send(invite(&client.id, &format!("talent{nth}@example.com")))
            .await;
        sent.push(invitation.expect("an invitation").id);
    }
    let before = counts(&world.db).await;
    let over = world.send(invite(&client.id, "ada@example.com")).await;
    assert_eq!(
        wait(over, "INVITATION_LIMIT_REACHED"),
        Duration::from_secs(15 * 3_600),
        "until midnight"
    );
    let again = world.resend(&sent[0]).await;
    assert_eq!(
        wait(again, "INVITATION_LIMIT_REACHED"),
        Duration::from_secs(15 * 3_600),
        "nor the same again"
    );
    assert_eq!(counts(&world.db).await, before);
    // Another client has its own.
    let other = world.client(pb::Plan::Basic).await;
    world
        .send(invite(&other.id, "ada@example.com"))
        .await
        .expect("an invitation");
    world.clock.set(at("2026-03-02T00:00:00Z")).expect("forwards");
    world
        .send(invite(&client.id, "joan@example.com"))
        .await
        .expect("a new day");
    world.stop().await;
}

async fn an_address_gets_so_many_a_week(database: TestDatabase) {
    let world = World::new(database).await;
    world.clock.set(at("2026-03-02T09:00:00Z")).expect("a Monday");
    let [one, other] = [world.acme().await, world.client(pb::Plan::Enterprise).await];
    let first = world
        .send(invite(&one.id, "ada@example.com"))
        .await
        .expect("an invitation");
    world
        .send(invite(&other.id, "Ada@example.com"))
        .await
        .expect("an invitation");
    world.resend(&first.id).await.expect("sent again");
    let over = world.send(invite(&other.id, "ada@example.com")).await;
    let until_monday = Duration::from_secs(7 * 86_400 - 9 * 3_600);
    assert_eq!(wait(over, "ADDRESS_LIMIT_REACHED"), until_monday);
    world
        .send(invite(&other.id, "joan@example.com"))
        .await
        .expect("another address");
    world.clock.set(at("2026-03-09T00:00:00Z")).expect("forwards");
    world
        .send(invite(&other.id, "ada@example.com"))
        .await
        .expect("a new week");
    world.stop().await;
}

async fn who_sends_at_once_gets_no_more(database: TestDatabase) {
    let world = &World::new(database).await;
    let client = world.acme().await;
    let sent = (0..40).map(|nth| world.send(invite(&client.id, &format!("talent{nth}@example.com"))));
    let sent = join_all(sent).await;
    assert_eq!(sent.iter().filter(|answer| answer.is_ok()).count(), 20);
    let plans = [(); 10].map(|()| world.client(pb::Plan::Enterprise));
    let sent = join_all(plans).await;
    let sent = sent
        .iter()
        .map(|client| world.send(invite(&client.id, "ada@example.com")));
    let sent = join_all(sent).await;
    assert_eq!(
        sent.iter().filter(|answer| answer.is_ok()).count(),
        3,
        "from all clients together"
    );
}
