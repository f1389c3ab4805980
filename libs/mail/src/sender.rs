//! Delivering what is due.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, join_all};
use lettre::{Address, address::AddressError};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{LockBehavior, LockType},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use vouch_primitives::{Clock, MailId, Timestamp, Uuid};
use vouch_storage::{Db, StorageError, Txn, Wake, describe};

use crate::{
    MailConfig, MailError, TransportKind,
    files::Files,
    message::message,
    next_due,
    smtp::Smtp,
    table::{MailState, Outcome, attempt, mail},
};

/// How many mails are on their way at a time, each on its own connection.
const BATCH: u64 = 8;

/// How long a mail of another process, or a moved clock, may go unnoticed.
const POLL: Duration = Duration::from_millis(200);

/// How long to wait after the database failed.
const AFTER_A_FAILURE: Duration = Duration::from_secs(1);

/// The first pause before a mail is tried again; each further one is twice as long, up to an hour.
const FIRST_RETRY: Duration = Duration::from_secs(30);
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);

/// How long a mail is tried before it is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(3 * 86_400);

/// Delivers what is queued. Several replicas may run on one PostgreSQL database: each takes mails that no other one
/// has; on SQLite there is one process, and one sender in it.
pub struct Sender {
    db: Db,
    clock: Arc<dyn Clock>,
    from: Address,
    transport: Transport,
    on_bounce: Option<OnBounce>,
    recheck: Option<Recheck>,
}

/// Takes the addresses of which a mail server has said that there is no such mailbox, in the transaction that notes it.
pub type OnBounce = Arc<dyn Fn(Arc<Txn>, Vec<String>) -> BoxFuture<'static, Result<(), StorageError>> + Send + Sync>;

/// A mail that is about to leave.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// Its kind.
    pub kind: String,
    /// What it is about.
    pub about: Uuid,
    /// The recipient's address.
    pub to: String,
    /// When it was queued.
    pub queued_at: Timestamp,
}

/// Says of each of these mails why it is not to leave any more, if so. It is asked before each attempt: what was queued by one
/// transaction may have become wrong by another, which did not see it, or could not get at it as it was being tried.
pub type Recheck =
    Arc<dyn Fn(Vec<Leaving>) -> BoxFuture<'static, Result<Vec<Option<&'static str>>, StorageError>> + Send + Sync>;

/// Why a mail was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It may be taken later.
    Temporary(String),
    /// It will never be taken.
    Permanent(String),
    /// It will never be taken, nor will any other mail to this address: there is no such mailbox.
    NoMailbox(String),
    /// It was not even tried: nobody wants it any more.
    Unwanted(&'static str),
}

enum Transport {
    Files(Files),
    Smtp(Box<Smtp>),
}

impl Sender {
    /// A sender for the mails in `db`. Nothing is connected yet.
    ///
    /// # Errors
    /// [`MailError::Configuration`] with all that cannot work.
    pub fn try_new(db: Db, clock: Arc<dyn Clock>, config: &MailConfig) -> Result<Self, MailError> {
        let problems = config.validate();
        if !problems.is_empty() {
            return Err(MailError::Configuration(problems.join("; ")));
        }
        let unknown = |error: AddressError| MailError::Configuration(format!("mail.from: {error}"));
        let from = config.from.parse().map_err(unknown)?;
        let transport = match config.transport {
            TransportKind::Files => Transport::Files(Files {
                directory: config.directory.clone().into(),
            }),
            TransportKind::Smtp => Transport::Smtp(Box::new(Smtp::try_new(config)?)),
        };
        Ok(Self {
            db,
            clock,
            from,
            transport,
            on_bounce: None,
            recheck: None,
        })
    }

    /// Tells `on_bounce` of mailboxes that do not exist.
    #[must_use]
    pub fn on_bounce(mut self, on_bounce: Option<OnBounce>) -> Self {
        self.on_bounce = on_bounce;
        self
    }

    /// Asks `recheck` before each attempt.
    #[must_use]
    pub fn recheck(mut self, recheck: Option<Recheck>) -> Self {
        self.recheck = recheck;
        self
    }

