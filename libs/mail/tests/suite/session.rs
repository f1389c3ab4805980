//! Encryption and login: what is wrong with us is no fault of the mail.

use std::{sync::Arc, time::Duration};

use vouch_mail::{MailConfig, MailError, MailState, Outcome, Sender, Tls};
use vouch_primitives::SystemClock;
use vouch_testkit::{Engine, Signal, SmtpOptions, SmtpSink, TestDatabase, smtp::SinkTls};

use crate::world::{World, invitation, to};

async fn sink(tls: SinkTls) -> SmtpSink {
    let login = Some(("vouch".to_owned(), "s3cret".to_owned()));
    SmtpSink::start_with(SmtpOptions { tls, login }).await.unwrap()
}

fn secure(sink: &SmtpSink, tls: Tls) -> MailConfig {
    MailConfig {
        tls,
        ca_file: sink.certificate().display().to_string(),
        user: "vouch".to_owned(),
        password: "s3cret".to_owned(),
        ..to(sink)
    }
}

async fn world() -> World {
    World::new(TestDatabase::new(Engine::Sqlite).await).await
}

#[tokio::test]
async fn mail_goes_encrypted_and_with_a_login() {
    for (at_the_sink, here) in [(SinkTls::StartTls, Tls::StartTls), (SinkTls::Tls, Tls::Tls)] {
        let (world, sink) = (world().await, sink(at_the_sink).await);
        let sender = world.sender_here(&secure(&sink, here));
        let mail = invitation();
        world.write(&mail).await.unwrap();
        world.sent(&mail).await;
        sender.stop().await;
        let got = sink.messages().unwrap().pop().unwrap();
        assert_eq!((got.tls, got.user.as_deref()), (true, Some("vouch")), "{here:?}");
    }
}

#[tokio::test]
async fn a_wrong_login_or_certificate_defers_and_never_fails_the_mail() {
    let sink = sink(SinkTls::StartTls).await;
    let right = secure(&sink, Tls::StartTls);
    let wrong = [
        (
            "535",
            MailConfig {
                password: "guess".to_owned(),
                ..right.clone()
            },
        ),
        (
            "530",
            MailConfig {
                user: String::new(),
                password: String::new(),
                ..right.clone()
            },
        ),
        (
            "UnknownIssuer",
            MailConfig {
                ca_file: String::new(),
                ..right.clone()
            },
        ),
    ];
    for (why, config) in wrong {
        let world = world().await;
        let sender = world.sender_here(&config);
        let mail = invitation();
        world.write(&mail).await.unwrap();
        let deferred = world.attempted(&mail, 1).await;
        assert_eq!(
            (deferred.state, deferred.attempts[0].outcome),
            (MailState::Queued, Outcome::Deferred),
            "{why}"
        );
        assert!(deferred.attempts[0].reply.contains(why), "{why} is not in {deferred:?}");
        sender.stop().await;
        // Once the configuration is right, the mail goes.
        let sender = world.sender_here(&right);
        world.pass_time(Duration::from_secs(30));
        world.sent(&mail).await;
        sender.stop().await;
    }
}

#[tokio::test]
async fn without_starttls_there_is_no_mail() {
    let (world, sink) = (world().await, SmtpSink::start().await.unwrap());
    let _sender = world.sender_here(&MailConfig {
        tls: Tls::StartTls,
        ..to(&sink)
    });
    let mail = invitation();
    world.write(&mail).await.unwrap();
    assert_eq!(world.attempted(&mail, 1).await.state, MailState::Queued);
    assert!(sink.attempts().unwrap().is_empty());
}

/// A server that stops answering must not hold the sender up for ever, and what it says when it comes back must not
/// be taken for the answer to another mail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_left_after_a_while() {
    let (world, sink) = (world().await, SmtpSink::start().await.unwrap());
    let _sender = world.sender_here(&to(&sink));
    let first = invitation();
    world.write(&first).await.unwrap();
    world.sent(&first).await;
    sink.process().signal(Signal::STOP);
    let mail = invitation();
    world.write(&mail).await.unwrap();
    let deferred = world.attempted_within(Duration::from_secs(40), &mail, 1).await;
    assert_eq!(deferred.attempts[0].outcome, Outcome::Deferred);
    sink.process().signal(Signal::CONT);
    world.pass_time(Duration::from_secs(30));
    world.sent(&mail).await;
    let taken = sink.messages().unwrap();
    assert_eq!(taken.len(), 2, "{taken:?}");
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_told() {
    let database = TestDatabase::new(Engine::Sqlite).await;
    let world = World::new(database).await;
    for (config, told) in [
        (
            MailConfig {
                from: "nobody".to_owned(),
                ..Default::default()
            },
            "mail.from",
        ),
        (
            MailConfig {
                directory: String::new(),
                ..Default::default()
            },
            "mail.directory",
        ),
        (
            MailConfig {
                ca_file: "/no/such/file".to_owned(),
                ..to(&SmtpSink::start().await.unwrap())
            },
            "/no/such/file",
        ),
    ] {
        let refused = Sender::try_new(world.db.clone(), Arc::new(SystemClock), &config).err();
        assert!(
            matches!(&refused, Some(MailError::Configuration(text)) if text.contains(told)),
            "{told}: {refused:?}"
        );
    }
}
