//! Addresses that get nothing: who unsubscribed, whose mailbox is gone, who complained.

use sha2::{Digest, Sha256};
use tonic::Code;
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{self as pb, mail_delivery, suppression::Reason},
};
use vouch_testkit::{SmtpSink, TestDatabase, eventually, on_both_databases, smtp::Stage};

use crate::{
    tables::told,
    world::{SOON, World, at, invite, refusal, request_id, start, way_out_in},
};

on_both_databases! {
    a_reader_unsubscribes_with_one_click,
    a_mailbox_that_is_not_there_is_written_to_once,
    what_operators_say_of_an_address_holds,
}

async fn unsubscribe(world: &World, token: &str) -> pb::UnsubscribeResponse {
    let request = pb::UnsubscribeRequest {
        request_id: request_id(),
        token: token.to_owned(),
    };
    let answer = world.suppressions.clone().unsubscribe(request).await;
    answer.expect("an answer").into_inner()
}

async fn suppression(world: &World, email: &str) -> Option<pb::Suppression> {
    let request = pb::GetSuppressionRequest {
        email: email.to_owned(),
    };
    let answer = world.suppressions.clone().get_suppression(request).await;
    answer.expect("an answer").into_inner().suppression
}

async fn a_reader_unsubscribes_with_one_click(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let invitation = world
        .send(invite(&client.id, "ada@example.com"))
        .await
        .expect("an invitation");
    world.token_for("ada@example.com").await;
    let letter = world.letters().remove(0);
    let way_out = way_out_in(&letter).expect("a way out");
    assert_eq!(suppression(&world, "ada@example.com").await, None);
    // Whoever tries tokens learns nothing.
    assert_eq!(
        unsubscribe(&world, "nonsense").await,
        unsubscribe(&world, &way_out).await
    );
    unsubscribe(&world, &way_out).await;
    let expected = pb::Suppression {
        reason: Reason::Unsubscribed.into(),
        suppress_time: Some(to_wire_time(start())),
    };
    assert_eq!(suppression(&world, "Ada@Example.com").await, Some(expected));
    let events = told::<pb::AddressSuppressed>(&world.db).await;
    let hash = Sha256::digest("ada@example.com").to_vec();
    assert_eq!(events.len(), 1, "once, however often");
    assert_eq!(
        (events[0].reason(), &events[0].email_sha256),
        (Reason::Unsubscribed, &hash)
    );

    let suppressed = (Code::FailedPrecondition, "ADDRESS_SUPPRESSED".to_owned());
    assert_eq!(
        refusal(world.send(invite(&client.id, "ada@example.com")).await),
        suppressed
    );
    assert_eq!(refusal(world.resend(&invitation.id).await), suppressed);
    // The invitation itself stays open, without reminders.
    world.clock.set(at("2026-03-08T09:00:00Z")).expect("forwards");
    world
        .send(invite(&client.id, "joan@example.com"))
        .await
        .expect("an invitation");
    world.token_for("joan@example.com").await;
    assert_eq!(world.mails(), 2, "no reminder");
    assert_eq!(world.open_invitations("ada@example.com").await.len(), 1);

    let request = pb::ReinstateAddressRequest {
        request_id: request_id(),
        email: "ada@example.com".to_owned(),
    };
    world
        .suppressions
        .clone()
        .reinstate_address(request)
        .await
        .expect("reinstated");
    assert_eq!(suppression(&world, "ada@example.com").await, None);
    assert_eq!(told::<pb::AddressReinstated>(&world.db).await.len(), 1);
    world.resend(&invitation.id).await.expect("sent again");
    world.stop().await;
}

async fn a_mailbox_that_is_not_there_is_written_to_once(database: TestDatabase) {
    let mut sink = SmtpSink::start().await.expect("a mail server");
    sink.refuse_next(Stage::Recipient, "550 5.1.1 no such mailbox")
        .expect("a refusal");
    let world = World::mailing_to(database, &sink).await;
    let client = world.acme().await;
    let bounced = world
        .send(invite(&client.id, "ada@example.com"))
        .await
        .expect("an invitation");
    let failed = |now: &pb::Invitation| {
        let delivery = now.delivery.clone().unwrap_or_default();
        delivery.state() == mail_delivery::State::Failed
    };
    world.until(&bounced.id, "the e-mail fails", failed).await;
    let reason = suppression(&world, "ada@example.com").await.map(|found| found.reason());
    assert_eq!(reason, Some(Reason::Bounced), "noted with the failure");
    // A refusal that is not about the mailbox leaves the address alone.
    sink.refuse_next(Stage::Recipient, "550 5.7.1 not from you")
        .expect("a refusal");
    let unwanted = world
        .send(invite(&client.id, "joan@example.com"))
        .await
        .expect("an invitation");
    world.until(&unwanted.id, "the e-mail fails", failed).await;
    assert_eq!(suppression(&world, "joan@example.com").await, None);
    world.stop().await;
}

async fn what_operators_say_of_an_address_holds(database: TestDatabase) {
    let mut sink = SmtpSink::start().await.expect("a mail server");
    let world = World::mailing_to(database, &sink).await;
    let client = world.acme().await;
    // A letter waits while the server is busy, and is not wanted any more when it goes on.
    sink.refuse_next(Stage::Recipient, "450 4.2.0 try later")
        .expect("a refusal");
    let waiting = world
        .send(invite(&client.id, "ada@example.com"))
        .await
        .expect("an invitation");
    let tried = |now: &pb::Invitation| now.delivery.as_ref().is_some_and(|mail| mail.attempts == 1);
    world.until(&waiting.id, "the first attempt", tried).await;
    let suppress = |reason: Reason| pb::SuppressAddressRequest {
        request_id: request_id(),
        email: "ada@example.com".to_owned(),
        reason: reason.into(),
    };
    for reason in [Reason::Complained, Reason::Bounced] {
        let answer = world.suppressions.clone().suppress_address(suppress(reason)).await;
        let listed = answer.expect("on the list").into_inner().suppression.expect("an entry");
        assert_eq!(listed.reason(), Reason::Complained, "the first reason stays");
    }
    let given_up = eventually("the letter is given up", SOON, async || {
        let delivery = world
            .get(&waiting.id)
            .await
            .expect("there")
            .delivery
            .expect("a delivery");
        match delivery.state() {
            mail_delivery::State::Failed => Ok(delivery),
            _ => Err(format!("{delivery:?}")),
        }
    })
    .await;
    assert_eq!(given_up.last_error, "the address wants or takes no invitations");
    assert_eq!(sink.messages().expect("mails").len(), 0);
    world.stop().await;
}
