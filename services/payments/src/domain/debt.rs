//! What clients owe for invoices that they could not be charged for.

use vouch_primitives::Timestamp;

use super::{Book, Charge, LedgerAccount, LedgerError, Source, TransferKind};

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

    /// Whether an account could hold so much more.
    ///
    /// # Errors
    /// If it could not.
    pub fn check_room(&self, account: LedgerAccount, amount_minor: i64) -> Result<(), LedgerError> {
        let after = self.balance(account)?.checked_add(amount_minor);
        after.map(|_| ()).ok_or(LedgerError::TooLarge { account })
    }
}
