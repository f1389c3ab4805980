//! Sent again, withdrawn, declined.

use futures::future::join_all;
use tonic::{Code, Status};
use vouch_primitives::PersonId;
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{self as pb, invitation::State, mail_delivery},
};
use vouch_testkit::{SmtpSink, TestDatabase, on_both_databases};

use crate::{
    lookup::by_token,
    tables::{count, told},
    world::{World, at, invite, refusal, violations},
};

on_both_databases! {
    sending_again_kills_the_old_link_and_begins_anew,
    what_has_expired_is_sent_again,
    what_is_withdrawn_is_closed_for_everybody,
    whoever_has_the_token_may_decline,
    what_was_answered_stays_as_it_is,
    of_many_who_answer_at_once_one_is_heard,
    an_e_mail_that_has_not_left_is_not_sent_any_more,
    a_bad_refusal_is_told_everything,
}

const CLOSED: (Code, &str) = (Code::FailedPrecondition, "INVITATION_CLOSED");
const NOTHING: (Code, &str) = (Code::NotFound, "NO_OPEN_INVITATION");

fn refused(answer: Result<pb::Invitation, Status>, expected: (Code, &str)) {
    let (code, reason) = refusal(answer);
    assert_eq!((code, reason.as_str()), expected);
}

async fn sending_again_kills_the_old_link_and_begins_anew(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let [first] = <[_; 1]>::try_from(world.tokens_for("ada@example.com", 1).await).expect("one");
    world.clock.set(at("2026-03-05")).expect("forwards");
    let again = world.resend(&invitation.id).await.expect("sent again");
    let expected = pb::Invitation {
        send_time: Some(to_wire_time(at("2026-03-05"))),
        expire_time: Some(to_wire_time(at("2026-04-04"))),
        delivery: again.delivery.clone(),
        ..invitation.clone()
    };
    assert_eq!(again, expected);
    let tokens = world.tokens_for("ada@example.com", 2).await;
    let second = tokens.iter().find(|token| **token != first).expect("another token");
    refused(world.look_up(&first).await, NOTHING);
    let dead = world.accept(&invitation.id, PersonId::new(), by_token(&first)).await;
    refused(dead, (Code::NotFound, "NOT_FOUND"));
    assert_eq!(world.look_up(second).await.expect("open").id, invitation.id);
    let event = pb::InvitationResent {
        invitation_id: invitation.id.clone(),
        client_id: invitation.client_id.clone(),
        send_time: expected.send_time,
        expire_time: expected.expire_time,
    };
    assert_eq!(told::<pb::InvitationResent>(&world.db).await, [event]);

    // It would have expired on the 31st of March.
    world.clock.set(at("2026-04-03")).expect("forwards");
    world
        .accept(&invitation.id, PersonId::new(), by_token(second))
        .await
        .expect("it is open");
    world.stop().await;
}

async fn what_has_expired_is_sent_again(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    world.token_for("ada@example.com").await;
    world.clock.set(at("2026-05-01")).expect("forwards");
    world
        .until(&invitation.id, "it expires", |now| now.state() == State::Expired)
        .await;
    let again = world.resend(&invitation.id).await.expect("sent again");
    assert_eq!(again.state(), State::Pending);
    let tokens = world.tokens_for("ada@example.com", 2).await;
    assert_eq!(world.look_up(&tokens[1]).await.expect("open").id, invitation.id);
    world.clock.set(at("2026-06-01")).expect("forwards");
    world
        .until(&invitation.id, "it expires again", |now| now.state() == State::Expired)
        .await;
    assert_eq!(told::<pb::InvitationExpired>(&world.db).await.len(), 2);
    world.stop().await;
}

async fn what_is_withdrawn_is_closed_for_everybody(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let token = world.token_for("ada@example.com").await;
    world.clock.set(at("2026-03-02")).expect("forwards");
    let withdrawn = world.withdraw(&invitation.id).await.expect("withdrawn");
    assert_eq!(
        (withdrawn.state(), withdrawn.withdraw_time),
        (State::Withdrawn, Some(to_wire_time(at("2026-03-02"))))
    );
    refused(world.look_up(&token).await, NOTHING);
    assert_eq!(world.open_invitations("ada@example.com").await, []);
    refused(
        world.accept(&invitation.id, PersonId::new(), by_token(&token)).await,
        CLOSED,
    );
    refused(world.resend(&invitation.id).await, CLOSED);
    assert_eq!(count(&world.db, "timer").await, 0, "nothing waits");

    world.clock.set(at("2026-03-03")).expect("forwards");
    let again = world.withdraw(&invitation.id).await.expect("a repeat");
    assert_eq!(again.withdraw_time, withdrawn.withdraw_time);
    let event = pb::InvitationWithdrawn {
        invitation_id: invitation.id,
        client_id: invitation.client_id,
        withdraw_time: withdrawn.withdraw_time,
    };
    assert_eq!(told::<pb::InvitationWithdrawn>(&world.db).await, [event]);
    world.stop().await;
}

