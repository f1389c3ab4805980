//! Every way in which money may move.

use std::collections::{BTreeMap, BTreeSet};

use vouch_primitives::{AccountId, Currency, EarningId, Money, ReversalId, Timestamp};

use super::{
    Cause, Charge, Chargeback, Dispute, Earning, HoldReleased, JournalEntry, LedgerAccount, LedgerAccountKind,
    Milestone, Parts, Payout, Refund, Reinstatement, Source, Transfer, TransferKind, account::Side,
};

/// The balances that were read and locked for a piece of work, and the movements that it makes.
///
/// Each operation checks every movement: no balance becomes negative, none overflows, currencies never mix. After an
/// error the book is of no use; drop it with the transaction that it belongs to.
#[derive(Debug)]
pub struct Book {
    pub(super) balances: BTreeMap<LedgerAccount, i64>,
    moved_at: Timestamp,
    changed: BTreeSet<LedgerAccount>,
    entries: Vec<JournalEntry>,
}

/// Why money cannot move so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// There is less than is to be taken.
    #[error("{} of {} has too little for this", account.kind.name(), account.owner)]
    TooLittle {
        /// Where.
        account: LedgerAccount,
    },
    /// The balance would not fit 64 bits.
    #[error("{} of {} would be too large", account.kind.name(), account.owner)]
    TooLarge {
        /// Where.
        account: LedgerAccount,
    },
    /// The balance was not read: a mistake in the program.
    #[error("{} of {} was not opened", account.kind.name(), account.owner)]
    NotOpened {
        /// Which.
        account: LedgerAccount,
    },
    /// Negative, or between two currencies: a mistake in the program.
    #[error("a transfer of {amount_minor} from {debit} to {credit} is unsound")]
    Unsound {
        /// How much.
        amount_minor: i64,
        /// The currency of the debited account.
        debit: Currency,
        /// The currency of the credited account.
        credit: Currency,
    },
}

impl Book {
    /// A book of these balances, without any movements.
    #[must_use]
    pub fn new(balances: BTreeMap<LedgerAccount, i64>) -> Self {
        Self {
            balances,
            moved_at: Timestamp::EPOCH,
            changed: BTreeSet::new(),
            entries: Vec::new(),
        }
    }

    /// The same, of balances that were last moved at `moved_at`.
    #[must_use]
    pub const fn since(mut self, moved_at: Timestamp) -> Self {
        self.moved_at = moved_at;
        self
    }

    /// The moment under which the movements are booked: `now`, or that of the last movement of any of these balances if
    /// a clock is behind. So the moments of an account never go back, and what it held at one of them has one answer.
    #[must_use]
    pub fn booked_at(&self, now: Timestamp) -> Timestamp {
        now.max(self.moved_at)
    }

    /// What has to be opened for everything that touches the money of an account: always all of its parts, so that the
    /// movements of one account stand in the ledger in the order of their commits.
    #[must_use]
    pub const fn accounts_of(account: AccountId, currency: Currency) -> Parts {
        Parts::of(account, currency)
    }

    /// What a client has paid goes into the contract's escrow.
    ///
    /// # Errors
    /// If the escrow would not fit.
    pub fn charge(&mut self, at: Timestamp, charge: &Charge) -> Result<(), LedgerError> {
        self.begin(Source::ChargeSucceeded(charge.id), at);
        let currency = charge.amount.currency;
        let clearing = LedgerAccount::platform(LedgerAccountKind::Clearing, currency);
        let escrow = LedgerAccount::escrow(charge.contract_id, currency);
        self.transfer(TransferKind::Charge, clearing, escrow, charge.amount.minor)
    }

    /// What was in escrow for a milestone goes back to the client.
    ///
    /// # Errors
    /// If the escrow has too little.
    pub fn refund_escrow(&mut self, at: Timestamp, milestone: &Milestone, back: Money) -> Result<(), LedgerError> {
        self.begin(Source::EscrowRefunded(milestone.id), at);
        let escrow = LedgerAccount::escrow(milestone.contract_id, back.currency);
        let clearing = LedgerAccount::platform(LedgerAccountKind::Clearing, back.currency);
        self.transfer(TransferKind::Refund, escrow, clearing, back.minor)
    }

    /// An approved earning leaves escrow and is pending, less the service fee.
    ///
    /// # Errors
    /// If the escrow has too little, or the balance would not fit.
    pub fn approve(&mut self, earning: &Earning) -> Result<(), LedgerError> {
        self.begin(Source::EarningApproved(earning.id), earning.approved_at);
        let currency = earning.gross.currency;
        let escrow = LedgerAccount::escrow(earning.contract_id, currency);
        let pending = LedgerAccount::pending(earning.account_id, currency);
        let fees = LedgerAccount::platform(LedgerAccountKind::Fees, currency);
        self.transfer(TransferKind::EarningApproved, escrow, pending, earning.gross.minor)?;
        self.transfer(TransferKind::ServiceFee, pending, fees, earning.fee_minor)
    }

