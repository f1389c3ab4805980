//! Every forward movement and its inverse, in any order, on one contract.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vouch_primitives::{AccountId, Currency, DisputeId, EarningId, Money, ReversalId};

use super::{
    NOON, charge, contract, milestone,
    withdrawals::{Payouts, payout_step},
};
use crate::domain::{account::Side, *};

/// One thing that happens; numbers choose what it happens to, modulo what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Fund(i64),
    Approve(usize),
    GiveUp(usize),
    TakeEscrow(usize, i64),
    Settle(usize),
    Hold(usize, i64),
    Close(usize, i64),
    Refund(usize, i64),
    ChargeBack(usize, i64),
    WinBack(usize),
    Withdraw(i64),
    MovePayout(usize, PayoutStep),
}

fn step() -> impl Strategy<Value = Step> {
    let amount = prop_oneof![3 => 1..40_i64, 1 => 1..1_000_000_i64];
    let (index, share) = (0..100_usize, 1..=100_i64);
    prop_oneof![
        3 => amount.prop_map(Step::Fund),
        3 => index.clone().prop_map(Step::Approve),
        1 => index.clone().prop_map(Step::GiveUp),
        2 => (index.clone(), 1..=130_i64).prop_map(|(of, share)| Step::TakeEscrow(of, share)),
        2 => index.clone().prop_map(Step::Settle),
        3 => (index.clone(), share.clone()).prop_map(|(of, share)| Step::Hold(of, share)),
        2 => (index.clone(), 0..=110_i64).prop_map(|(of, share)| Step::Close(of, share)),
        2 => (index.clone(), share.clone()).prop_map(|(of, share)| Step::Refund(of, share)),
        3 => (index.clone(), 1..=130_i64).prop_map(|(of, share)| Step::ChargeBack(of, share)),
        2 => index.prop_map(Step::WinBack),
        2 => share.prop_map(Step::Withdraw),
        3 => (0..100_usize, payout_step()).prop_map(|(of, step)| Step::MovePayout(of, step)),
    ]
}

struct World {
    contract: Contract,
    milestones: Vec<Milestone>,
    earnings: Vec<Earning>,
    disputes: Vec<Dispute>,
    chargebacks: Vec<Chargeback>,
    payouts: Payouts,
    book: Book,
}

/// So many hundredths, at least one unit; all of it from 100 on.
fn part(of: i64, share: i64) -> i64 {
    (of * share.min(100)).div_euclid(100).max(of.min(1))
}

impl World {
    fn new(rate: u16) -> Self {
        let contract = contract(AccountId::new(), Currency::USD, rate);
        let escrow = LedgerAccount::escrow(contract.id, Currency::USD);
        let accounts = Book::accounts_of(contract.account_id, Currency::USD);
        let balances: BTreeMap<_, _> = accounts
            .into_iter()
            .chain([escrow])
            .map(|account| (account, 0))
            .collect();
        Self {
            contract,
            milestones: vec![],
            earnings: vec![],
            disputes: vec![],
            chargebacks: vec![],
            payouts: Payouts::default(),
            book: Book::new(balances),
        }
    }

    fn apply(&mut self, step: Step) {
        let among = |all: usize, index: usize| (all > 0).then(|| index % all);
        match step {
            Step::Fund(amount) => self.fund(amount),
            Step::Approve(index) => among(self.milestones.len(), index)
                .into_iter()
                .for_each(|i| self.approve(i)),
            Step::GiveUp(index) => among(self.milestones.len(), index)
                .into_iter()
                .for_each(|i| self.give_up(i)),
            Step::TakeEscrow(index, share) => among(self.milestones.len(), index)
                .into_iter()
                .for_each(|i| self.take_escrow(i, share)),
            Step::Settle(index) => among(self.earnings.len(), index)
                .into_iter()
                .for_each(|i| self.settle(i)),
            Step::Hold(index, share) => among(self.earnings.len(), index)
                .into_iter()
                .for_each(|i| self.hold(i, share)),
            Step::Close(index, share) => among(self.disputes.len(), index)
                .into_iter()
                .for_each(|i| self.close(i, share)),
            Step::Refund(index, share) => {
                among(self.earnings.len(), index)
                    .into_iter()
                    .for_each(|i| self.refund(i, share));
            }
            Step::ChargeBack(index, share) => {
                among(self.earnings.len(), index)
                    .into_iter()
                    .for_each(|i| self.charge_back(i, share));
            }
            Step::WinBack(index) => among(self.chargebacks.len(), index)
                .into_iter()
                .for_each(|i| self.win_back(i)),
            Step::Withdraw(share) => self.withdraw(share),
            Step::MovePayout(index, step) => among(self.payouts.len(), index)
                .into_iter()
                .for_each(|i| self.payouts.step(&mut self.book, i, step)),
        }
    }

