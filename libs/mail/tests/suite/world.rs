//! What the tests share: a database with the tables, a clock, senders, and sample mail.

use std::{sync::Arc, time::Duration};

use sea_orm_migration::{MigrationTrait, MigratorTrait};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use vouch_mail::{
    Button, Delivery, Letter, MailConfig, MailError, MailState, NewMail, Quote, Sender, Tls, TransportKind, about,
    enqueue,
};
use vouch_primitives::{Clock, InvitationId, MailId, TestClock, Timestamp, Uuid};
use vouch_storage::{DatabaseConfig, Db, migrate};
use vouch_testkit::{SmtpSink, TestDatabase, eventually};

pub const SOON: Duration = Duration::from_secs(20);

/// Monday morning, when the invitation of the samples is written.
pub fn start() -> Timestamp {
    "2026-03-02T09:30:00Z".parse().unwrap()
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vouch_mail::migrations()
    }
}

pub struct World {
    pub db: Db,
    pub clock: Arc<TestClock>,
    config: DatabaseConfig,
    // Dropped last, so that the connections are gone before the database is.
    _database: TestDatabase,
}

/// A sender at work, stopped when dropped.
pub struct Working {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl World {
    pub async fn new(database: TestDatabase) -> Self {
        let config = DatabaseConfig {
            url: database.url().to_owned(),
            max_connections: 8,
        };
        let db = Db::connect(&config).await.unwrap();
        migrate::<Migrator>(&db).await.unwrap();
        Self {
            db,
            clock: Arc::new(TestClock::new(start())),
            config,
            _database: database,
        }
    }

    /// A sender with its own connections to the database, as another process would have.
    pub async fn sender(&self, config: &MailConfig) -> Working {
        let db = Db::connect(&self.config).await.unwrap();
        self.sender_on(db, config)
    }

    /// A sender that is woken by the commits of this test.
    pub fn sender_here(&self, config: &MailConfig) -> Working {
        self.sender_on(self.db.clone(), config)
    }

    fn sender_on(&self, db: Db, config: &MailConfig) -> Working {
        let shutdown = CancellationToken::new();
        let clock: Arc<dyn Clock> = self.clock.clone();
        let sender = Sender::try_new(db, clock, config).unwrap();
        Working {
            task: tokio::spawn(sender.run(shutdown.clone())),
            shutdown,
        }
    }

    /// Writes and commits a mail.
    pub async fn write(&self, mail: &NewMail) -> Result<MailId, MailError> {
        let now = self.clock.now();
        self.db
            .write_tx(|txn| async move { enqueue(&txn, now, mail).await })
            .await
    }

    pub fn pass_time(&self, duration: Duration) {
        self.clock.set(self.clock.now().saturating_add(duration)).unwrap();
    }

    pub async fn delivery(&self, mail: &NewMail) -> Delivery {
        about(self.db.reader(), mail.about)
            .await
            .unwrap()
            .pop()
            .expect("the mail is there")
    }

    /// Waits until the mail has been attempted so often.
    pub async fn attempted(&self, mail: &NewMail, attempts: usize) -> Delivery {
        self.attempted_within(SOON, mail, attempts).await
    }

    pub async fn attempted_within(&self, limit: Duration, mail: &NewMail, attempts: usize) -> Delivery {
        eventually("the mail is attempted", limit, async || {
            let delivery = self.delivery(mail).await;
            if delivery.attempts.len() >= attempts {
                Ok(delivery)
            } else {
                Err(format!("{delivery:?}"))
            }
        })
        .await
    }

    /// Waits until the mail is sent.
    pub async fn sent(&self, mail: &NewMail) -> Delivery {
        eventually("the mail is sent", SOON, async || {
            let delivery = self.delivery(mail).await;
            if delivery.state == MailState::Sent {
                Ok(delivery)
            } else {
                Err(format!("{delivery:?}"))
            }
        })
        .await
    }
}

impl Working {
    /// Is cancelled when the sender is asked to stop.
    pub fn shutdown(&self) -> CancellationToken {
        self.shutdown.clone()
    }

    /// Ends it as a crash would: at once, wherever it is.
    pub async fn die(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|ended| ended.is_cancelled()));
    }

    pub async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("the sender ends without a panic");
    }
}

pub fn to(sink: &SmtpSink) -> MailConfig {
    MailConfig {
        transport: TransportKind::Smtp,
        host: "localhost".to_owned(),
        port: sink.port(),
        tls: Tls::None,
        ..MailConfig::default()
    }
}

/// The e-mail of a contract invitation, about a thing of its own.
pub fn invitation() -> NewMail {
    mail_about(InvitationId::new().as_uuid())
}

fn mail_about(about: Uuid) -> NewMail {
    NewMail {
        kind: "invitation.sent",
        about,
        to: "grace@example.org".parse().unwrap(),
        to_name: Some("Grace Hopper".to_owned()),
        from_name: "Analytical Engines via Vouch".to_owned(),
        reply_to: Some("ada@analytical.example".parse().unwrap()),
        letter: Letter {
            subject: "Ada Lovelace invites you to work on “Compiler”".to_owned(),
            preheader: Some("Your offer is waiting for you".to_owned()),
            heading: "You are invited".to_owned(),
            paragraphs: vec![
                "Hello Grace,".to_owned(),
                "Analytical Engines would like to work with you through Vouch.\nThere is nothing to pay.".to_owned(),
            ],
            quote: Some(Quote {
                author: "Ada Lovelace".to_owned(),
                text: "We have the engine & the cards.\nNow we need you <soon>!".to_owned(),
            }),
            facts: vec![
                ("Project".to_owned(), "Compiler".to_owned()),
                ("Agreed amount".to_owned(), "12,500.00 USD".to_owned()),
            ],
            button: Some(Button {
                label: "Activate your account".to_owned(),
                url: "https://vouch.example/activate?invitation=1&step=2#token".to_owned(),
            }),
            footer: vec!["You get this e-mail because Analytical Engines named your address.".to_owned()],
            unsubscribe: Some("https://vouch.example/unsubscribe?token=out".to_owned()),
        },
    }
}