async fn whoever_has_the_token_may_decline(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let token = world.token_for("ada@example.com").await;
    world.clock.set(at("2026-03-02")).expect("forwards");
    let declined = world.decline(&token, "No time,\nsorry <b>").await.expect("declined");
    let expected = pb::Invitation {
        state: State::Declined.into(),
        decline_time: Some(to_wire_time(at("2026-03-02"))),
        decline_reason: "No time,\nsorry <b>".to_owned(),
        delivery: None,
        ..invitation.clone()
    };
    assert_eq!(declined, expected);
    let read = world.get(&invitation.id).await.expect("the invitation");
    assert_eq!(
        (read.state(), read.decline_reason),
        (State::Declined, declined.decline_reason)
    );
    refused(world.decline(&token, "again").await, NOTHING);
    refused(world.withdraw(&invitation.id).await, CLOSED);
    refused(world.resend(&invitation.id).await, CLOSED);
    assert_eq!(count(&world.db, "timer").await, 0, "nothing waits");
    let event = pb::InvitationDeclined {
        invitation_id: invitation.id,
        client_id: invitation.client_id,
        decline_time: declined.decline_time,
    };
    assert_eq!(told::<pb::InvitationDeclined>(&world.db).await, [event]);
    world.stop().await;
}

async fn what_was_answered_stays_as_it_is(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let token = world.token_for("ada@example.com").await;
    let ada = PersonId::new();
    let accepted = world.accept(&invitation.id, ada, by_token(&token)).await;
    let accepted = accepted.expect("accepted");
    refused(world.withdraw(&invitation.id).await, CLOSED);
    refused(world.resend(&invitation.id).await, CLOSED);
    refused(world.decline(&token, "").await, NOTHING);
    let read = world.get(&invitation.id).await.expect("the invitation");
    assert_eq!(
        (read.state(), read.accept_time),
        (State::Accepted, accepted.accept_time)
    );
    world
        .accept(&invitation.id, ada, by_token(&token))
        .await
        .expect("a repeat by the same token");
    world.stop().await;
}

async fn of_many_who_answer_at_once_one_is_heard(database: TestDatabase) {
    let world = World::new(database).await;
    let invitation = world.invite_ada().await;
    let token = &world.token_for("ada@example.com").await;
    let (world, id) = (&world, &invitation.id);
    let answers = join_all((0..30).map(|number| async move {
        match number % 3 {
            0 => world.accept(id, PersonId::new(), by_token(token)).await,
            1 => world.decline(token, "no").await,
            // Withdrawing again is no error: one of these may be answered more than once.
            _ => world.withdraw(id).await,
        }
    }));
    let heard: Vec<_> = answers.await.into_iter().flatten().collect();
    let now = world.get(id).await.expect("the invitation");
    assert!(!heard.is_empty() && heard.iter().all(|answer| answer.state() == now.state()));
    assert!(now.state() == State::Withdrawn || heard.len() == 1, "{heard:?}");
    let told = [
        told::<pb::InvitationAccepted>(&world.db).await.len(),
        told::<pb::InvitationDeclined>(&world.db).await.len(),
        told::<pb::InvitationWithdrawn>(&world.db).await.len(),
    ];
    assert_eq!(told.iter().sum::<usize>(), 1, "{told:?}");
    assert_eq!(count(&world.db, "timer").await, 0, "nothing waits");
}

async fn an_e_mail_that_has_not_left_is_not_sent_any_more(database: TestDatabase) {
    let mut sink = SmtpSink::start().await.expect("a mail server");
    sink.stop().await.expect("stopped");
    let world = World::mailing_to(database, &sink).await;
    let client = world.acme().await;
    let invitation = world
        .send(invite(&client.id, "ada@example.com"))
        .await
        .expect("an invitation");
    let tried = |now: &pb::Invitation| now.delivery.as_ref().is_some_and(|mail| mail.attempts == 1);
    world.until(&invitation.id, "a vain attempt", tried).await;
    let withdrawn = world.withdraw(&invitation.id).await.expect("withdrawn");
    let delivery = withdrawn.delivery.expect("an e-mail");
    assert_eq!(delivery.state(), mail_delivery::State::Failed);
    assert_eq!(delivery.last_error, "the invitation is closed");
    world.stop().await;
}

async fn a_bad_refusal_is_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let request = pb::DeclineInvitationRequest {
        request_id: String::new(),
        token: String::new(),
        reason: "x".repeat(501),
        recommendation: None,
    };
    let declined = world.invitations.clone().decline_invitation(request).await;
    assert_eq!(
        violations(declined),
        ["request_id REQUIRED", "token REQUIRED", "reason TOO_LONG"]
    );
    world.stop().await;
}
