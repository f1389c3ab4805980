//! What clients are made to pay, and what follows once they have.

use vouch_primitives::Timestamp;
use vouch_storage::Txn;

use super::{App, bonuses, invoices, milestones};
use crate::{
    domain::{Book, Charge, EarningSource, LedgerAccount},
    error::Error,
    store,
};

impl App {
    /// Makes clients pay these into the escrow of their contracts, which are locked.
    ///
    /// # Errors
    /// When the database fails, or an escrow would not fit.
    pub(super) async fn charge(&self, txn: &Txn, now: Timestamp, charges: &[Charge]) -> Result<(), Error> {
        let escrows = charges
            .iter()
            .map(|charge| LedgerAccount::escrow(charge.contract_id, charge.amount.currency));
        let mut book: Book = store::ledger::open(txn, escrows).await?;
        for charge in charges {
            book.charge(now, charge)?;
        }
        store::ledger::save(txn, now, &book).await?;
        let (mut of_milestones, mut of_invoices, mut of_bonuses) = (Vec::new(), Vec::new(), Vec::new());
        for charge in charges {
            match charge.purpose {
                EarningSource::Milestone(id) => of_milestones.push(id),
                EarningSource::Invoice(id) => of_invoices.push(id),
                EarningSource::Bonus(id) => of_bonuses.push(id),
            }
        }
        milestones::paid(txn, &of_milestones).await?;
        invoices::paid(txn, now, &of_invoices).await?;
        bonuses::paid(txn, now, &of_bonuses).await
    }
}
