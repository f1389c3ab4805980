//! What a referrer is due for one referee.
//!
//! A [`Tie`] holds, per kind of reward and currency, the exact share of all that the referee earned. Shares add
//! without rounding; only the running total is rounded down, when it is released. Whatever the order in which earnings,
//! reversals and the end of the window come, the end is the same, and a reversal is the exact inverse of its earning.

use std::collections::BTreeMap;

use vouch_primitives::{
    AccountId, AttributionId, BasisPoints, Currency, Money, MoneyError, PersonId, ReferrerId, Share, Timestamp,
};

use super::{ReferralKind, Terms};

/// What a reward is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RewardKind {
    /// A share of the referee's earnings for life [R25].
    LifetimeShare,
    /// The additional share of what the referee earned in the first three months [R26].
    WindowBonus,
}

/// Whether the three-month bonus is due [R26].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BonusState {
    /// The window has not ended: the bonus accrues, and none of it is released.
    Open,
    /// The referee's account was open when the window ended: the bonus is due, with all that still comes.
    Due,
}

/// A settled earning of the referee, or its reversal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The gross amount; below zero for a reversal.
    pub amount: Money,
    /// When the earning was earned; a reversal inherits it, and so the decision.
    pub occurred_at: Timestamp,
}

/// The running total of one kind of reward in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reward {
    /// The sum of the amounts that count, in minor units.
    pub base: i64,
    /// The exact share of it.
    pub accrued: Share,
    /// What has been released so far, in minor units.
    pub released: i64,
    /// How many releases there were.
    pub sequence: i64,
}

/// News for payments: all that was released so far. Losing or repeating one does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// For what.
    pub kind: RewardKind,
    /// The released total.
    pub cumulative: Money,
    /// From 1, one more with each release of this tie, kind and currency.
    pub sequence: i64,
}

/// One attribution: the permanent binding of a referee to a referrer, with its totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The attribution's id.
    pub id: AttributionId,
    /// Who vouched.
    pub referrer: ReferrerId,
    /// Who was vouched for.
    pub referee: PersonId,
    /// The account that rewards are paid to.
    pub account: AccountId,
    /// By which type of referral.
    pub kind: ReferralKind,
    /// The terms that it was made under.
    pub terms: Terms,
    /// When the referee joined.
    pub joined: Timestamp,
    /// Where the bonus stands.
    pub bonus: BonusState,
    /// The totals.
    pub rewards: BTreeMap<(RewardKind, Currency), Reward>,
}

impl RewardKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::LifetimeShare, Self::WindowBonus];
}

impl Tie {
    /// Takes earnings and reversals in, and returns what that releases.
    ///
    /// # Errors
    /// If a total would not fit 64 bits; the tie is then to be thrown away.
    pub fn accrue(&mut self, movements: &[Movement]) -> Result<Vec<Release>, MoneyError> {
        for movement in movements {
            for kind in RewardKind::ALL {
                if self.counts(kind, movement.occurred_at) {
                    let rate = self.rate(kind);
                    let reward = self.rewards.entry((kind, movement.amount.currency)).or_default();
                    reward.add(rate, movement.amount.minor)?;
                }
            }
        }
        self.release()
    }

    /// The window has ended with the referee's account open: the bonus is due [R26]. Once more changes nothing.
    ///
    /// # Errors
    /// If a total does not fit 64 bits.
    pub fn end_window(&mut self) -> Result<Vec<Release>, MoneyError> {
        self.bonus = BonusState::Due;
        self.release()
    }

    /// Whether something earned then counts for this kind: from joining on, and for the bonus inside
    /// `[joined, joined + window)` only [R25, R26].
    #[must_use]
    pub fn counts(&self, kind: RewardKind, occurred_at: Timestamp) -> bool {
        match kind {
            RewardKind::LifetimeShare => self.joined <= occurred_at,
            RewardKind::WindowBonus => self.joined <= occurred_at && occurred_at < self.window_end(),
        }
    }

    /// When the bonus window ends.
    #[must_use]
    pub fn window_end(&self) -> Timestamp {
        self.terms.window_end(self.joined)
    }

    /// The rate of a kind.
    #[must_use]
    pub fn rate(&self, kind: RewardKind) -> BasisPoints {
        match kind {
            RewardKind::LifetimeShare => self.terms.lifetime,
            RewardKind::WindowBonus => self.terms.bonus,
        }
    }

    /// What of a reward is due now: its exact share **rounded down**, and of the bonus nothing before it is due. Never
    /// less than nothing: for a moment more may have been taken back than was earned, where a second chargeback overtakes
    /// the news that the first one was won.
    fn due(&self, kind: RewardKind, reward: &Reward) -> Result<i64, MoneyError> {
        match (kind, self.bonus) {
            (RewardKind::WindowBonus, BonusState::Open) => Ok(0),
            _ => Ok(reward.accrued.floor_minor().ok_or(MoneyError::Overflow)?.max(0)),
        }
    }

    fn release(&mut self) -> Result<Vec<Release>, MoneyError> {
        let mut releases = Vec::new();
        let due: Vec<_> = self
            .rewards
            .iter()
            .map(|((kind, _), reward)| self.due(*kind, reward))
            .collect::<Result<_, _>>()?;
        for (((kind, currency), reward), due) in self.rewards.iter_mut().zip(due) {
            if due != reward.released {
                reward.released = due;
                reward.sequence += 1;
                let cumulative = Money::new(due, *currency);
                releases.push(Release {
                    kind: *kind,
                    cumulative,
                    sequence: reward.sequence,
                });
            }
        }
        Ok(releases)
    }
}

impl Reward {
    fn add(&mut self, rate: BasisPoints, amount_minor: i64) -> Result<(), MoneyError> {
        self.base = self.base.checked_add(amount_minor).ok_or(MoneyError::Overflow)?;
        self.accrued = self
            .accrued
            .checked_add(rate.share_of(amount_minor))
            .ok_or(MoneyError::Overflow)?;
        Ok(())
    }
}
