//! Writing a mail, and seeing what became of it.

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType},
};
use vouch_primitives::{EmailAddress, MailId, Timestamp, Uuid};
use vouch_storage::{StorageError, Txn, Wake};

use crate::{
    Letter, MailError,
    letter::{filled_line, mailbox, one_line},
    table::{MailState, Outcome, attempt, mail},
};

/// Things per statement, far below what either engine takes as parameters.
const ROWS: usize = 1_000;

/// A mail to write.
#[derive(Clone, Debug)]
pub struct NewMail {
    /// What sort of mail it is, such as `invitation.sent`.
    pub kind: &'static str,
    /// The thing that it is about, such as the invitation: what it is found by.
    pub about: Uuid,
    /// To whom it goes.
    pub to: EmailAddress,
    /// That person's name, where it is known.
    pub to_name: Option<String>,
    /// In whose name it is sent, such as `Acme via Vouch`; the address is the configured one.
    pub from_name: String,
    /// Where answers go, if somebody reads them.
    pub reply_to: Option<EmailAddress>,
    /// What it says.
    pub letter: Letter,
}

/// What has become of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which is also the first part of its `Message-ID`.
    pub id: MailId,
    /// What sort of mail it is.
    pub kind: String,
    /// To whom it goes.
    pub to_address: String,
    /// Where it stands.
    pub state: MailState,
    /// When it was written.
    pub queued_at: Timestamp,
    /// When it was sent or given up.
    pub closed_at: Option<Timestamp>,
    /// Why the last attempt failed, or why it was given up.
    pub last_error: Option<String>,
    /// All delivery attempts, in order.
    pub attempts: Vec<Attempt>,
}

/// One delivery attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// The server's reply, or why there was none.
    pub reply: String,
}

/// Writes a mail as part of the running transaction; it goes out once that is committed.
///
/// # Errors
/// [`MailError::Unfit`] when a text does not fit its place; nothing is written then.
pub async fn enqueue(txn: &Txn, now: Timestamp, new: &NewMail) -> Result<MailId, MailError> {
    let id = MailId::new();
    insert(txn, vec![row(id, now, new)?]).await?;
    Ok(id)
}

/// The same for several mails.
///
/// # Errors
/// As [`enqueue`]; if one does not fit, none is written.
pub async fn enqueue_all(txn: &Txn, now: Timestamp, new: &[NewMail]) -> Result<(), MailError> {
    let rows: Result<_, MailError> = new.iter().map(|mail| row(MailId::new(), now, mail)).collect();
    Ok(insert(txn, rows?).await?)
}

async fn insert(txn: &Txn, rows: Vec<mail::ActiveModel>) -> Result<(), StorageError> {
    if rows.is_empty() {
        return Ok(());
    }
    for chunk in rows.chunks(ROWS) {
        mail::Entity::insert_many(chunk.to_vec())
            .exec_without_returning(txn)
            .await?;
    }
    txn.wake(Wake::Mail);
    Ok(())
}

fn row(id: MailId, now: Timestamp, new: &NewMail) -> Result<mail::ActiveModel, MailError> {
    mailbox("recipient", &new.to)?;
    filled_line("sender's name", &new.from_name)?;
    if let Some(name) = &new.to_name {
        one_line("recipient's name", name)?;
    }
    if let Some(address) = &new.reply_to {
        mailbox("reply address", address)?;
    }
    let rendered = new.letter.render()?;
    Ok(mail::ActiveModel {
        id: Set(id.as_uuid()),
        kind: Set(new.kind.to_owned()),
        about: Set(new.about),
        to_address: Set(new.to.to_string()),
        to_name: Set(new.to_name.clone()),
        from_name: Set(new.from_name.clone()),
        reply_to: Set(new.reply_to.as_ref().map(ToString::to_string)),
        subject: Set(new.letter.subject.clone()),
        html: Set(rendered.html),
        plain: Set(rendered.text),
        unsubscribe: Set(new.letter.unsubscribe.clone()),
        state: Set(MailState::Queued),
        attempts: Set(0),
        queued_at: Set(now.as_micros()),
        next_at: Set(now.as_micros()),
        closed_at: Set(None),
        last_error: Set(None),
    })
}

/// Gives up the mails about a thing that are still queued, because of `why`. One that is just being delivered arrives
/// all the same.
///
/// # Errors
/// If the database fails.
pub async fn give_up(txn: &Txn, now: Timestamp, about: Uuid, why: &str) -> Result<(), StorageError> {
    give_up_where(txn, now, mail::Column::About.eq(about), why).await
}

/// Gives up the mails of one kind, or several, that are still queued to an address.
///
/// # Errors
/// If the database fails.
pub async fn give_up_to(
    txn: &Txn,
    now: Timestamp,
    address: &EmailAddress,
    kinds: &[&str],
    why: &str,
) -> Result<(), StorageError> {
    let which = mail::Column::ToAddress
        .eq(address.as_str())
        .and(mail::Column::Kind.is_in(kinds.iter().copied()));
    give_up_where(txn, now, which, why).await
}

async fn give_up_where(txn: &Txn, now: Timestamp, which: Expr, why: &str) -> Result<(), StorageError> {
    // A sender may hold some of them for as long as a mail server takes to answer.
    let queued: Vec<Uuid> = mail::Entity::find()
        .select_only()
        .column(mail::Column::Id)
        .filter(which)
        .filter(mail::Column::State.eq(MailState::Queued))
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(txn)
        .await?;
    if queued.is_empty() {
        return Ok(());
    }
    mail::Entity::update_many()
        .set(mail::ActiveModel {
            state: Set(MailState::Failed),
            closed_at: Set(Some(now.as_micros())),
            last_error: Set(Some(why.to_owned())),
            html: Set(String::new()),
            plain: Set(String::new()),
            unsubscribe: Set(None),
            ..Default::default()
        })
        .filter(mail::Column::Id.is_in(queued))
        .exec(txn)
        .await?;
    Ok(())
}

