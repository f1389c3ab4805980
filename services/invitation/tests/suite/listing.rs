//! Lists of invitations.

use vouch_primitives::{ClientId, InvitationId, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{self as pb, accept_invitation_request::Proof, invitation::State},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::world::{World, at, invite, refusal, violations};

on_both_databases! {
    pages_stay_as_they_are_while_invitations_arrive,
    a_bad_list_is_told_everything,
    open_invitations_come_oldest_first,
    a_filter_leaves_out_the_rest,
    every_invitation_is_counted_where_it_stands,
}

async fn page(world: &World, client_id: &str, page_size: u32, token: &str) -> pb::ListInvitationsResponse {
    let request = pb::ListInvitationsRequest {
        client_id: client_id.to_owned(),
        page_size,
        page_token: token.to_owned(),
        ..Default::default()
    };
    world
        .invitations
        .clone()
        .list_invitations(request)
        .await
        .expect("a page")
        .into_inner()
}

async fn pages_stay_as_they_are_while_invitations_arrive(database: TestDatabase) {
    let world = World::new(database).await;
    let (client, other) = (world.acme().await, world.acme().await);
    let mut sent = Vec::new();
    for number in 0..7 {
        sent.push(
            world
                .send(invite(&client.id, &format!("talent{number}@example.com")))
                .await
                .expect("an invitation")
                .id,
        );
        world
            .send(invite(&other.id, &format!("other{number}@example.com")))
            .await
            .expect("an invitation");
    }
    sent.reverse();
    let (mut listed, mut token, mut sizes) = (Vec::new(), String::new(), Vec::new());
    loop {
        let answer = page(&world, &client.id, 3, &token).await;
        sizes.push(answer.invitations.len());
        listed.extend(answer.invitations.into_iter().map(|invitation| invitation.id));
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
        world
            .send(invite(&client.id, "newcomer@example.com"))
            .await
            .expect("an invitation");
    }
    assert_eq!(listed, sent, "newest first, each once");
    assert_eq!(sizes, [3, 3, 1]);
    let all = page(&world, &client.id, 0, "").await;
    assert_eq!((all.invitations.len(), all.next_page_token.as_str()), (9, ""));
    let exactly = page(&world, &client.id, 9, "").await;
    assert_eq!((exactly.invitations.len(), exactly.next_page_token.as_str()), (9, ""));
    assert!(all.invitations.iter().all(|invitation| invitation.delivery.is_some()));
    world.stop().await;
}

async fn a_bad_list_is_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let mut service = world.invitations.clone();
    let request = pb::ListInvitationsRequest {
        client_id: "acme".to_owned(),
        page_size: 101,
        page_token: "2".to_owned(),
        filter: Some(pb::InvitationFilter {
            states: vec![State::Pending.into(), 77],
            recipient_email: "ada@".to_owned(),
            from_time: Some(to_wire_time(at("2026-03-02"))),
            until_time: Some(to_wire_time(at("2026-03-02"))),
        }),
        oldest_first: true,
    };
    let told = violations(service.list_invitations(request).await);
    assert_eq!(
        told,
        [
            "client_id INVALID_FORMAT",
            "page_size OUT_OF_RANGE",
            "page_token INVALID_FORMAT",
            "filter.until_time OUT_OF_RANGE",
            "filter.recipient_email INVALID_FORMAT",
            "filter.states[1] OUT_OF_RANGE",
        ]
    );
    let request = pb::ListInvitationsRequest {
        client_id: ClientId::new().to_string(),
        ..Default::default()
    };
    assert_eq!(refusal(service.list_invitations(request).await).1, "NOT_FOUND");
    let request = pb::ListOpenInvitationsRequest {
        verified_email: "ada@".to_owned(),
        page_size: 101,
        page_token: "2".to_owned(),
    };
    assert_eq!(
        violations(service.list_open_invitations(request).await),
        [
            "verified_email INVALID_FORMAT",
            "page_size OUT_OF_RANGE",
            "page_token INVALID_FORMAT"
        ]
    );
    assert_eq!(violations(world.get("7").await), ["invitation_id INVALID_FORMAT"]);
    assert_eq!(
        refusal(world.get(&InvitationId::new().to_string()).await).1,
        "NOT_FOUND"
    );
    world.stop().await;
}

