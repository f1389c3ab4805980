//! Any life of contracts, earnings and rewards keeps the books.

use std::collections::BTreeMap;

use proptest::prelude::*;
use vouch_primitives::{AccountId, Currency, EarningId, Money, ReversalId, Uuid};

use super::{NOON, charge, contract, currency, milestone};
use crate::domain::{account::Side, reward::newest, *};

/// One thing that happens; numbers choose what it happens to, modulo what there is.
#[derive(Clone, Debug)]
enum Step {
    Earn { contract: usize, amount: i64 },
    Settle { earning: usize },
    Refund { earning: usize, share: u8 },
    Release { tie: usize, cumulative: i64, newer: bool },
}

fn step() -> impl Strategy<Value = Step> {
    // Small amounts, so that the rounding of the fee matters.
    let amount = prop_oneof![3 => 1..40_i64, 1 => 1..1_000_000_i64];
    let index = 0..100_usize;
    prop_oneof![
        (index.clone(), amount.clone()).prop_map(|(contract, amount)| Step::Earn { contract, amount }),
        index.clone().prop_map(|earning| Step::Settle { earning }),
        (index.clone(), 1..=100_u8).prop_map(|(earning, share)| Step::Refund { earning, share }),
        (index, 0..2_000_i64, any::<bool>()).prop_map(|(tie, cumulative, newer)| Step::Release {
            tie,
            cumulative,
            newer
        }),
    ]
}

/// The domain without a database: what the service keeps in tables is kept in vectors.
struct World {
    contracts: Vec<Contract>,
    earnings: Vec<Earning>,
    totals: BTreeMap<RewardKey, RewardTotal>,
    book: Book,
    /// Per contract, told by the steps alone.
    net_gross: Vec<i64>,
    account: AccountId,
}