/// Takes names, addresses and words out of the mails about these things, and of those to or from these addresses, for
/// ever; what is still queued is given up. That there were such mails, and what became of them, stays.
///
/// # Errors
/// If the database fails.
pub async fn erase(txn: &Txn, now: Timestamp, about: &[Uuid], addresses: &[&EmailAddress]) -> Result<(), StorageError> {
    let addresses: Vec<&str> = addresses.iter().map(|address| address.as_str()).collect();
    let of_addresses = mail::Column::ToAddress
        .is_in(addresses.iter().copied())
        .or(mail::Column::ReplyTo.is_in(addresses));
    erase_where(txn, now, of_addresses).await?;
    for chunk in about.chunks(ROWS) {
        erase_where(txn, now, mail::Column::About.is_in(chunk.iter().copied())).await?;
    }
    Ok(())
}

async fn erase_where(txn: &Txn, now: Timestamp, which: Expr) -> Result<(), StorageError> {
    let ids: Vec<Uuid> = mail::Entity::find()
        .select_only()
        .column(mail::Column::Id)
        .filter(which)
        .order_by_asc(mail::Column::Id)
        .lock(LockType::Update)
        .into_tuple()
        .all(txn)
        .await?;
    for chunk in ids.chunks(ROWS) {
        mail::Entity::update_many()
            .set(mail::ActiveModel {
                state: Set(MailState::Failed),
                closed_at: Set(Some(now.as_micros())),
                ..Default::default()
            })
            .filter(mail::Column::Id.is_in(chunk.iter().copied()))
            .filter(mail::Column::State.eq(MailState::Queued))
            .exec(txn)
            .await?;
        let empty = || Set(String::new());
        mail::Entity::update_many()
            .set(mail::ActiveModel {
                to_address: empty(),
                to_name: Set(None),
                from_name: empty(),
                reply_to: Set(None),
                subject: empty(),
                html: empty(),
                plain: empty(),
                unsubscribe: Set(None),
                last_error: Set(None),
                ..Default::default()
            })
            .filter(mail::Column::Id.is_in(chunk.iter().copied()))
            .exec(txn)
            .await?;
        // Servers like to repeat an address.
        attempt::Entity::update_many()
            .set(attempt::ActiveModel {
                reply: empty(),
                ..Default::default()
            })
            .filter(attempt::Column::MailId.is_in(chunk.iter().copied()))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// How many mails ought to be on their way by `now`.
///
/// # Errors
/// If the database fails.
pub async fn queued_due(conn: &impl ConnectionTrait, now: Timestamp) -> Result<u64, StorageError> {
    let due = mail::Column::NextAt.lte(now.as_micros());
    Ok(mail::Entity::find()
        .filter(mail::Column::State.eq(MailState::Queued))
        .filter(due)
        .count(conn)
        .await?)
}

/// When the next mail is due; a moment in the past if one is due already.
///
/// # Errors
/// If the database fails.
pub async fn next_due(conn: &impl ConnectionTrait) -> Result<Option<Timestamp>, StorageError> {
    let first = mail::Entity::find()
        .select_only()
        .column(mail::Column::NextAt)
        .filter(mail::Column::State.eq(MailState::Queued))
        .order_by_asc(mail::Column::NextAt)
        .into_tuple::<i64>()
        .one(conn)
        .await?;
    Ok(first.map(Timestamp::from_micros))
}

/// What became of all mails about a thing, in the order in which they were written.
///
/// # Errors
/// If the database fails.
pub async fn about(conn: &impl ConnectionTrait, about: Uuid) -> Result<Vec<Delivery>, StorageError> {
    let mut found = about_all(conn, &[about]).await?;
    Ok(found.remove(&about).unwrap_or_default())
}

/// What became of all mails about some things, by thing, in the order in which they were written. Things without a
/// mail are left out.
///
/// # Errors
/// If the database fails.
pub async fn about_all(
    conn: &impl ConnectionTrait,
    about: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Delivery>>, StorageError> {
    let mut found: HashMap<Uuid, Vec<Delivery>> = HashMap::new();
    for chunk in about.chunks(ROWS) {
        // One statement, so that a mail and its attempts are seen at the same moment.
        let mails = mail::Entity::find()
            .find_with_related(attempt::Entity)
            .filter(mail::Column::About.is_in(chunk.iter().copied()))
            .order_by_asc(mail::Column::QueuedAt)
            .order_by_asc(mail::Column::Id)
            .order_by_asc(attempt::Column::Number)
            .all(conn)
            .await?;
        for (mail, attempts) in mails {
            found.entry(mail.about).or_default().push(delivery((mail, attempts)));
        }
    }
    Ok(found)
}

fn delivery((mail, attempts): (mail::Model, Vec<attempt::Model>)) -> Delivery {
    let attempt = |row: attempt::Model| {
        let at = Timestamp::from_micros(row.attempted_at);
        Attempt {
            at,
            outcome: row.outcome,
            reply: row.reply,
        }
    };
    Delivery {
        id: MailId::from_uuid(mail.id),
        kind: mail.kind,
        to_address: mail.to_address,
        state: mail.state,
        queued_at: Timestamp::from_micros(mail.queued_at),
        closed_at: mail.closed_at.map(Timestamp::from_micros),
        last_error: mail.last_error,
        attempts: attempts.into_iter().map(attempt).collect(),
    }
}
