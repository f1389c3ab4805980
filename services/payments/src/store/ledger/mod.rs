//! Opening a book, and saving it: a constant number of statements, however many movements it holds.

pub(super) mod entity;

use std::collections::BTreeMap;

use sea_orm::{
    ActiveValue::{NotSet, Set},
    PaginatorTrait, QueryOrder, QuerySelect,
    entity::prelude::*,
    sea_query::{LockType, OnConflict},
};
use vouch_primitives::{JournalEntryId, Timestamp, TransferId};
use vouch_storage::{StorageError, Txn};

use self::entity::{account, balance, entry, transfer};
use super::ROWS;
use crate::domain::{Book, JournalEntry, LedgerAccount, Source, Transfer};

/// Locks the balances of these accounts in ascending id, and reads them; an account that is new is opened with nothing.
///
/// # Errors
/// When the database fails.
pub async fn open(txn: &Txn, accounts: impl IntoIterator<Item = LedgerAccount>) -> Result<Book, StorageError> {
    let accounts: BTreeMap<Uuid, LedgerAccount> = accounts.into_iter().map(|account| (account.id(), account)).collect();
    let mut book = lock(txn, &accounts).await?;
    let missing: Vec<LedgerAccount> = accounts
        .values()
        .filter(|account| !book.holds(**account))
        .copied()
        .collect();
    if !missing.is_empty() {
        insert(txn, &missing).await?;
        // Somebody else may have opened one of them at the same time; only a new statement sees that.
        book = lock(txn, &accounts).await?;
    }
    Ok(book)
}

/// Books the movements, and saves the balances that they have left.
///
/// # Errors
/// When the database fails; it refuses to book one cause twice, and a negative balance.
pub async fn save(txn: &Txn, now: Timestamp, book: &Book) -> Result<(), StorageError> {
    let at = book.booked_at(now);
    let entries: Vec<(JournalEntryId, &JournalEntry)> = book
        .entries()
        .iter()
        .map(|entry| (JournalEntryId::new(), entry))
        .collect();
    for chunk in entries.chunks(ROWS) {
        let rows = chunk.iter().map(|(id, entry)| entry_row(*id, at, entry));
        entry::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    let transfers: Vec<transfer::ActiveModel> = entries
        .iter()
        .flat_map(|(id, entry)| entry.transfers.iter().map(|transfer| transfer_row(*id, at, transfer)))
        .collect();
    for chunk in transfers.chunks(ROWS) {
        transfer::Entity::insert_many(chunk.to_vec())
            .exec_without_returning(txn)
            .await?;
    }
    for chunk in book.changed_balances().chunks(ROWS) {
        let replace = OnConflict::column(balance::Column::AccountId)
            .update_columns([balance::Column::AmountMinor, balance::Column::MovedAt])
            .to_owned();
        let rows = chunk.iter().map(|(account, amount)| balance_row(*account, *amount, at));
        balance::Entity::insert_many(rows)
            .on_conflict(replace)
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Whether this cause was booked.
///
/// # Errors
/// When the database fails.
pub async fn is_booked(conn: &impl ConnectionTrait, source: &Source) -> Result<bool, StorageError> {
    let of_source = entry::Entity::find()
        .filter(entry::Column::Source.eq(source.kind()))
        .filter(entry::Column::SourceId.eq(source.name()));
    Ok(of_source.count(conn).await? > 0)
}

/// What is read is what is locked: a row that another transaction was changing is read as that one has left it.
async fn lock(txn: &Txn, accounts: &BTreeMap<Uuid, LedgerAccount>) -> Result<Book, StorageError> {
    let rows = balance::Entity::find()
        .filter(balance::Column::AccountId.is_in(accounts.keys().copied()))
        .order_by_asc(balance::Column::AccountId)
        .lock(LockType::Update)
        .all(txn)
        .await?;
    let moved_at = rows.iter().map(|row| row.moved_at).max().unwrap_or(0);
    let known = rows
        .into_iter()
        .filter_map(|row| Some((*accounts.get(&row.account_id)?, row.amount_minor)));
    Ok(Book::new(known.collect()).since(Timestamp::from_micros(moved_at)))
}

/// Opens accounts, and with them those of the platform in the same currencies, which no lock ever looks for.
async fn insert(txn: &Txn, accounts: &[LedgerAccount]) -> Result<(), StorageError> {
    let platform = accounts
        .iter()
        .flat_map(|account| LedgerAccount::all_of_platform(account.currency));
    let all: BTreeMap<Uuid, LedgerAccount> = platform
        .chain(accounts.iter().copied())
        .map(|account| (account.id(), account))
        .collect();
    let all: Vec<LedgerAccount> = all.into_values().collect();
    for chunk in all.chunks(ROWS) {
        account::Entity::insert_many(chunk.iter().copied().map(account_row))
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    let empty: Vec<_> = all
        .into_iter()
        .filter(|account| account.kind.has_balance())
        .map(|account| balance_row(account, 0, Timestamp::EPOCH))
        .collect();
    for chunk in empty.chunks(ROWS) {
        balance::Entity::insert_many(chunk.to_vec())
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

fn account_row(account: LedgerAccount) -> account::ActiveModel {
    account::ActiveModel {
        id: Set(account.id()),
        owner_id: Set(account.owner),
        kind: Set(account.kind.name().to_owned()),
        currency: Set(account.currency.code().to_owned()),
    }
}

fn balance_row(account: LedgerAccount, amount_minor: i64, moved_at: Timestamp) -> balance::ActiveModel {
    balance::ActiveModel {
        account_id: Set(account.id()),
        amount_minor: Set(amount_minor),
        moved_at: Set(moved_at.as_micros()),
    }
}

fn entry_row(id: JournalEntryId, at: Timestamp, entry: &JournalEntry) -> entry::ActiveModel {
    entry::ActiveModel {
        id: Set(id.as_uuid()),
        source: Set(entry.source.kind().to_owned()),
        source_id: Set(entry.source.name()),
        subject_id: Set(entry.source.subject_id()),
        event_at: Set(entry.event_at.as_micros()),
        created_at: Set(at.as_micros()),
    }
}

fn transfer_row(entry: JournalEntryId, at: Timestamp, transfer: &Transfer) -> transfer::ActiveModel {
    transfer::ActiveModel {
        position: NotSet,
        id: Set(TransferId::new().as_uuid()),
        entry_id: Set(entry.as_uuid()),
        kind: Set(transfer.kind.name().to_owned()),
        debit_account_id: Set(transfer.debit.id()),
        credit_account_id: Set(transfer.credit.id()),
        currency: Set(transfer.debit.currency.code().to_owned()),
        amount_minor: Set(transfer.amount_minor),
        debit_balance_after: Set(transfer.debit_balance_after),
        credit_balance_after: Set(transfer.credit_balance_after),
        booked_at: Set(at.as_micros()),
    }
}