    /// Delivers until `shutdown`; mails that are on their way then still arrive.
    pub async fn run(self, shutdown: CancellationToken) {
        let wake = self.db.wakeup(Wake::Mail);
        while !shutdown.is_cancelled() {
            let pause = match self.pass(&shutdown).await {
                Ok(BATCH) => continue,
                Ok(_) => POLL,
                Err(error) => {
                    warn!(
                        error = describe(&error),
                        "the table of outgoing mail could not be read or written"
                    );
                    AFTER_A_FAILURE
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = wake.notified(), if pause == POLL => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        if let Transport::Smtp(smtp) = &self.transport {
            smtp.close().await;
        }
    }

    /// Delivers one batch of what is due and gives its size.
    async fn pass(&self, shutdown: &CancellationToken) -> Result<u64, StorageError> {
        let now = self.clock.now();
        // Most looks find nothing, and a look is cheaper than a claim.
        if next_due(self.db.reader()).await?.is_none_or(|due| due > now) {
            return Ok(0);
        }
        let claim = self.db.begin_claim().await?;
        let rows = mail::Entity::find()
            .filter(mail::Column::State.eq(MailState::Queued))
            .filter(mail::Column::NextAt.lte(now.as_micros()))
            .order_by_asc(mail::Column::NextAt)
            .order_by_asc(mail::Column::Id)
            .limit(BATCH)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&claim)
            .await?;
        let stays = self.which_stay(&rows).await?;
        let answers = rows.iter().zip(stays).map(|(row, why)| async move {
            match why {
                Some(why) => Err(Refusal::Unwanted(why)),
                None => self.deliver(row).await,
            }
        });
        let answers = join_all(answers).await;
        let now = self.clock.now();
        let attempts: &Vec<_> = &rows
            .iter()
            .zip(answers)
            .map(|(row, answer)| Attempted::new(row, answer, now))
            .collect();
        let record = |txn: Arc<Txn>| async move {
            for attempt in attempts {
                attempt.record(&txn).await?;
            }
            let bounced = attempts.iter().filter(|attempt| attempt.bounced);
            let bounced: Vec<_> = bounced.map(|attempt| attempt.row.to_address.clone()).collect();
            match &self.on_bounce {
                Some(on_bounce) if !bounced.is_empty() => on_bounce(txn, bounced).await,
                _ => Ok::<_, StorageError>(()),
            }
        };
        // These mails are out. As long as that cannot be written nothing else is sent, least of all they again.
        let mut recorded = claim.finish(record).await;
        while let Err(error) = recorded {
            warn!(error = describe(&error), "what became of mails could not be written");
            tokio::select! {
                () = shutdown.cancelled() => return Err(error),
                () = tokio::time::sleep(AFTER_A_FAILURE) => {}
            }
            recorded = self.db.write_tx(record).await;
        }
        for attempt in attempts {
            attempt.log();
        }
        Ok(u64::try_from(rows.len()).unwrap_or(BATCH))
    }

    /// Why each of these is not to leave, if so.
    async fn which_stay(&self, rows: &[mail::Model]) -> Result<Vec<Option<&'static str>>, StorageError> {
        let leaving = rows.iter().map(|row| Leaving {
            kind: row.kind.clone(),
            about: row.about,
            to: row.to_address.clone(),
            queued_at: Timestamp::from_micros(row.queued_at),
        });
        match &self.recheck {
            Some(recheck) if !rows.is_empty() => recheck(leaving.collect()).await,
            _ => Ok(vec![None; rows.len()]),
        }
    }

    async fn deliver(&self, row: &mail::Model) -> Result<String, Refusal> {
        let message = message(row, &self.from).map_err(|error| Refusal::Permanent(describe(&error)))?;
        match &self.transport {
            Transport::Smtp(smtp) => smtp.deliver(&message).await,
            Transport::Files(files) => {
                let written = Timestamp::from_micros(row.queued_at);
                let delivered = files
                    .deliver(MailId::from_uuid(row.id), written, &message.formatted())
                    .await;
                delivered.map_err(|error| Refusal::Temporary(error.to_string()))
            }
        }
    }
}

/// One attempt and what follows from it.
struct Attempted<'a> {
    row: &'a mail::Model,
    /// How many attempts there have been, this one among them if it was one.
    number: i32,
    tried: bool,
    at: Timestamp,
    outcome: Outcome,
    reply: String,
    /// The next attempt, if there is one.
    next: Option<Timestamp>,
    /// Whether there is no such mailbox.
    bounced: bool,
}