    /// What was pending of an earning is available.
    ///
    /// # Errors
    /// If less is pending, or the balance would not fit.
    pub fn settle(
        &mut self,
        at: Timestamp,
        earning: EarningId,
        account: AccountId,
        held: Money,
    ) -> Result<(), LedgerError> {
        self.begin(Source::EarningSettled(earning), at);
        let Parts { pending, available, .. } = Self::accounts_of(account, held.currency);
        self.transfer(TransferKind::EarningSettled, pending, available, held.minor)?;
        self.repay_receivable(account, held.currency)
    }

    /// What is disputed of an earning is held.
    ///
    /// # Errors
    /// If less is pending.
    pub fn hold(&mut self, dispute: &Dispute, account: AccountId) -> Result<(), LedgerError> {
        self.begin(Source::DisputeOpened(dispute.id), dispute.opened_at);
        let Parts { pending, held, .. } = Self::accounts_of(account, dispute.amount.currency);
        self.transfer(TransferKind::Held, pending, held, dispute.held_minor)
    }

    /// What was held is pending or available again.
    ///
    /// # Errors
    /// If less is held, or a balance would not fit.
    pub fn release(&mut self, released: &HoldReleased, account: AccountId) -> Result<(), LedgerError> {
        self.begin(Source::DisputeClosed(released.dispute_id), released.at);
        let currency = released.held.currency;
        let parts = Self::accounts_of(account, currency);
        let home = if released.pending {
            parts.pending
        } else {
            parts.available
        };
        self.transfer(TransferKind::HoldReleased, parts.held, home, released.held.minor)?;
        self.repay_receivable(account, currency)
    }

    /// A provider takes back what a client had paid: of the earning as `taken` says, otherwise from escrow. What neither has
    /// any more is the platform's loss.
    ///
    /// # Errors
    /// If less is there than the chargeback says, or a balance would not fit.
    pub fn charge_back(&mut self, chargeback: &Chargeback, taken: Option<&Refund>) -> Result<(), LedgerError> {
        let [escrow, clearing, losses] = Self::around(chargeback);
        if let Some(taken) = taken {
            self.refund(taken)?;
        } else {
            self.begin(Source::ChargedBack(chargeback.id), chargeback.charged_back_at);
            self.transfer(TransferKind::Chargeback, escrow, clearing, chargeback.taken_minor())?;
        }
        self.transfer(TransferKind::Chargeback, losses, clearing, chargeback.lost_minor)
    }

    /// What a provider took is there again: of the earning as `given` says, otherwise in escrow. With it the platform's loss
    /// is made good.
    ///
    /// # Errors
    /// If a balance would not fit.
    pub fn win_back(
        &mut self,
        chargeback: &Chargeback,
        given: Option<&Reinstatement>,
        (id, at): (ReversalId, Timestamp),
    ) -> Result<(), LedgerError> {
        let kind = TransferKind::ChargebackReversed;
        let [escrow, clearing, losses] = Self::around(chargeback);
        if let Some(given) = given {
            self.reinstate(given)?;
        } else {
            self.begin(Source::ChargebackReversed(id), at);
            self.transfer(kind, clearing, escrow, chargeback.taken_minor())?;
        }
        self.transfer(kind, clearing, losses, chargeback.lost_minor)
    }

    /// What has just come back into escrow goes on to the client, as the milestone was given up meanwhile.
    ///
    /// # Errors
    /// If the escrow has too little.
    pub fn hand_on(&mut self, chargeback: &Chargeback) -> Result<(), LedgerError> {
        let [escrow, clearing, _] = Self::around(chargeback);
        self.transfer(TransferKind::Refund, escrow, clearing, chargeback.taken_minor())
    }

    fn around(chargeback: &Chargeback) -> [LedgerAccount; 3] {
        let currency = chargeback.amount.currency;
        [
            LedgerAccount::escrow(chargeback.contract_id, currency),
            LedgerAccount::platform(LedgerAccountKind::Clearing, currency),
            LedgerAccount::platform(LedgerAccountKind::Losses, currency),
        ]
    }

