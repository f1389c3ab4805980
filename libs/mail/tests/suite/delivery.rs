//! From the transaction to the server: what goes out, what is tried again, what is given up.

use std::time::Duration;

use sea_orm::{ConnectionTrait, Statement};
use vouch_mail::{MailError, MailState, Outcome, enqueue, next_due, queued_due};
use vouch_primitives::Clock;
use vouch_storage::Db;
use vouch_testkit::{SmtpSink, TestDatabase, eventually, on_both_databases, smtp::Stage};

use crate::world::{SOON, World, invitation, start, to};

on_both_databases! {
    a_mail_of_a_transaction_that_is_rolled_back_is_never_sent,
    a_temporary_refusal_is_tried_again_and_then_sent,
    a_permanent_refusal_is_given_up_with_its_reason,
    a_server_that_is_away_costs_time_but_no_mail,
    a_server_that_breaks_off_is_asked_again,
    after_three_days_a_mail_is_given_up,
    a_body_is_kept_only_until_it_is_sent,
    connections_are_used_again,
    a_mail_that_cannot_be_written_spoils_nothing,
    what_is_due_is_told,
    a_restarted_server_costs_no_attempt,
    a_sender_that_stops_finishes_what_it_began,
    a_sender_that_dies_leaves_its_mail_to_the_next_one,
}

async fn a_mail_of_a_transaction_that_is_rolled_back_is_never_sent(database: TestDatabase) {
    let world = World::new(database).await;
    let sink = SmtpSink::start().await.unwrap();
    let sender = world.sender_here(&to(&sink));
    let (lost, kept) = (&invitation(), invitation());
    let now = world.clock.now();
    let rolled_back = world.db.write_tx(|txn| async move {
        enqueue(&txn, now, lost).await?;
        Err::<(), _>(MailError::Configuration("on second thought".to_owned()))
    });
    assert!(rolled_back.await.is_err());
    world.write(&kept).await.unwrap();
    world.sent(&kept).await;
    sender.stop().await;
    assert_eq!(sink.attempts().unwrap().len(), 1);
    assert_eq!(vouch_mail::about(world.db.reader(), lost.about).await.unwrap(), []);
    let all = vouch_mail::about_all(world.db.reader(), &[lost.about, kept.about]).await;
    let all: Vec<_> = all.unwrap().into_iter().collect();
    assert_eq!(all, [(kept.about, vec![world.delivery(&kept).await])]);
}

async fn a_temporary_refusal_is_tried_again_and_then_sent(database: TestDatabase) {
    let world = World::new(database).await;
    let mut sink = SmtpSink::start().await.unwrap();
    sink.refuse_next(Stage::Data, "451 4.7.1 try again later").unwrap();
    let _sender = world.sender_here(&to(&sink));
    let mail = invitation();
    world.write(&mail).await.unwrap();

    let deferred = world.attempted(&mail, 1).await;
    assert_eq!(
        (deferred.state, deferred.attempts[0].outcome),
        (MailState::Queued, Outcome::Deferred)
    );
    assert!(
        deferred
            .last_error
            .as_ref()
            .is_some_and(|error| error.contains("try again later")),
        "{deferred:?}"
    );
    let again = start().saturating_add(Duration::from_secs(30));
    assert_eq!(next_due(world.db.reader()).await.unwrap(), Some(again));

    // Nothing happens before the retry is due, however often the sender looks.
    world.pass_time(Duration::from_secs(29));
    let other = invitation();
    world.write(&other).await.unwrap();
    world.sent(&other).await;
    assert_eq!(world.delivery(&mail).await.attempts.len(), 1);

    world.pass_time(Duration::from_secs(1));
    let sent = world.sent(&mail).await;
    let outcomes: Vec<_> = sent
        .attempts
        .iter()
        .map(|attempt| (attempt.outcome, attempt.at))
        .collect();
    assert_eq!(outcomes, [(Outcome::Deferred, start()), (Outcome::Accepted, again)]);
    assert_eq!((sent.closed_at, sent.last_error), (Some(again), None));
    let ids: Vec<_> = sink
        .attempts()
        .unwrap()
        .iter()
        .map(|got| got.header("message-id").map(str::to_owned))
        .collect();
    assert!(ids[0].is_some() && ids[0] == ids[2] && ids[0] != ids[1], "{ids:?}");
}