    fn fund(&mut self, amount: i64) {
        let mut milestone = milestone(&self.contract, amount);
        milestone.begin_funding().unwrap();
        milestone.fund().unwrap();
        self.book
            .charge(NOON, &charge(&self.contract, &milestone, milestone.amount))
            .unwrap();
        self.milestones.push(milestone);
    }

    fn approve(&mut self, index: usize) {
        let milestone = &mut self.milestones[index];
        if milestone.submit(NOON).is_ok() {
            // What is sent back is submitted again, and nothing has moved.
            milestone.request_changes(NOON).unwrap();
            milestone.submit(NOON).unwrap();
            let earning = milestone
                .approve(&mut self.contract, EarningId::new(), NOON)
                .unwrap()
                .unwrap();
            self.book.approve(&earning).unwrap();
            self.earnings.push(earning);
        }
    }

    fn give_up(&mut self, index: usize) {
        let milestone = &mut self.milestones[index];
        if let Ok(back) = milestone.refund_escrow(NOON) {
            self.book.refund_escrow(NOON, milestone, back).unwrap();
        }
    }

    /// Above 100 the provider takes more than was paid.
    fn take_escrow(&mut self, index: usize, share: i64) {
        let milestone = &mut self.milestones[index];
        let amount = Money::new((milestone.amount.minor * share).div_euclid(100).max(1), Currency::USD);
        let before = milestone.in_escrow().minor;
        if let Ok(taken) = milestone.charge_back(amount.minor, NOON) {
            assert_eq!(taken, amount.minor.min(before), "all that there is, and no more");
            let lost_minor = amount.minor - taken;
            let chargeback = chargeback(ReversalId::new(), milestone, (amount, lost_minor), None);
            self.book.charge_back(&chargeback, None).unwrap();
            self.chargebacks.push(chargeback);
        }
    }

    fn settle(&mut self, index: usize) {
        let earning = &mut self.earnings[index];
        if let Some(held) = earning.settle(earning.available_at) {
            let held = Money::new(held, Currency::USD);
            self.book.settle(NOON, earning.id, earning.account_id, held).unwrap();
        }
    }

    fn hold(&mut self, index: usize, share: i64) {
        let earning = &mut self.earnings[index];
        let amount = Money::new(part(earning.gross.minor - earning.refunded_minor, share), Currency::USD);
        let complaint = Complaint {
            amount,
            reason: DisputeReason::Other,
            description: "no".to_owned(),
        };
        if amount.minor == 0 {
            return;
        }
        if let Ok(dispute) = Dispute::open(DisputeId::new(), earning, &self.contract, complaint, NOON) {
            self.book.hold(&dispute, earning.account_id).unwrap();
            self.disputes.push(dispute);
        }
    }

    /// Above 100 the client gives up; below, the talent keeps so much.
    fn close(&mut self, index: usize, share: i64) {
        let dispute = &mut self.disputes[index];
        let earning = self.earnings.iter_mut().find(|e| e.id == dispute.earning_id).unwrap();
        if dispute.check_open().is_err() {
            return;
        }
        if share > 100 {
            let released = dispute.withdraw(earning, NOON).unwrap();
            self.book.release(&released, earning.account_id).unwrap();
            return;
        }
        let kept = (dispute.amount.minor * share).div_euclid(100);
        let outcome = match kept {
            0 => Outcome::ForClient,
            kept if kept == dispute.amount.minor => Outcome::ForTalent,
            kept => Outcome::Split(Money::new(kept, Currency::USD)),
        };
        let ids = (ReversalId::new(), NOON);
        let ended = dispute.resolve(earning, &mut self.contract, outcome, "so".to_owned(), ids);
        let (released, refund) = ended.unwrap();
        self.book.release(&released, earning.account_id).unwrap();
        let back = refund.map_or(0, |refund| refund.amount.minor);
        assert_eq!(back, dispute.amount.minor - kept);
        refund.into_iter().for_each(|refund| self.book.refund(&refund).unwrap());
    }

    fn refund(&mut self, index: usize, share: i64) {
        let earning = &mut self.earnings[index];
        let amount = Money::new(part(earning.left().minor, share), Currency::USD);
        if amount.minor > 0 {
            let refund = earning.refund(&mut self.contract, ReversalId::new(), amount, earning.available_at);
            self.book.refund(&refund.unwrap()).unwrap();
        }
    }

