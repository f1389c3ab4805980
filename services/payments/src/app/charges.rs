//! What clients are made to pay, and what follows once they have.

use vouch_primitives::{BonusPaymentId, MilestoneId, Timestamp};
use vouch_storage::Txn;

use super::{App, bonuses, milestones};
use crate::{
    domain::{Book, Charge, LedgerAccount, Purpose},
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
        let (mut of_milestones, mut of_bonuses) = (Vec::<MilestoneId>::new(), Vec::<BonusPaymentId>::new());
        for charge in charges {
            match charge.purpose {
                Purpose::Milestone(id) => of_milestones.push(id),
                Purpose::Bonus(id) => of_bonuses.push(id),
                Purpose::Invoice(_) => {}
            }
        }
        milestones::paid(txn, &of_milestones).await?;
        bonuses::paid(txn, now, &of_bonuses).await
    }
}