async fn a_permanent_refusal_is_given_up_with_its_reason(database: TestDatabase) {
    let world = World::new(database).await;
    let mut sink = SmtpSink::start().await.unwrap();
    sink.refuse_next(Stage::Recipient, "550 5.1.1 no such mailbox").unwrap();
    sink.refuse_next(Stage::Data, "554 5.7.1 looks like spam").unwrap();
    let _sender = world.sender_here(&to(&sink));
    for reason in ["no such mailbox", "looks like spam"] {
        let mail = invitation();
        world.write(&mail).await.unwrap();
        let failed = world.attempted(&mail, 1).await;
        assert_eq!(
            (failed.state, failed.attempts[0].outcome),
            (MailState::Failed, Outcome::Refused)
        );
        assert!(
            failed.last_error.as_ref().is_some_and(|error| error.contains(reason)),
            "{failed:?}"
        );
        assert_eq!(failed.closed_at, Some(start()));
    }
    assert_eq!(next_due(world.db.reader()).await.unwrap(), None);
    let fine = invitation();
    world.write(&fine).await.unwrap();
    world.sent(&fine).await;
    assert_eq!(sink.attempts().unwrap().len(), 3);
}

async fn a_server_that_is_away_costs_time_but_no_mail(database: TestDatabase) {
    let world = World::new(database).await;
    let mut sink = SmtpSink::start().await.unwrap();
    let _sender = world.sender_here(&to(&sink));
    let before = invitation();
    world.write(&before).await.unwrap();
    world.sent(&before).await;
    sink.stop().await.unwrap();
    let mail = invitation();
    world.write(&mail).await.unwrap();
    assert_eq!(world.attempted(&mail, 1).await.attempts[0].outcome, Outcome::Deferred);
    sink.start_again().await.unwrap();
    world.pass_time(Duration::from_secs(30));
    assert_eq!(world.sent(&mail).await.attempts.len(), 2);
}

async fn a_server_that_breaks_off_is_asked_again(database: TestDatabase) {
    let world = World::new(database).await;
    let mut sink = SmtpSink::start().await.unwrap();
    sink.refuse_next(Stage::Drop, "421 4.3.0 gone").unwrap();
    let _sender = world.sender_here(&to(&sink));
    let mail = invitation();
    world.write(&mail).await.unwrap();
    assert_eq!(world.attempted(&mail, 1).await.state, MailState::Queued);
    world.pass_time(Duration::from_secs(30));
    world.sent(&mail).await;
}

async fn after_three_days_a_mail_is_given_up(database: TestDatabase) {
    let world = World::new(database).await;
    let mut sink = SmtpSink::start().await.unwrap();
    let _sender = world.sender_here(&to(&sink));
    let mail = invitation();
    sink.refuse_next(Stage::Data, "452 4.2.2 mailbox full").unwrap();
    world.write(&mail).await.unwrap();
    world.attempted(&mail, 1).await;
    sink.refuse_next(Stage::Data, "452 4.2.2 mailbox full").unwrap();
    world.pass_time(Duration::from_secs(3 * 86_400));
    let failed = world.attempted(&mail, 2).await;
    assert_eq!(failed.state, MailState::Failed);
    assert!(
        failed
            .last_error
            .as_ref()
            .is_some_and(|error| error.contains("mailbox full")),
        "{failed:?}"
    );
    assert_eq!(next_due(world.db.reader()).await.unwrap(), None);
}