    /// What a chargeback had taken of an earning is pending or available again, less the service fee.
    ///
    /// # Errors
    /// If a balance would not fit.
    pub fn reinstate(&mut self, reinstatement: &Reinstatement) -> Result<(), LedgerError> {
        self.begin(Source::ChargebackReversed(reinstatement.id), reinstatement.at);
        let (account, currency) = (reinstatement.account_id, reinstatement.amount.currency);
        let Parts { pending, available, .. } = Self::accounts_of(account, currency);
        let home = if reinstatement.pending { pending } else { available };
        let clearing = LedgerAccount::platform(LedgerAccountKind::Clearing, currency);
        let fees = LedgerAccount::platform(LedgerAccountKind::Fees, currency);
        self.transfer(
            TransferKind::ChargebackReversed,
            clearing,
            home,
            reinstatement.amount.minor,
        )?;
        self.transfer(TransferKind::ServiceFee, home, fees, reinstatement.fee_minor)?;
        self.repay_receivable(account, currency)
    }

    /// A client gets money back, by a refund or by its provider. The fee on it goes back first; then the amount is taken from what the earning has
    /// pending, from what the account has available, and what is missing is owed.
    ///
    /// # Errors
    /// If less is pending than the refund says, or a balance would not fit.
    pub fn refund(&mut self, refund: &Refund) -> Result<(), LedgerError> {
        let (source, kind) = match refund.cause {
            Cause::Refund => (Source::EarningRefunded(refund.id), TransferKind::Refund),
            Cause::Chargeback => (Source::ChargedBack(refund.id), TransferKind::Chargeback),
        };
        self.begin(source, refund.at);
        let (account, currency) = (refund.account_id, refund.amount.currency);
        let Parts { pending, available, .. } = Self::accounts_of(account, currency);
        let fees = LedgerAccount::platform(LedgerAccountKind::Fees, currency);
        let clearing = LedgerAccount::platform(LedgerAccountKind::Clearing, currency);
        let home = if refund.pending.is_some() { pending } else { available };
        self.transfer(TransferKind::ServiceFeeReturned, fees, home, refund.fee_back_minor)?;
        let mut rest = refund.amount.minor;
        if let Some(part) = refund.pending {
            self.transfer(kind, pending, clearing, part.taken_minor)?;
            self.transfer(TransferKind::RoundingReleased, pending, available, part.freed_minor)?;
            rest -= part.taken_minor;
        }
        self.take(kind, account, clearing, rest)?;
        self.repay_receivable(account, currency)
    }

    /// Whether the balance was read.
    #[must_use]
    pub fn holds(&self, account: LedgerAccount) -> bool {
        self.balances.contains_key(&account)
    }

    /// What an account could withdraw: what is available, once what it owes is paid.
    ///
    /// # Errors
    /// If the account was not opened.
    pub fn withdrawable(&self, account: AccountId, currency: Currency) -> Result<Money, LedgerError> {
        let Parts {
            available, receivable, ..
        } = Self::accounts_of(account, currency);
        let left = self.balance(available)?.saturating_sub(self.balance(receivable)?);
        Ok(Money::new(left.max(0), currency))
    }

    /// Money leaves what is available: the fee is taken, the rest is on its way. What is owed is paid first.
    ///
    /// # Errors
    /// If less is available.
    pub fn withdraw(&mut self, payout: &Payout) -> Result<(), LedgerError> {
        self.begin(Source::PayoutRequested(payout.id), payout.requested_at);
        let (account, currency) = (payout.account_id, payout.amount.currency);
        let Parts {
            available, in_transit, ..
        } = Self::accounts_of(account, currency);
        let fees = LedgerAccount::platform(LedgerAccountKind::Fees, currency);
        self.repay_receivable(account, currency)?;
        self.transfer(TransferKind::Payout, available, in_transit, payout.sent().minor)?;
        self.transfer(TransferKind::PayoutFee, available, fees, payout.fee_minor)
    }

    /// What was on its way has been sent.
    ///
    /// # Errors
    /// If less was on its way.
    pub fn pay_out(&mut self, payout: &Payout, at: Timestamp) -> Result<(), LedgerError> {
        self.begin(Source::PayoutPaid(payout.id), at);
        let [in_transit, clearing] = Self::between_transit_and_talent(payout);
        self.transfer(TransferKind::PayoutPaid, in_transit, clearing, payout.sent().minor)
    }

    /// The exact inverse of [`Self::withdraw`]: what was on its way is available again, and so is the fee.
    ///
    /// # Errors
    /// If less was on its way, or the balance would not fit.
    pub fn undo_withdrawal(&mut self, payout: &Payout, at: Timestamp) -> Result<(), LedgerError> {
        self.begin(Source::PayoutUndone(payout.id), at);
        let [in_transit, _] = Self::between_transit_and_talent(payout);
        self.give_back(TransferKind::PayoutUndone, in_transit, payout)
    }

