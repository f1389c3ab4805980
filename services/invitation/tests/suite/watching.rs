//! Watching a client's invitations.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};
use vouch_primitives::{ClientId, EventId, InvitationId, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{self as pb, accept_invitation_request::Proof, invitation::State},
    onboarding::v1::OfferAccepted,
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::world::{SOON, World, at, fixed_terms, invite, refusal, request_id, start, violations};

on_both_databases! {
    every_change_is_seen_in_order,
    who_was_away_goes_on_where_they_were,
    many_at_once_are_resumed_in_the_midst,
    nothing_is_missed_while_many_write,
    a_client_has_ten_watches_at_most,
    what_cannot_be_watched,
}

type Changes = Streaming<pb::WatchInvitationsResponse>;

async fn watch(world: &World, client: &str, resume_token: &str) -> Result<Changes, Status> {
    let request = pb::WatchInvitationsRequest {
        client_id: client.to_owned(),
        resume_token: resume_token.to_owned(),
    };
    Ok(world.invitations.clone().watch_invitations(request).await?.into_inner())
}

/// The next change: of which invitation, where it stands, and what resumes after it.
async fn next(changes: &mut Changes) -> (String, State, String) {
    let answer = timeout(SOON, changes.message()).await.expect("in time");
    let answer = answer.expect("no refusal").expect("no end");
    let invitation = answer.invitation.expect("an invitation");
    (invitation.id.clone(), invitation.state(), answer.resume_token)
}

async fn every_change_is_seen_in_order(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.client(pb::Plan::Enterprise).await;
    let other = world.client(pb::Plan::Enterprise).await;
    let mut changes = watch(&world, &client.id, "").await.expect("a stream");
    let mut seen = async |id: &str, state| {
        let (changed, now, _) = next(&mut changes).await;
        assert_eq!((changed.as_str(), now), (id, state));
    };
    let send = async |client: &pb::Client, email: &str| world.send(invite(&client.id, email)).await.expect("sent").id;
    let ada = send(&client, "ada@example.com").await;
    seen(&ada, State::Pending).await;
    let bea = send(&client, "bea@example.com").await;
    seen(&bea, State::Pending).await;
    send(&other, "cid@example.com").await;
    world.withdraw(&bea).await.expect("withdrawn");
    seen(&bea, State::Withdrawn).await;
    let token = world.token_for("ada@example.com").await;
    world.resend(&ada).await.expect("sent again");
    seen(&ada, State::Pending).await;
    assert_eq!(
        refusal(world.decline(&token, "").await).0,
        Code::NotFound,
        "that changes nothing"
    );
    let token = world.tokens_for("ada@example.com", 2).await.remove(1);
    world.decline(&token, "").await.expect("declined");
    seen(&ada, State::Declined).await;

    let dan = send(&client, "dan@example.com").await;
    seen(&dan, State::Pending).await;
    let proof = Proof::VerifiedEmail("dan@example.com".to_owned());
    world.accept(&dan, PersonId::new(), proof).await.expect("accepted");
    seen(&dan, State::Accepted).await;
    let hired = OfferAccepted {
        invitation_id: dan.clone(),
        accept_time: Some(to_wire_time(start())),
        ..OfferAccepted::default()
    };
    world.hear(EventId::new(), "/vouch/onboarding", &hired).await;
    seen(&dan, State::Accepted).await;
    let eve = send(&client, "eve@example.com").await;
    seen(&eve, State::Pending).await;
    world.clock.set(at("2026-04-15T00:00:00Z")).expect("forwards");
    seen(&eve, State::Expired).await;
    // A stream that is watched does not keep the service from stopping.
    world.stop().await;
}

async fn who_was_away_goes_on_where_they_were(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.client(pb::Plan::Enterprise).await;
    let mut ids = Vec::new();
    for nth in 0..5 {
        let sent = world
            .send(invite(&client.id, &format!("talent{nth}@example.com")))
            .await;
        ids.push(sent.expect("sent").id);
    }
    let mut changes = watch(&world, &client.id, "").await.expect("a stream");
    let first = next(&mut changes).await;
    let second = next(&mut changes).await;
    assert_eq!([&first.0, &second.0], [&ids[0], &ids[1]]);
    drop(changes);
    // What changes twice comes once, as it stands then.
    world.resend(&ids[3]).await.expect("sent again");
    world.withdraw(&ids[3]).await.expect("withdrawn");
    let mut changes = watch(&world, &client.id, &second.2).await.expect("a stream");
    let rest = [
        next(&mut changes).await,
        next(&mut changes).await,
        next(&mut changes).await,
    ];
    let rest: Vec<_> = rest.into_iter().map(|(id, state, _)| (id, state)).collect();
    let expected = [
        (ids[2].clone(), State::Pending),
        (ids[4].clone(), State::Pending),
        (ids[3].clone(), State::Withdrawn),
    ];
    assert_eq!(rest, expected);
    world.stop().await;
}

async fn many_at_once_are_resumed_in_the_midst(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.client(pb::Plan::Enterprise).await;
    let draft = |nth: usize| pb::InvitationDraft {
        talent_type: pb::TalentType::Freelancer.into(),
        recipient_email: format!("talent{nth}@example.com"),
        content: Some(pb::invitation_draft::Content::ContractTerms(fixed_terms())),
        ..pb::InvitationDraft::default()
    };
    let request = pb::SendInvitationsRequest {
        request_id: request_id(),
        client_id: client.id.clone(),
        hiring_manager_id: String::new(),
        invitations: (0..250).map(draft).collect(),
    };
    world.invitations.clone().send_invitations(request).await.expect("sent");
    let (mut seen, mut token) = (BTreeSet::new(), String::new());
    while seen.len() < 250 {
        let mut changes = watch(&world, &client.id, &token).await.expect("a stream");
        for _ in 0..90.min(250 - seen.len()) {
            let (id, _, resume) = next(&mut changes).await;
            assert!(seen.insert(id), "nothing comes twice");
            token = resume;
        }
    }
    world.stop().await;
}

async fn nothing_is_missed_while_many_write(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.client(pb::Plan::Enterprise).await;
    let sending = join_all((0..60).map(|nth| {
        let email = format!("talent{nth}@example.com");
        let (world, client) = (&world, &client);
        async move {
            let id = world.send(invite(&client.id, &email)).await.expect("sent").id;
            if nth % 2 == 0 {
                world.withdraw(&id).await.expect("withdrawn");
            }
            id
        }
    }));
    let watching = async {
        let (mut seen, mut token) = (BTreeMap::new(), String::new());
        while seen.values().filter(|state| **state == State::Withdrawn).count() < 30 || seen.len() < 60 {
            // Again and again from where it was left.
            let mut changes = watch(&world, &client.id, &token).await.expect("a stream");
            for _ in 0..7 {
                let (id, state, resume) = match timeout(SOON, next(&mut changes)).await {
                    Ok(change) => change,
                    Err(_) => panic!("{} of 60 were seen", seen.len()),
                };
                seen.insert(id, state);
                token = resume;
                if seen.values().filter(|state| **state == State::Withdrawn).count() == 30 && seen.len() == 60 {
                    break;
                }
            }
        }
        seen
    };
    let (sent, seen) = futures::join!(sending, watching);
    for (nth, id) in sent.iter().enumerate() {
        let expected = if nth % 2 == 0 { State::Withdrawn } else { State::Pending };
        assert_eq!(seen.get(id), Some(&expected), "the last that is seen is how it stands");
    }
    world.stop().await;
}

async fn a_client_has_ten_watches_at_most(database: TestDatabase) {
    let world = World::new(database).await;
    let (client, other) = (world.acme().await, world.client(pb::Plan::Basic).await);
    let watches = join_all((0..10).map(|_| watch(&world, &client.id, ""))).await;
    let mut watches: Vec<_> = watches.into_iter().map(|watch| watch.expect("a stream")).collect();
    let overloaded = (Code::Unavailable, "OVERLOADED".to_owned());
    assert_eq!(refusal(watch(&world, &client.id, "").await), overloaded);
    watch(&world, &other.id, "").await.expect("another client's");
    watches.pop();
    eventually("one has ended", SOON, async || {
        match watch(&world, &client.id, "").await {
            Ok(_) => Ok(()),
            Err(status) => Err(status.to_string()),
        }
    })
    .await;
    world.stop().await;
}

async fn what_cannot_be_watched(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let nobody = watch(&world, &ClientId::new().to_string(), "").await;
    assert_eq!(refusal(nobody).0, Code::NotFound);
    for token in ["x", "1.", &format!("-1.{}", InvitationId::new())] {
        assert_eq!(
            violations(watch(&world, &client.id, token).await),
            ["resume_token INVALID_FORMAT"]
        );
    }
    world.stop().await;
}