    fn charge_back(&mut self, index: usize, share: i64) {
        let earning = &mut self.earnings[index];
        let open = |dispute: &&mut Dispute| dispute.earning_id == earning.id && dispute.check_open().is_ok();
        if let Some(dispute) = self.disputes.iter_mut().find(open) {
            let released = dispute.supersede(earning, NOON).unwrap();
            self.book.release(&released, earning.account_id).unwrap();
        }
        let amount = Money::new((earning.gross.minor * share).div_euclid(100).max(1), Currency::USD);
        let id = ReversalId::new();
        let taken = earning.charge_back(&mut self.contract, id, amount.minor, NOON);
        let lost_minor = amount.minor - taken.map_or(0, |taken| taken.amount.minor);
        let of = |milestone: &&Milestone| EarningSource::Milestone(milestone.id) == earning.source;
        let milestone = self.milestones.iter().find(of).unwrap();
        let chargeback = chargeback(id, milestone, (amount, lost_minor), Some(earning.id));
        self.book.charge_back(&chargeback, taken.as_ref()).unwrap();
        self.chargebacks.push(chargeback);
    }

    fn win_back(&mut self, index: usize) {
        let chargeback = &mut self.chargebacks[index];
        let id = ReversalId::new();
        if chargeback.win_back(id, NOON).is_err() {
            return;
        }
        let taken = Money::new(chargeback.taken_minor(), Currency::USD);
        if let Some(of) = chargeback.earning_id {
            let earning = self.earnings.iter_mut().find(|e| e.id == of).unwrap();
            let contract = &mut self.contract;
            let given = (taken.minor > 0).then(|| earning.reinstate(contract, id, taken, NOON).unwrap());
            assert!(given.is_none_or(|given| (0..=given.amount.minor).contains(&given.fee_minor)));
            self.book.win_back(chargeback, given.as_ref(), (id, NOON)).unwrap();
        } else {
            let of = |milestone: &&mut Milestone| EarningSource::Milestone(milestone.id) == chargeback.payment;
            let milestone = self.milestones.iter_mut().find(of).unwrap();
            let stays = milestone.win_back(taken.minor, NOON).unwrap();
            self.book.win_back(chargeback, None, (id, NOON)).unwrap();
            if !stays {
                self.book.hand_on(chargeback).unwrap();
            }
        }
    }

    fn withdraw(&mut self, share: i64) {
        let account = self.contract.account_id;
        self.payouts.withdraw(&mut self.book, account, |most| part(most, share));
    }

    /// What the transfers alone say, positive on the normal side; platform accounts by credit.
    fn booked(&self, account: LedgerAccount) -> i64 {
        let transfers = self.book.entries().iter().flat_map(|entry| &entry.transfers);
        transfers
            .map(|transfer| {
                let signed = |side| {
                    if account.kind.normal_side() == side {
                        transfer.amount_minor
                    } else {
                        -transfer.amount_minor
                    }
                };
                let debit = if transfer.debit == account {
                    signed(Side::Debit)
                } else {
                    0
                };
                let credit = if transfer.credit == account {
                    signed(Side::Credit)
                } else {
                    0
                };
                debit + credit
            })
            .sum()
    }