    /// The exact inverse of [`Self::withdraw`] and [`Self::pay_out`] together: what was sent is available again, and so
    /// is the fee.
    ///
    /// # Errors
    /// If the balance would not fit.
    pub fn take_return(&mut self, payout: &Payout, at: Timestamp) -> Result<(), LedgerError> {
        self.begin(Source::PayoutReturned(payout.id), at);
        let [_, clearing] = Self::between_transit_and_talent(payout);
        self.give_back(TransferKind::PayoutReturned, clearing, payout)
    }

    fn between_transit_and_talent(payout: &Payout) -> [LedgerAccount; 2] {
        let currency = payout.amount.currency;
        [
            LedgerAccount::in_transit(payout.account_id, currency),
            LedgerAccount::platform(LedgerAccountKind::Clearing, currency),
        ]
    }

    fn give_back(&mut self, kind: TransferKind, from: LedgerAccount, payout: &Payout) -> Result<(), LedgerError> {
        let (account, currency) = (payout.account_id, payout.amount.currency);
        let available = LedgerAccount::available(account, currency);
        let fees = LedgerAccount::platform(LedgerAccountKind::Fees, currency);
        self.transfer(kind, from, available, payout.sent().minor)?;
        self.transfer(TransferKind::PayoutFeeReturned, fees, available, payout.fee_minor)?;
        self.repay_receivable(account, currency)
    }

    /// The movements so far.
    #[must_use]
    pub fn entries(&self) -> &[JournalEntry] {
        &self.entries
    }

    /// The balances that differ from what was read, with their new values, in the order of their ids.
    #[must_use]
    pub fn changed_balances(&self) -> Vec<(LedgerAccount, i64)> {
        let mut changed: Vec<_> = self
            .changed
            .iter()
            .filter_map(|account| Some((*account, *self.balances.get(account)?)))
            .collect();
        changed.sort_by_key(|(account, _)| account.id());
        changed
    }

    pub(super) fn begin(&mut self, source: Source, event_at: Timestamp) {
        self.entries.push(JournalEntry {
            source,
            event_at,
            transfers: Vec::new(),
        });
    }

    /// Takes from what is available as far as it goes; the rest is owed.
    pub(super) fn take(
        &mut self,
        kind: TransferKind,
        account: AccountId,
        to: LedgerAccount,
        amount_minor: i64,
    ) -> Result<(), LedgerError> {
        let Parts {
            available, receivable, ..
        } = Self::accounts_of(account, to.currency);
        let there = amount_minor.min(self.balance(available)?);
        self.transfer(kind, available, to, there)?;
        self.transfer(kind, receivable, to, amount_minor - there)
    }

    /// What has come in pays down what is owed, before anything else can happen to it.
    pub(super) fn repay_receivable(&mut self, account: AccountId, currency: Currency) -> Result<(), LedgerError> {
        let Parts {
            available, receivable, ..
        } = Self::accounts_of(account, currency);
        let amount = self.balance(available)?.min(self.balance(receivable)?);
        self.transfer(TransferKind::ReceivableRepaid, available, receivable, amount)
    }

    pub(super) fn balance(&self, account: LedgerAccount) -> Result<i64, LedgerError> {
        let balance = self.balances.get(&account).copied();
        balance.ok_or(LedgerError::NotOpened { account })
    }

    /// Adds a movement to the last entry; one of nothing is left out.
    pub(super) fn transfer(
        &mut self,
        kind: TransferKind,
        debit: LedgerAccount,
        credit: LedgerAccount,
        amount_minor: i64,
    ) -> Result<(), LedgerError> {
        if amount_minor == 0 {
            return Ok(());
        }
        if amount_minor < 0 || debit.currency != credit.currency {
            return Err(LedgerError::Unsound {
                amount_minor,
                debit: debit.currency,
                credit: credit.currency,
            });
        }
        let transfer = Transfer {
            kind,
            debit,
            credit,
            amount_minor,
            debit_balance_after: self.change(debit, Side::Debit, amount_minor)?,
            credit_balance_after: self.change(credit, Side::Credit, amount_minor)?,
        };
        if let Some(entry) = self.entries.last_mut() {
            entry.transfers.push(transfer);
        }
        Ok(())
    }

    /// The stored balance after one leg; `None` for the platform's accounts, which have none.
    fn change(&mut self, account: LedgerAccount, side: Side, amount_minor: i64) -> Result<Option<i64>, LedgerError> {
        if !account.kind.has_balance() {
            return Ok(None);
        }
        let before = self.balance(account)?;
        let after = if side == account.kind.normal_side() {
            before
                .checked_add(amount_minor)
                .ok_or(LedgerError::TooLarge { account })?
        } else {
            before
                .checked_sub(amount_minor)
                .filter(|after| *after >= 0)
                .ok_or(LedgerError::TooLittle { account })?
        };
        self.balances.insert(account, after);
        self.changed.insert(account);
        Ok(Some(after))
    }
}
