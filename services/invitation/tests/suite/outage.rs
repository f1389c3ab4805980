//! Two days without a mail server: nothing is lost, and nothing goes out twice.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;
use vouch_invitation::{
    domain::{Suppression, SuppressionReason},
    store::suppressions,
};
use vouch_proto::invitation::v1::{self as pb, mail_delivery::State};
use vouch_storage::StorageError;
use vouch_testkit::{SmtpSink, TestDatabase, eventually, on_both_databases};

use crate::world::{SOON, World, invite, start};

on_both_databases! {
    two_days_without_a_mail_server_lose_and_repeat_nothing,
    what_nobody_wants_any_more_does_not_leave,
}

const LETTERS: usize = 12;

async fn two_days_without_a_mail_server_lose_and_repeat_nothing(database: TestDatabase) {
    let mut sink = SmtpSink::start().await.expect("a mail server");
    let world = World::mailing_to(database, &sink).await;
    let client = world.acme().await;
    sink.stop().await.expect("stopped");
    let mut ids = Vec::new();
    for nth in 0..LETTERS {
        let sent = world
            .send(invite(&client.id, &format!("talent{nth}@example.com")))
            .await;
        ids.push(sent.expect("invitations go on").id);
    }
    // From attempt to attempt, as far as two days.
    let (end, mut tried) = (start().add_days(2), 0);
    let back = loop {
        tried = all_tried(&world, &ids, tried + 1).await;
        let next = vouch_mail::next_due(world.db.reader())
            .await
            .expect("a moment")
            .expect("none is lost");
        if next >= end {
            break next;
        }
        world.clock.set(next).expect("forwards");
    };
    assert!(tried > 40, "every hour in the end: {tried}");
    sink.start_again().await.expect("started");
    world.clock.set(back).expect("forwards");
    for id in &ids {
        let sent = |now: &pb::Invitation| now.delivery.as_ref().is_some_and(|mail| mail.state() == State::Sent);
        world.until(id, "it is sent", sent).await;
    }
    let mut arrived = BTreeMap::new();
    for mail in sink.messages().expect("mails") {
        *arrived
            .entry(mail.header("To").expect("a recipient").to_owned())
            .or_insert(0) += 1;
    }
    let expected = (0..LETTERS).map(|nth| (format!("talent{nth}@example.com"), 1));
    assert_eq!(arrived, expected.collect());
    world.stop().await;
}

/// Waits until every letter was tried so often, and says how often that is.
async fn all_tried(world: &World, ids: &[String], times: u32) -> u32 {
    eventually("all are tried", SOON, async || {
        for id in ids {
            let delivery = world.get(id).await.expect("there").delivery.expect("a letter");
            assert_eq!(delivery.state(), State::Queued, "{delivery:?}");
            if delivery.attempts < times {
                return Err(format!("{delivery:?}"));
            }
        }
        Ok(times)
    })
    .await
}

/// What a transaction could not get at, as it did not see the e-mail, or as that was just being tried: each such e-mail is
/// here left waiting, and is looked at once more before it leaves.
async fn what_nobody_wants_any_more_does_not_leave(database: TestDatabase) {
    let mut sink = SmtpSink::start().await.expect("a mail server");
    let world = World::mailing_to(database, &sink).await;
    let client = world.acme().await;
    sink.stop().await.expect("stopped");
    let mut ids = Vec::new();
    for name in ["suppressed", "expired", "resent", "wanted"] {
        let sent = world.send(invite(&client.id, &format!("{name}@example.com"))).await;
        ids.push(sent.expect("sent").id);
    }
    all_tried(&world, &ids, 1).await;
    world
        .db
        .write_tx(|txn| async move {
            let address = suppressions::hash_of(&"suppressed@example.com".parse().expect("an address"));
            let suppression = Suppression {
                reason: SuppressionReason::Unsubscribed,
                since: start(),
            };
            suppressions::insert(&txn, address, suppression).await?;
            for change in [
                "UPDATE invitation SET state = 'EXPIRED' WHERE recipient_email = 'expired@example.com'",
                "UPDATE invitation SET sent_at = sent_at + 1 WHERE recipient_email = 'resent@example.com'",
            ] {
                txn.execute_unprepared(change).await?;
            }
            Ok::<_, StorageError>(())
        })
        .await
        .expect("changed");
    sink.start_again().await.expect("started");
    world.clock.set(start().add_days(1)).expect("forwards");
    for (id, why) in ids.iter().zip([
        "the address wants or takes no invitations",
        "the invitation is closed",
        "the invitation was sent again",
        "",
    ]) {
        let over = |now: &pb::Invitation| now.delivery.as_ref().is_some_and(|mail| mail.state() != State::Queued);
        let over = world.until(id, "it is over", over).await.delivery.expect("an e-mail");
        let (state, attempts) = if why.is_empty() {
            (State::Sent, 2)
        } else {
            (State::Failed, 1)
        };
        assert_eq!(
            (over.state(), over.attempts, over.last_error.as_str()),
            (state, attempts, why)
        );
    }
    let arrived: Vec<_> = sink
        .messages()
        .expect("mails")
        .into_iter()
        .flat_map(|mail| mail.to)
        .collect();
    assert_eq!(arrived, ["wanted@example.com"]);
    world.stop().await;
}