async fn open_invitations_come_oldest_first(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let mut ids = Vec::new();
    for recipient in [
        "Ada@example.com",
        "eve@example.com",
        "ada@EXAMPLE.com",
        "ada@example.com",
    ] {
        ids.push(
            world
                .send(invite(&client.id, recipient))
                .await
                .expect("an invitation")
                .id,
        );
    }
    let open = async || -> Vec<String> {
        world
            .open_invitations(" ADA@example.com ")
            .await
            .into_iter()
            .map(|invitation| invitation.id)
            .collect()
    };
    assert_eq!(open().await, [&*ids[0], &ids[2], &ids[3]]);
    let (mut in_pages, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListOpenInvitationsRequest {
            verified_email: "ada@example.com".to_owned(),
            page_size: 1,
            page_token,
        };
        let answer = world.invitations.clone().list_open_invitations(request).await;
        let answer = answer.expect("a page").into_inner();
        assert_eq!(answer.invitations.len(), 1);
        assert_eq!(answer.invitations[0].delivery, None);
        in_pages.extend(answer.invitations.into_iter().map(|invitation| invitation.id));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(in_pages, [&*ids[0], &ids[2], &ids[3]]);
    let proof = Proof::VerifiedEmail("ada@example.com".to_owned());
    world.accept(&ids[0], PersonId::new(), proof).await.expect("accepted");
    assert_eq!(open().await, [&*ids[2], &ids[3]]);
    assert_eq!(world.open_invitations("nobody@example.com").await, []);
    world.stop().await;
}

/// Of Acme: accepted, withdrawn, declined, sent again on the 5th of March, and sent for the first time on that day.
async fn one_of_each(world: &World) -> pb::Client {
    let client = world.acme().await;
    let mut ids = Vec::new();
    for name in ["ada", "bo", "cy", "di"] {
        let sent = world.send(invite(&client.id, &format!("{name}@example.com"))).await;
        ids.push(sent.expect("an invitation").id);
    }
    let proof = Proof::VerifiedEmail("ada@example.com".to_owned());
    let accepted = world.accept(&ids[0], PersonId::new(), proof).await;
    accepted.expect("accepted");
    world.withdraw(&ids[1]).await.expect("withdrawn");
    let token = world.token_for("cy@example.com").await;
    world.decline(&token, "").await.expect("declined");
    world.clock.set(at("2026-03-05")).expect("forwards");
    world.resend(&ids[3]).await.expect("sent again");
    let another = world.send(invite(&client.id, "ada@example.com")).await;
    another.expect("an invitation");
    client
}

/// Whose invitations are listed, in pages of one.
async fn listed(world: &World, client: &pb::Client, filter: &pb::InvitationFilter, oldest_first: bool) -> String {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListInvitationsRequest {
            client_id: client.id.clone(),
            page_size: 1,
            page_token,
            filter: Some(filter.clone()),
            oldest_first,
        };
        let answer = world.invitations.clone().list_invitations(request).await;
        let answer = answer.expect("a page").into_inner();
        found.extend(answer.invitations.into_iter().map(|it| it.recipient_email));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return found.join(" ").replace("@example.com", "");
        }
    }
}

async fn a_filter_leaves_out_the_rest(database: TestDatabase) {
    let world = World::new(database).await;
    let client = one_of_each(&world).await;
    let states = |states: &[State]| pb::InvitationFilter {
        states: states.iter().map(|state| i32::from(*state)).collect(),
        ..Default::default()
    };
    let march = Some(to_wire_time(at("2026-03-05")));
    let early = pb::InvitationFilter {
        until_time: march,
        ..Default::default()
    };
    let late = pb::InvitationFilter {
        from_time: march,
        ..Default::default()
    };
    let to_ada = pb::InvitationFilter {
        recipient_email: "ADA@example.com".to_owned(),
        ..Default::default()
    };
    for (filter, oldest_first, found) in [
        (states(&[]), false, "ada di cy bo ada"),
        (states(&[]), true, "ada bo cy di ada"),
        (states(&[State::Pending]), true, "di ada"),
        (states(&[State::Withdrawn, State::Declined]), false, "cy bo"),
        (states(&[State::Expired]), false, ""),
        (early, true, "ada bo cy"),
        (late, true, "di ada"),
        (to_ada, true, "ada ada"),
    ] {
        assert_eq!(
            listed(&world, &client, &filter, oldest_first).await,
            found,
            "{filter:?}"
        );
    }
    world.stop().await;
}

async fn every_invitation_is_counted_where_it_stands(database: TestDatabase) {
    let world = World::new(database).await;
    let client = one_of_each(&world).await;
    let count = async |from_time, until_time| {
        let request = pb::CountInvitationsRequest {
            client_id: client.id.clone(),
            from_time,
            until_time,
        };
        let answer = world.invitations.clone().count_invitations(request).await;
        answer.expect("counts").into_inner()
    };
    let march = Some(to_wire_time(at("2026-03-05")));
    let all = pb::CountInvitationsResponse {
        pending: 2,
        accepted: 1,
        hired: 0,
        declined: 1,
        withdrawn: 1,
        expired: 0,
    };
    assert_eq!(count(None, None).await, all);
    assert_eq!(
        count(None, march).await,
        pb::CountInvitationsResponse { pending: 0, ..all }
    );
    let since = pb::CountInvitationsResponse {
        pending: 2,
        ..Default::default()
    };
    assert_eq!(count(march, None).await, since);
    world.stop().await;
}