/// How many characters of bodies the database holds.
async fn stored(db: &Db) -> i64 {
    let sql = "SELECT CAST(COALESCE(SUM(LENGTH(html) + LENGTH(plain)), 0) AS BIGINT) FROM mail";
    let row = db
        .reader()
        .query_one_raw(Statement::from_string(db.backend(), sql))
        .await
        .unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

async fn a_body_is_kept_only_until_it_is_sent(database: TestDatabase) {
    let world = World::new(database).await;
    let mut sink = SmtpSink::start().await.unwrap();
    for refusal in [None, Some("550 5.1.1 no such mailbox")] {
        let mail = invitation();
        world.write(&mail).await.unwrap();
        assert!(stored(&world.db).await > 1_000);
        if let Some(answer) = refusal {
            sink.refuse_next(Stage::Recipient, answer).unwrap();
        }
        let sender = world.sender_here(&to(&sink));
        assert_eq!(
            world.attempted(&mail, 1).await.state == MailState::Sent,
            refusal.is_none()
        );
        assert_eq!(stored(&world.db).await, 0);
        sender.stop().await;
    }
}

async fn connections_are_used_again(database: TestDatabase) {
    let world = World::new(database).await;
    let sink = SmtpSink::start().await.unwrap();
    let _sender = world.sender_here(&to(&sink));
    for _ in 0..5 {
        let mail = invitation();
        world.write(&mail).await.unwrap();
        world.sent(&mail).await;
    }
    let mut peers: Vec<_> = sink.messages().unwrap().into_iter().map(|got| got.peer).collect();
    peers.dedup();
    assert_eq!(peers.len(), 1, "{peers:?}");
}

async fn a_mail_that_cannot_be_written_spoils_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    let mut bad = invitation();
    bad.letter.subject.clear();
    assert!(matches!(
        world.write(&bad).await,
        Err(MailError::Unfit { field: "subject", .. })
    ));
    assert_eq!(queued_due(world.db.reader(), world.clock.now()).await.unwrap(), 0);
}

async fn what_is_due_is_told(database: TestDatabase) {
    let world = World::new(database).await;
    assert_eq!(next_due(world.db.reader()).await.unwrap(), None);
    world.write(&invitation()).await.unwrap();
    world.pass_time(Duration::from_secs(60));
    world.write(&invitation()).await.unwrap();
    let due = async |at| queued_due(world.db.reader(), at).await.unwrap();
    assert_eq!(next_due(world.db.reader()).await.unwrap(), Some(start()));
    assert_eq!(due(start().saturating_sub(Duration::from_micros(1))).await, 0);
    assert_eq!((due(start()).await, due(world.clock.now()).await), (1, 2));
}

/// Waits until the sink has taken so many messages, whether it has said so or not.
async fn taken(sink: &SmtpSink, messages: usize) {
    eventually("the sink takes it", SOON, async || {
        let taken = sink.messages().unwrap().len();
        if taken == messages {
            Ok(())
        } else {
            Err(format!("{taken} taken"))
        }
    })
    .await;
}

async fn a_restarted_server_costs_no_attempt(database: TestDatabase) {
    let world = World::new(database).await;
    let mut sink = SmtpSink::start().await.unwrap();
    let _sender = world.sender_here(&to(&sink));
    for _ in 0..2 {
        let mail = invitation();
        world.write(&mail).await.unwrap();
        assert_eq!(world.sent(&mail).await.attempts.len(), 1);
        // The connection that is left from this mail is dead afterwards.
        sink.stop().await.unwrap();
        sink.start_again().await.unwrap();
    }
}

async fn a_sender_that_stops_finishes_what_it_began(database: TestDatabase) {
    let world = World::new(database).await;
    let sink = SmtpSink::start().await.unwrap();
    let sender = world.sender_here(&to(&sink));
    sink.hold().unwrap();
    let mail = invitation();
    world.write(&mail).await.unwrap();
    taken(&sink, 1).await;
    let asked = sender.shutdown();
    let stopping = tokio::spawn(sender.stop());
    asked.cancelled().await;
    sink.release().unwrap();
    stopping.await.unwrap();
    assert_eq!(world.delivery(&mail).await.state, MailState::Sent);
}

async fn a_sender_that_dies_leaves_its_mail_to_the_next_one(database: TestDatabase) {
    let world = World::new(database).await;
    let sink = SmtpSink::start().await.unwrap();
    let sender = world.sender(&to(&sink)).await;
    sink.hold().unwrap();
    let mail = invitation();
    world.write(&mail).await.unwrap();
    taken(&sink, 1).await;
    sender.die().await;
    sink.release().unwrap();
    let _next = world.sender(&to(&sink)).await;
    world.sent(&mail).await;
    // Once too often rather than never; the id tells the recipient's server that it is the same.
    let ids: Vec<_> = sink
        .messages()
        .unwrap()
        .iter()
        .map(|got| got.header("message-id").map(str::to_owned))
        .collect();
    assert!(ids.len() == 2 && ids[0].is_some() && ids[0] == ids[1], "{ids:?}");
}
