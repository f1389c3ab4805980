//! Payouts of one account, for whoever tries all movements of money at once.

use proptest::prelude::*;
use vouch_primitives::{AccountId, Currency, Money, PayoutId, PayoutMethodId};

use super::NOON;
use crate::domain::*;

/// What was withdrawn.
#[derive(Default)]
pub(super) struct Payouts(Vec<Payout>);

pub(super) fn payout_step() -> impl Strategy<Value = PayoutStep> {
    let reason = Refusal::DestinationClosed;
    prop_oneof![
        3 => Just(PayoutStep::Dispatch),
        2 => Just(PayoutStep::Pay),
        1 => Just(PayoutStep::Fail(reason)),
        1 => Just(PayoutStep::Cancel),
        1 => Just(PayoutStep::Return(reason)),
    ]
}

impl Payouts {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Withdraws what this makes of all that there is, after it has tried one unit more than all.
    pub(super) fn withdraw(&mut self, book: &mut Book, account: AccountId, part: impl Fn(i64) -> i64) {
        let most = book.withdrawable(account, Currency::USD).unwrap().minor;
        let amount = part(most);
        if amount == 0 {
            return;
        }
        let id = PayoutId::new();
        let payout = |minor| Payout {
            id,
            account_id: account,
            method_id: PayoutMethodId::new(),
            amount: Money::new(minor, Currency::USD),
            fee_minor: amount.div_euclid(7),
            run_id: None,
            dispatch_id: id.as_uuid(),
            requested_at: NOON,
            state: PayoutState::Requested,
        };
        let too_much = Book::new(book.balances.clone()).withdraw(&payout(most + 1));
        assert!(matches!(too_much, Err(LedgerError::TooLittle { .. })), "{too_much:?}");
        let payout = payout(amount);
        book.withdraw(&payout).unwrap();
        self.0.push(payout);
    }

    /// Takes a step, if it can be taken, with the money that it moves.
    pub(super) fn step(&mut self, book: &mut Book, index: usize, step: PayoutStep) {
        let payout = &mut self.0[index];
        if payout.step(step, NOON) == Ok(true) {
            let moved = match step {
                PayoutStep::Dispatch => Ok(()),
                PayoutStep::Pay => book.pay_out(payout, NOON),
                PayoutStep::Fail(_) | PayoutStep::Cancel => book.undo_withdrawal(payout, NOON),
                PayoutStep::Return(_) => book.take_return(payout, NOON),
            };
            moved.unwrap();
        }
    }

    /// The inverse of each, whichever it is by now.
    pub(super) fn undo(&mut self, book: &mut Book) {
        let reason = Refusal::Declined;
        for index in 0..self.len() {
            for step in [PayoutStep::Cancel, PayoutStep::Fail(reason), PayoutStep::Return(reason)] {
                self.step(book, index, step);
            }
        }
    }

    /// What those in these states have sent, and what they have cost.
    pub(super) fn sent(&self, states: &[&str]) -> (i64, i64) {
        let payouts = self.0.iter().filter(|payout| states.contains(&payout.state.name()));
        payouts.fold((0, 0), |(sent, fees), payout| {
            (sent + payout.sent().minor, fees + payout.fee_minor)
        })
    }
}
