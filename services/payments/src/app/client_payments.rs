//! What clients pay otherwise than by charges, and what they owe.

use std::sync::Arc;

use vouch_primitives::{ClientId, ClientPaymentId, Money, Timestamp};
use vouch_proto::{Listed, Page, payments::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::App;
use crate::{
    domain::{Book, ClientPayment, ClientPaymentError, Debts},
    error::Error,
    store,
};

/// Writes down that a client has paid for rewards of its own programmes.
#[derive(Clone, Debug)]
pub struct RecordClientPayment {
    /// Whose payment.
    pub client_id: ClientId,
    /// How much, above zero.
    pub amount: Money,
    /// What the bank calls it.
    pub reference: String,
    /// When it came; now, if nothing is said.
    pub received_at: Option<Timestamp>,
}

/// Undoes a payment that was a mistake, or has bounced.
#[derive(Clone, Copy, Debug)]
pub struct UndoClientPayment {
    /// Which one.
    pub client_payment_id: ClientPaymentId,
}

impl App {
    /// Writes a payment down, and books it.
    ///
    /// # Errors
    /// [`Error::ClientPayment`].
    pub async fn record_client_payment(
        &self,
        key: &RequestKey,
        command: &RecordClientPayment,
    ) -> Result<pb::RecordClientPaymentResponse, Error> {
        let (client, currency) = (command.client_id, command.amount.currency);
        let work = |txn: Arc<Txn>, now: Timestamp| async move {
            let payment = ClientPayment {
                id: ClientPaymentId::new(),
                client_id: client,
                amount: command.amount,
                reference: command.reference.clone(),
                received_at: command.received_at.unwrap_or(now),
                recorded_at: now,
                undone_at: None,
            };
            if payment.received_at > now {
                return Err(ClientPaymentError::InFuture.into());
            }
            // Whoever records another one for this client waits here.
            let mut book = store::ledger::open(&txn, Book::accounts_of_funder(client, currency)).await?;
            if !store::client_payments::insert(&txn, &payment).await? {
                return Err(ClientPaymentError::Exists.into());
            }
            let owed = book.owed_for_rewards(client, currency)?;
            if payment.amount.minor > owed.minor {
                return Err(ClientPaymentError::TooMuch { owed }.into());
            }
            book.take_payment(&payment)?;
            store::ledger::save(&txn, now, &book).await?;
            Ok(pb::RecordClientPaymentResponse {
                payment: Some(payment.into()),
                still_owed: Some(book.owed_for_rewards(client, currency)?.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Undoes a payment.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::ClientPayment`].
    pub async fn undo_client_payment(
        &self,
        key: &RequestKey,
        command: UndoClientPayment,
    ) -> Result<pb::UndoClientPaymentResponse, Error> {
        let id = command.client_payment_id;
        let not_found = || Error::not_found("client_payment", id.as_uuid());
        let work = |txn: Arc<Txn>, now| async move {
            let seen = store::client_payments::find(&*txn, id).await?.ok_or_else(not_found)?;
            let (client, currency) = (seen.client_id, seen.amount.currency);
            let mut book = store::ledger::open(&txn, Book::accounts_of_funder(client, currency)).await?;
            // What was seen before the lock may have been undone meanwhile.
            let mut payment = store::client_payments::find(&*txn, id).await?.ok_or_else(not_found)?;
            if payment.undone_at.replace(now).is_some() {
                return Err(ClientPaymentError::Undone.into());
            }
            book.undo_payment(&payment, now)?;
            store::client_payments::undo(&txn, id, now).await?;
            store::ledger::save(&txn, now, &book).await?;
            Ok(pb::UndoClientPaymentResponse {
                payment: Some(payment.into()),
                owed: Some(book.owed_for_rewards(client, currency)?.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Lists what a client has paid otherwise than by charges, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_client_payments(
        &self,
        client: ClientId,
        page: Page<ClientPaymentId>,
    ) -> Result<Listed<ClientPayment, ClientPaymentId>, Error> {
        let found = store::client_payments::list(self.commands.db().reader(), client, page).await?;
        Ok(page.cut(found, |payment| payment.id))
    }

    /// What a client owes, and what is owed to it, in each currency.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_receivables(&self, client: ClientId) -> Result<Vec<Debts>, Error> {
        Ok(store::statements::debts(self.commands.db().reader(), client).await?)
    }
}