    fn check(&self) {
        for (account, balance) in &self.book.balances {
            assert!(*balance >= 0, "{account:?} is negative");
            assert_eq!(
                *balance,
                self.booked(*account),
                "{account:?} differs from its transfers"
            );
        }
        let parts = Book::accounts_of(self.contract.account_id, Currency::USD);
        let [pending, held, available, in_transit, receivable] =
            parts.all().map(|account| self.book.balances[&account]);
        let escrow: i64 = self.milestones.iter().map(|m| m.in_escrow().minor).sum();
        assert_eq!(
            self.book.balances[&LedgerAccount::escrow(self.contract.id, Currency::USD)],
            escrow
        );
        let waiting = |earning: &Earning| match earning.state {
            EarningState::Pending { held_minor } => held_minor,
            EarningState::Settled { .. } => 0,
        };
        assert_eq!(pending, self.earnings.iter().map(waiting).sum::<i64>());
        let open = || self.disputes.iter().filter(|dispute| dispute.check_open().is_ok());
        assert_eq!(held, open().map(|dispute| dispute.held_minor).sum::<i64>());
        let disputed: i64 = self.earnings.iter().map(|earning| earning.disputed_minor).sum();
        assert_eq!(disputed, open().map(|dispute| dispute.amount.minor).sum::<i64>());
        for earning in &self.earnings {
            assert!(earning.refunded_minor >= 0 && earning.left().minor >= 0, "{earning:?}");
        }
        let net: i64 = self
            .earnings
            .iter()
            .map(|earning| earning.gross.minor - earning.refunded_minor)
            .sum();
        let rate = i128::from(self.contract.fee_terms.talent.get());
        let fee = i64::try_from((i128::from(net) * rate).div_euclid(10_000)).unwrap();
        assert_eq!(self.contract.net_gross_minor, net);
        assert_eq!(self.earnings.iter().map(|earning| earning.fee_minor).sum::<i64>(), fee);
        let platform = |kind| self.booked(LedgerAccount::platform(kind, Currency::USD));
        let ((moving, moving_fees), (arrived, arrived_fees)) = (
            self.payouts.sent(&["REQUESTED", "DISPATCHED"]),
            self.payouts.sent(&["PAID"]),
        );
        let payout_fees = moving_fees + arrived_fees;
        assert_eq!(in_transit, moving, "what is on its way is in transit");
        assert_eq!(platform(LedgerAccountKind::Fees), fee + payout_fees);
        let open = |one: &&Chargeback| one.won_back.is_none();
        let lost: i64 = self.chargebacks.iter().filter(open).map(|one| one.lost_minor).sum();
        assert_eq!(
            platform(LedgerAccountKind::Losses),
            -lost,
            "what is not won back is lost"
        );
        assert_eq!(
            platform(LedgerAccountKind::Clearing),
            lost + arrived - (escrow + net),
            "clients have paid what is there"
        );
        let all = pending + held + available + in_transit - receivable;
        assert_eq!(all + arrived + payout_fees, net - fee);
        assert!(
            available == 0 || receivable == 0,
            "owes {receivable} and has {available}"
        );
    }

    fn undo_everything(&mut self) {
        self.payouts.undo(&mut self.book);
        self.check();
        (0..self.disputes.len()).for_each(|index| self.close(index, 110));
        (0..self.chargebacks.len()).for_each(|index| self.win_back(index));
        (0..self.milestones.len()).for_each(|index| self.give_up(index));
        self.check();
        (0..self.earnings.len()).for_each(|index| self.refund(index, 100));
        self.check();
    }
}

fn chargeback(
    id: ReversalId,
    milestone: &Milestone,
    (amount, lost_minor): (Money, i64),
    earning_id: Option<EarningId>,
) -> Chargeback {
    Chargeback {
        id,
        payment: EarningSource::Milestone(milestone.id),
        contract_id: milestone.contract_id,
        amount,
        lost_minor,
        earning_id,
        provider_reference: id.to_string(),
        charged_back_at: NOON,
        won_back: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_movement_has_its_inverse_in_any_order(
        rate in prop_oneof![Just(1_000_u16), 0..=10_000_u16],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(rate);
        for step in steps {
            world.apply(step);
            world.check();
        }
        world.undo_everything();
        for (account, balance) in &world.book.balances {
            prop_assert_eq!(*balance, 0, "{:?} is not back at zero", account);
        }
    }
}

#[test]
fn what_was_held_is_held_less_the_fee_on_it() {
    let mut world = World::new(1_000);
    world.fund(1_000);
    world.approve(0);
    world.hold(0, 40);
    let parts = Book::accounts_of(world.contract.account_id, Currency::USD);
    let accounts = [parts.pending, parts.available, parts.receivable, parts.held];
    let shown = |world: &World| accounts.map(|account| world.book.balances[&account]);
    assert_eq!(shown(&world), [540, 0, 0, 360]);
    world.settle(0);
    assert_eq!(shown(&world), [0, 540, 0, 360]);
    world.withdraw(100);
    [PayoutStep::Dispatch, PayoutStep::Pay]
        .into_iter()
        .for_each(|step| world.payouts.step(&mut world.book, 0, step));
    world.charge_back(0, 100);
    assert_eq!(shown(&world), [0, 0, 540, 0], "what is not there any more is owed");
    world.win_back(0);
    assert_eq!(shown(&world), [0, 360, 0, 0], "and netted when it comes back");
}

#[test]
fn a_dispute_is_refused_once_the_money_is_available() {
    let mut world = World::new(1_000);
    world.fund(1_000);
    world.approve(0);
    let earning = &mut world.earnings[0];
    let earning_available = earning.available_at;
    let until = earning.review_until;
    let complaint = Complaint {
        amount: Money::new(1, Currency::USD),
        reason: DisputeReason::Other,
        description: "no".to_owned(),
    };
    let late = Dispute::open(DisputeId::new(), earning, &world.contract, complaint, earning_available);
    assert_eq!(late, Err(DisputeError::TooLate { until }));
}
