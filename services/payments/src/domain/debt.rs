//! What clients owe: invoices that they could not be charged for, and the rewards of their own programmes [R32].

use vouch_primitives::{ClientId, ClientPaymentId, Currency, Money, Timestamp};

use super::{Book, Charge, LedgerAccount, LedgerAccountKind, LedgerError, RewardPosting, Source, TransferKind};

/// Money of a client's that came otherwise than by a charge, as by a bank transfer, and pays for rewards of its own programmes.
/// Those belong to no contract, so that there is nothing of which it could be charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPayment {
    /// Its id.
    pub id: ClientPaymentId,
    /// Whose.
    pub client_id: ClientId,
    /// How much, above zero.
    pub amount: Money,
    /// What the bank calls it; each counts once for a client.
    pub reference: String,
    /// When it came.
    pub received_at: Timestamp,
    /// When that was written down.
    pub recorded_at: Timestamp,
    /// When it was undone, as it was a mistake or has bounced.
    pub undone_at: Option<Timestamp>,
}

/// What a client owes, and what is owed to it, in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Debts {
    /// For invoices that it could not be charged for.
    pub invoices: Money,
    /// For rewards of its own programmes.
    pub rewards: Money,
    /// What it has paid for rewards that were taken back since; the next ones are paid from it.
    pub credit: Money,
}

/// What a payment of a client's refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientPaymentError {
    /// It is more than the client owes for rewards.
    #[error("the client owes {owed} for rewards, and not more")]
    TooMuch {
        /// What it owes.
        owed: Money,
    },
    /// It cannot have come yet.
    #[error("a payment that will come is recorded when it has come")]
    InFuture,
    /// It was undone before.
    #[error("the payment was undone before")]
    Undone,
    /// One with this reference was recorded for the client.
    #[error("a payment of the client with this reference was recorded already")]
    Exists,
}

impl Book {
    /// Charging a client for an invoice was given up: the client owes it, and nobody has earned it.
    ///
    /// # Errors
    /// If a balance would not fit.
    pub fn owe(&mut self, at: Timestamp, charge: &Charge) -> Result<(), LedgerError> {
        self.begin(Source::ChargeGivenUp(charge.id), at);
        let [receivable, unpaid] = Self::accounts_of_debt(charge);
        self.transfer(TransferKind::InvoiceUnpaid, receivable, unpaid, charge.amount.minor)
    }

    /// A client has paid what it owed.
    ///
    /// # Errors
    /// If it owed less.
    pub fn stop_owing(&mut self, at: Timestamp, charge: &Charge) -> Result<(), LedgerError> {
        self.begin(Source::ReceivablePaid(charge.id), at);
        let [receivable, unpaid] = Self::accounts_of_debt(charge);
        self.transfer(TransferKind::InvoicePaidLate, unpaid, receivable, charge.amount.minor)
    }

    /// What has to be opened for what a client owes.
    #[must_use]
    pub const fn accounts_of_debt(charge: &Charge) -> [LedgerAccount; 2] {
        let currency = charge.amount.currency;
        [
            LedgerAccount::client_receivable(charge.client_id, currency),
            LedgerAccount::unpaid(charge.contract_id, currency),
        ]
    }

    /// What has to be opened for the rewards of a client's own programmes.
    #[must_use]
    pub const fn accounts_of_funder(client: ClientId, currency: Currency) -> [LedgerAccount; 2] {
        [
            LedgerAccount::reward_receivable(client, currency),
            LedgerAccount::reward_credit(client, currency),
        ]
    }

    /// The difference of a reward is paid at the programme's expense, or taken back; one of a client's programme is owed by the
    /// client, and what is taken back is owed to it [R32].
    ///
    /// # Errors
    /// If a balance would not fit.
    pub fn reward(&mut self, posting: &RewardPosting) -> Result<(), LedgerError> {
        let release = &posting.release;
        self.begin(
            Source::RewardReleased {
                key: release.key,
                epoch: release.epoch,
                sequence: release.sequence,
            },
            release.released_at,
        );
        let (account, currency) = (release.account_id, release.key.currency);
        let expense = LedgerAccount::platform(LedgerAccountKind::RewardExpense, currency);
        let funding = release.funder.map(|client| Self::accounts_of_funder(client, currency));
        let [from, back] = funding.unwrap_or([expense, expense]);
        let difference = posting.difference_minor;
        if difference < 0 {
            self.take(TransferKind::Reward, account, back, -difference)?;
        } else {
            let available = LedgerAccount::available(account, currency);
            self.transfer(TransferKind::Reward, from, available, difference)?;
            self.repay_receivable(account, currency)?;
        }
        funding.map_or(Ok(()), |accounts| self.use_credit(accounts))
    }

    /// What was paid in vain pays for what is owed now.
    fn use_credit(&mut self, [owed, credit]: [LedgerAccount; 2]) -> Result<(), LedgerError> {
        let amount = self.balance(owed)?.min(self.balance(credit)?);
        self.transfer(TransferKind::ReceivableRepaid, credit, owed, amount)
    }

    /// A client has paid for rewards of its own programmes.
    ///
    /// # Errors
    /// If it owes less.
    pub fn take_payment(&mut self, payment: &ClientPayment) -> Result<(), LedgerError> {
        self.begin(Source::ClientPaid(payment.id), payment.received_at);
        let currency = payment.amount.currency;
        let clearing = LedgerAccount::platform(LedgerAccountKind::Clearing, currency);
        let owed = LedgerAccount::reward_receivable(payment.client_id, currency);
        self.transfer(TransferKind::ClientPayment, clearing, owed, payment.amount.minor)
    }

    /// The inverse: the client owes it again, as far as it has no credit.
    ///
    /// # Errors
    /// If a balance would not fit.
    pub fn undo_payment(&mut self, payment: &ClientPayment, at: Timestamp) -> Result<(), LedgerError> {
        self.begin(Source::ClientPaymentUndone(payment.id), at);
        let currency = payment.amount.currency;
        let clearing = LedgerAccount::platform(LedgerAccountKind::Clearing, currency);
        let accounts = Self::accounts_of_funder(payment.client_id, currency);
        let kind = TransferKind::ClientPaymentUndone;
        self.transfer(kind, accounts[0], clearing, payment.amount.minor)?;
        self.use_credit(accounts)
    }

    /// What a client owes for rewards of its own programmes.
    ///
    /// # Errors
    /// If its accounts were not opened.
    pub fn owed_for_rewards(&self, client: ClientId, currency: Currency) -> Result<Money, LedgerError> {
        let owed = LedgerAccount::reward_receivable(client, currency);
        Ok(Money::new(self.balance(owed)?, currency))
    }

    /// Whether an account could hold so much more.
    ///
    /// # Errors
    /// If it could not.
    pub fn check_room(&self, account: LedgerAccount, amount_minor: i64) -> Result<(), LedgerError> {
        let after = self.balance(account)?.checked_add(amount_minor);
        after.map(|_| ()).ok_or(LedgerError::TooLarge { account })
    }
}
