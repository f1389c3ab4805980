//! Several senders on one PostgreSQL database.

use std::collections::HashMap;

use vouch_mail::{MailState, queued_due};
use vouch_primitives::Clock;
use vouch_testkit::{Engine, SmtpSink, TestDatabase, eventually};

use crate::world::{SOON, World, invitation, to};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_two_senders_send_each_mail_once() {
    const MAILS: usize = 100;
    let world = World::new(TestDatabase::new(Engine::Postgres).await).await;
    let sink = SmtpSink::start().await.unwrap();
    let mut mails = Vec::new();
    for _ in 0..MAILS {
        let mail = invitation();
        world.write(&mail).await.unwrap();
        mails.push(mail);
    }
    let senders = [world.sender(&to(&sink)).await, world.sender(&to(&sink)).await];
    eventually("all mails are sent", SOON, async || {
        match queued_due(world.db.reader(), world.clock.now()).await.unwrap() {
            0 => Ok(()),
            left => Err(format!("{left} left")),
        }
    })
    .await;
    for sender in senders {
        sender.stop().await;
    }
    let mut taken: HashMap<String, usize> = HashMap::new();
    for got in sink.messages().unwrap() {
        *taken.entry(got.header("message-id").unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(taken.len(), MAILS);
    assert!(taken.values().all(|times| *times == 1), "{taken:?}");
    for mail in &mails {
        let delivery = world.delivery(mail).await;
        assert_eq!((delivery.state, delivery.attempts.len()), (MailState::Sent, 1));
    }
}