impl<'a> Attempted<'a> {
    fn new(row: &'a mail::Model, answer: Result<String, Refusal>, at: Timestamp) -> Self {
        let tried = !matches!(answer, Err(Refusal::Unwanted(_)));
        let number = row.attempts + i32::from(tried);
        // PostgreSQL's text has no NUL, which a server may say.
        let storable = |reply: String| reply.replace('\0', "\u{fffd}");
        let bounced = matches!(answer, Err(Refusal::NoMailbox(_)));
        let (outcome, reply, next) = match answer {
            Ok(reply) => (Outcome::Accepted, storable(reply), None),
            Err(Refusal::Permanent(reply) | Refusal::NoMailbox(reply)) => (Outcome::Refused, storable(reply), None),
            Err(Refusal::Unwanted(why)) => (Outcome::Refused, why.to_owned(), None),
            Err(Refusal::Temporary(reply)) => (
                Outcome::Deferred,
                storable(reply),
                next_attempt(row.queued_at, number, at),
            ),
        };
        Self {
            row,
            number,
            tried,
            at,
            outcome,
            reply,
            next,
            bounced,
        }
    }

    fn state(&self) -> MailState {
        match (self.outcome, self.next) {
            (Outcome::Accepted, _) => MailState::Sent,
            (_, Some(_)) => MailState::Queued,
            (_, None) => MailState::Failed,
        }
    }

    async fn record(&self, txn: &Txn) -> Result<(), StorageError> {
        if self.tried {
            self.record_attempt(txn).await?;
        }
        let mut after = mail::ActiveModel {
            attempts: Set(self.number),
            state: Set(self.state()),
            last_error: Set((self.outcome != Outcome::Accepted).then(|| self.reply.clone())),
            ..Default::default()
        };
        match self.next {
            Some(next) => after.next_at = Set(next.as_micros()),
            None => {
                after.closed_at = Set(Some(self.at.as_micros()));
                // The body may carry a one-time link, which nobody is to find in a backup.
                after.html = Set(String::new());
                after.plain = Set(String::new());
                after.unsubscribe = Set(None);
            }
        }
        let mut update = mail::Entity::update_many()
            .set(after)
            .filter(mail::Column::Id.eq(self.row.id));
        if self.outcome != Outcome::Accepted {
            // What was given up meanwhile stays so, unless it has arrived.
            update = update.filter(mail::Column::State.eq(MailState::Queued));
        }
        update.exec(txn).await?;
        Ok(())
    }

    async fn record_attempt(&self, txn: &Txn) -> Result<(), StorageError> {
        let attempt = attempt::ActiveModel {
            mail_id: Set(self.row.id),
            number: Set(self.number),
            attempted_at: Set(self.at.as_micros()),
            outcome: Set(self.outcome),
            reply: Set(self.reply.clone()),
        };
        // Another sender may have been at it while this one could not write.
        attempt::Entity::insert(attempt)
            .on_conflict_do_nothing_on([attempt::Column::MailId, attempt::Column::Number])
            .exec_without_returning(txn)
            .await?;
        Ok(())
    }

    /// The reply may name the recipient, so it stays in the table.
    fn log(&self) {
        let (id, kind, attempt) = (self.row.id, &self.row.kind, self.number);
        match self.state() {
            MailState::Sent => debug!(mail.id = %id, mail.kind = kind, mail.attempt = attempt, "mail sent"),
            MailState::Queued => warn!(mail.id = %id, mail.kind = kind, mail.attempt = attempt, "mail deferred"),
            MailState::Failed => warn!(mail.id = %id, mail.kind = kind, mail.attempt = attempt, "mail given up"),
        }
    }
}

/// When a mail is tried for the next time after `attempts` failed ones, the last one at `now`.
fn next_attempt(queued_at: i64, attempts: i32, now: Timestamp) -> Option<Timestamp> {
    let doublings = u32::try_from(attempts).unwrap_or(1).saturating_sub(1).min(10);
    let next = now.saturating_add((FIRST_RETRY * 2_u32.pow(doublings)).min(LONGEST_RETRY));
    let end = Timestamp::from_micros(queued_at).saturating_add(GIVE_UP_AFTER);
    (next <= end).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour_and_end_after_three_days() {
        let mut now = Timestamp::EPOCH;
        let mut pauses = Vec::new();
        while let Some(next) = next_attempt(0, i32::try_from(pauses.len() + 1).unwrap(), now) {
            pauses.push(next.since(now).as_secs());
            now = next;
        }
        assert_eq!(pauses[..9], [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        let total: u64 = pauses.iter().sum();
        assert!(total <= 3 * 86_400 && total + 3_600 > 3 * 86_400, "{total}");
    }
}