impl World {
    fn new(rates: &[u16]) -> Self {
        let account = AccountId::new();
        let currencies = ["USD", "USD", "JPY", "KWD"].map(currency);
        let contracts: Vec<_> = rates
            .iter()
            .zip(currencies)
            .map(|(rate, currency)| contract(account, currency, *rate))
            .collect();
        let mut balances = BTreeMap::new();
        for contract in &contracts {
            let currency = contract.currency();
            balances.insert(LedgerAccount::escrow(contract.id, currency), 0);
            balances.extend(Book::accounts_of(account, currency).into_iter().map(|part| (part, 0)));
        }
        Self {
            net_gross: vec![0; contracts.len()],
            contracts,
            earnings: vec![],
            totals: BTreeMap::new(),
            book: Book::new(balances),
            account,
        }
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Earn { contract, amount } => self.earn(contract % self.contracts.len(), amount),
            Step::Settle { earning } if !self.earnings.is_empty() => {
                self.settle(earning % self.earnings.len());
            }
            Step::Refund { earning, share } if !self.earnings.is_empty() => {
                let earning = earning % self.earnings.len();
                let left = self.left(earning);
                self.refund(earning, (left * i64::from(share)).div_euclid(100).max(left.min(1)));
            }
            Step::Release { tie, cumulative, newer } => self.release(tie % 3, cumulative, newer),
            Step::Settle { .. } | Step::Refund { .. } => {}
        }
    }

    fn earn(&mut self, index: usize, amount: i64) {
        let contract = &mut self.contracts[index];
        let mut milestone = milestone(contract, amount);
        milestone.begin_funding().unwrap();
        milestone.fund().unwrap();
        let charge = charge(contract, &milestone, milestone.amount);
        self.book.charge(NOON, &charge).unwrap();
        milestone.submit(NOON).unwrap();
        let earning = milestone.approve(contract, EarningId::new(), NOON).unwrap().unwrap();
        self.book.approve(&earning).unwrap();
        self.earnings.push(earning);
        self.net_gross[index] += amount;
    }

    fn settle(&mut self, index: usize) {
        let earning = &mut self.earnings[index];
        if let Some(held) = earning.settle(earning.available_at) {
            let held = Money::new(held, earning.gross.currency);
            self.book.settle(NOON, earning.id, earning.account_id, held).unwrap();
        }
    }

    fn left(&self, index: usize) -> i64 {
        self.earnings[index].gross.minor - self.earnings[index].refunded_minor
    }

    fn refund(&mut self, index: usize, amount: i64) {
        if amount == 0 {
            return;
        }
        let earning = &mut self.earnings[index];
        let of = self.contracts.iter().position(|c| c.id == earning.contract_id).unwrap();
        let money = Money::new(amount, earning.gross.currency);
        let at = earning.available_at;
        let refund = earning
            .refund(&mut self.contracts[of], ReversalId::new(), money, at)
            .unwrap();
        assert!((0..=amount).contains(&refund.fee_back_minor));
        self.book.refund(&refund).unwrap();
        self.net_gross[of] -= amount;
    }

    fn release(&mut self, tie: usize, cumulative: i64, newer: bool) {
        let kind = RewardKind::ALL[tie % 2];
        let tie_id = Uuid::from_u128(u128::try_from(tie).unwrap());
        let key = RewardKey {
            tie_id,
            kind,
            currency: self.contracts[tie % self.contracts.len()].currency(),
        };
        let mut release = Release {
            key,
            account_id: self.account,
            cumulative_minor: cumulative,
            epoch: 1,
            sequence: 1,
            released_at: NOON,
            funder: None,
        };
        let total = self.totals.entry(key).or_insert(release.nothing_posted());
        release.sequence = total.sequence + i64::from(newer);
        if total.sequence == 0 {
            release.sequence = 1;
        } else if !newer {
            // A repeat says the same again.
            release.cumulative_minor = total.posted_minor;
        }
        let posted = total.posted_minor;
        if let Some(posting) = total.post(&release).unwrap() {
            assert_eq!(posting.difference_minor, release.cumulative_minor - posted);
            self.book.reward(&posting).unwrap();
        }
    }

    /// The balance of each account from its transfers alone, positive on its normal side; platform accounts by credit.
    fn sums(&self) -> BTreeMap<LedgerAccount, i128> {
        let mut sums = BTreeMap::new();
        let transfers = self.book.entries().iter().flat_map(|entry| &entry.transfers);
        for transfer in transfers {
            assert!(transfer.amount_minor > 0);
            assert_eq!(transfer.debit.currency, transfer.credit.currency);
            for (account, side) in [(transfer.debit, Side::Debit), (transfer.credit, Side::Credit)] {
                let sign = if side == account.kind.normal_side() { 1 } else { -1 };
                *sums.entry(account).or_insert(0) += sign * i128::from(transfer.amount_minor);
            }
        }
        sums
    }

    fn check(&self) {
        let sums = self.sums();
        let sum = |account: LedgerAccount| sums.get(&account).copied().unwrap_or(0);
        for (account, balance) in &self.book.balances {
            assert!(*balance >= 0, "{account:?} is negative");
            assert_eq!(
                i128::from(*balance),
                sum(*account),
                "{account:?} differs from its transfers"
            );
        }
        for currency in self.contracts.iter().map(Contract::currency) {
            let all = sums.iter().filter(|(account, _)| account.currency == currency);
            let signed = all.map(|(account, sum)| match account.kind.normal_side() {
                Side::Credit => *sum,
                Side::Debit => -sum,
            });
            assert_eq!(signed.sum::<i128>(), 0, "debits differ from credits in {currency}");
            self.check_currency(currency, &sum);
        }
        self.check_fees();
    }

    fn check_currency(&self, currency: Currency, sum: &dyn Fn(LedgerAccount) -> i128) {
        let parts = Book::accounts_of(self.account, currency);
        let [pending, available, receivable] = [parts.pending, parts.available, parts.receivable].map(sum);
        assert!(
            available == 0 || receivable == 0,
            "{currency}: owes {receivable} and has {available}"
        );
        let held: i64 = self
            .earnings
            .iter()
            .filter(|earning| earning.gross.currency == currency)
            .map(|earning| match earning.state {
                EarningState::Pending { held_minor } => held_minor,
                EarningState::Settled { .. } => 0,
            })
            .sum();
        assert_eq!(pending, i128::from(held), "{currency}: pending is what earnings hold");
        let net = self
            .contracts
            .iter()
            .zip(&self.net_gross)
            .filter(|(c, _)| c.currency() == currency);
        let earned: i64 = net.map(|(c, net)| net - c.fee_terms.on_total_rounded_down(*net)).sum();
        let rewards: i64 = self
            .totals
            .values()
            .filter(|t| t.key.currency == currency)
            .map(|t| t.posted_minor)
            .sum();
        assert_eq!(
            pending + available - receivable,
            i128::from(earned + rewards),
            "{currency}"
        );
        let expense = LedgerAccount::platform(LedgerAccountKind::RewardExpense, currency);
        assert_eq!(sum(expense), -i128::from(rewards));
    }

    /// The fee of each contract is `floor(net gross × bps / 10,000)`, computed here once more in plain arithmetic.
    fn check_fees(&self) {
        for (contract, net) in self.contracts.iter().zip(&self.net_gross) {
            let bps = i128::from(contract.fee_terms.talent.get());
            let expected = (i128::from(*net) * bps).div_euclid(10_000);
            let fees = self
                .earnings
                .iter()
                .filter(|earning| earning.contract_id == contract.id);
            assert_eq!(i128::from(fees.map(|earning| earning.fee_minor).sum::<i64>()), expected);
        }
        let sums = self.sums();
        for currency in self.contracts.iter().map(Contract::currency) {
            let same = self
                .contracts
                .iter()
                .zip(&self.net_gross)
                .filter(|(c, _)| c.currency() == currency);
            let due: i64 = same.map(|(c, net)| c.fee_terms.on_total_rounded_down(*net)).sum();
            let fees = LedgerAccount::platform(LedgerAccountKind::Fees, currency);
            assert_eq!(sums.get(&fees).copied().unwrap_or(0), i128::from(due));
        }
    }

    /// Refunds what is left of every earning, in the order that `seed` gives, and takes all rewards back.
    fn undo_everything(&mut self, seed: usize) {
        let count = self.earnings.len();
        for step in 0..count {
            let index = (step + seed) % count;
            self.refund(index, self.left(index));
            self.check();
        }
        for total in self.totals.clone().into_values() {
            let back = Release {
                key: total.key,
                account_id: total.account_id,
                cumulative_minor: 0,
                epoch: total.epoch + 1,
                sequence: 1,
                released_at: NOON,
                funder: None,
            };
            if let Some(posting) = self.totals.get_mut(&total.key).unwrap().post(&back).unwrap() {
                self.book.reward(&posting).unwrap();
            }
            self.check();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_life_keeps_the_books_and_undoing_it_leaves_nothing(
        rates in prop::collection::vec(prop_oneof![Just(1_000_u16), 0..=10_000_u16], 1..=4),
        steps in prop::collection::vec(step(), 1..60),
        seed in 0..100_usize,
    ) {
        let mut world = World::new(&rates);
        for step in &steps {
            world.apply(step);
            world.check();
        }
        world.undo_everything(seed);
        for (account, sum) in world.sums() {
            assert_eq!(sum, 0, "{account:?} is not back at zero");
        }
    }

    /// A batch that is cut anywhere, repeated and shuffled posts the same as its newest release, and what comes late
    /// changes nothing.
    #[test]
    fn only_the_newest_release_counts(
        amounts in prop::collection::vec(0..10_000_i64, 1..20),
        order in prop::collection::vec((0..20_usize, any::<bool>()), 1..60),
    ) {
        let key = RewardKey { tie_id: Uuid::from_u128(7), kind: RewardKind::LifetimeShare, currency: Currency::USD };
        let account_id = AccountId::new();
        let releases: Vec<_> = amounts
            .iter()
            .zip(1_i64..)
            .map(|(amount, number)| Release {
                key,
                account_id,
                cumulative_minor: *amount,
                epoch: number / 5,
                sequence: number,
                released_at: NOON,
                funder: None,
            })
            .collect();
        let mut total = releases[0].nothing_posted();
        let mut posted = 0;
        let mut batch = vec![];
        let all = order.into_iter().map(|(index, cut)| (index % releases.len(), cut));
        let late = (0..releases.len()).rev().map(|index| (index, true));
        let mut latest = 0;
        for (index, cut) in all.chain(late) {
            batch.push(releases[index]);
            latest = latest.max(index);
            if cut {
                for release in newest(batch.drain(..)).unwrap().values() {
                    posted += total.post(release).unwrap().map_or(0, |p| p.difference_minor);
                }
                prop_assert_eq!(posted, amounts[latest]);
                prop_assert_eq!(total.posted_minor, posted);
            }
        }
        prop_assert_eq!(latest, releases.len() - 1);
    }
}

#[test]
fn a_refund_is_taken_from_pending_then_available_then_owed_and_repaid() {
    let mut world = World::new(&[1_000]);
    let parts = Book::accounts_of(world.account, Currency::USD);
    let shown =
        |world: &World| [parts.pending, parts.available, parts.receivable].map(|part| world.book.balances[&part]);
    world.earn(0, 10_000);
    world.earn(0, 5_000);
    assert_eq!(shown(&world), [13_500, 0, 0]);
    world.refund(0, 4_000);
    assert_eq!(shown(&world), [9_900, 0, 0]);
    world.settle(0);
    assert_eq!(shown(&world), [4_500, 5_400, 0]);
    // The money leaves by another way than this slice has, so that the refund finds too little.
    world.book.balances.insert(parts.available, 1_000);
    world.refund(0, 6_000);
    assert_eq!(shown(&world), [4_500, 0, 4_400]);
    world.settle(1);
    assert_eq!(shown(&world), [0, 100, 0]);
}

#[test]
fn a_rest_of_rounded_fees_is_set_free_with_the_last_refund() {
    let mut world = World::new(&[1_000]);
    world.earn(0, 5);
    world.earn(0, 5);
    assert_eq!([world.earnings[0].fee_minor, world.earnings[1].fee_minor], [0, 1]);
    world.refund(0, 5);
    let Parts { pending, available, .. } = Book::accounts_of(world.account, Currency::USD);
    assert_eq!([world.book.balances[&pending], world.book.balances[&available]], [4, 1]);
    world.refund(1, 5);
    assert_eq!([world.book.balances[&pending], world.book.balances[&available]], [0, 0]);
}
