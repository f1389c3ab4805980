//! What a referrer is due for one tie.
//!
//! A [`Tie`] holds, per kind of reward and currency, the exact share of all that the payee earned. Shares add without
//! rounding; only the running total is rounded down, when it is released. Whatever the order in which earnings,
//! reversals and everything else come, the end is the same, and a reversal is the exact inverse of its earning.
//!
//! Whether an earning counts, and at which rate, is judged in [`Tie::judge`]; what of a reward may be released, in
//! [`Tie::gate`].

use std::{collections::BTreeMap, sync::Arc};

use vouch_primitives::{
    AccountId, BasisPoints, ClientId, ContractId, Currency, Money, MoneyError, PersonId, ReferrerId, Share, Timestamp,
    Uuid,
};

use super::{Bond, BonusBasis, BonusState, Screening, Standing, Suspicion, Terms};

/// What a reward is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RewardKind {
    /// A share of the referee's earnings for life [R25].
    LifetimeShare,
    /// The additional share of what the referee earned in the first three months [R26].
    WindowBonus,
    /// What is paid once for a referee [R6].
    SignUpBonus,
    /// A commission on what was earned by an introduction [R12, R36].
    IntroductionCommission,
    /// What a client pays once for an introduction to it [R32].
    ClientReward,
}

/// A settled earning of the payee, or its reversal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The gross amount; below zero for a reversal.
    pub amount: Money,
    /// The account that was paid.
    pub account: AccountId,
    /// Who paid.
    pub client: ClientId,
    /// Under which contract.
    pub contract: ContractId,
    /// When the earning was earned; a reversal inherits it, and so the decision.
    pub occurred_at: Timestamp,
    /// When the earning settled; a reversal inherits this, too.
    pub settled_at: Timestamp,
}

/// The running total of one kind of reward in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reward {
    /// The sum of the amounts that count, in minor units.
    pub base: i64,
    /// The exact share of it.
    pub accrued: Share,
    /// What of it is still pending, by the moment from which it is not [R21].
    pub pending: BTreeMap<Timestamp, Share>,
    /// What has been released so far, in minor units.
    pub released: i64,
    /// How many releases there were.
    pub sequence: i64,
    /// What was paid elsewhere before the books were kept here, which is not paid again.
    pub paid_before: i64,
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

/// What binds somebody to a referrer, an attribution or an introduction, with its totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The id of the attribution or introduction.
    pub id: Uuid,
    /// Who vouched.
    pub referrer: ReferrerId,
    /// Who was vouched for: the referee, or the owner of the account that was introduced.
    pub payee: PersonId,
    /// The account that rewards are paid to.
    pub account: AccountId,
    /// What it is, and where it stands.
    pub bond: Bond,
    /// The terms that it was made under, and those that the referrer has consented to since, from when on.
    pub terms: Vec<(Timestamp, Arc<Terms>)>,
    /// The referrer's standing.
    pub standing: Standing,
    /// The clients to whom the payee is related.
    pub related: Vec<ClientId>,
    /// How the payee was screened.
    pub screening: Screening,
    /// What the signals about the payee and this referrer come to.
    pub suspicion: Suspicion,
    /// The totals.
    pub rewards: BTreeMap<(RewardKind, Currency), Reward>,
}

/// Where the money of a reward stands, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What is due on what counts, released or not.
    pub due: i64,
    /// What of it waits for screening, or for an operator to look at a signal.
    pub held: i64,
    /// What of it waits for the end of its hold.
    pub pending: i64,
    /// What of it was released.
    pub released: i64,
}

/// Why an earning does not count for a kind of reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excluded {
    /// It was earned before the referee joined.
    BeforeJoining,
    /// It was earned outside the window.
    OutsideWindow,
    /// The referrer was not in good standing when it was earned.
    ReferrerSuspended,
    /// Client and talent are related.
    RelatedParties,
    /// It was not earned by what was introduced.
    NotIntroduced,
    /// The terms pay nothing for it.
    NotInTerms,
}

/// What of a reward may be released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// All that is not pending.
    Pays,
    /// Nothing more before screening passes, and operators have looked at all signals.
    Held,
    /// Nothing before the window, or the introduced contract, has ended, or the referee is hired.
    Waits,
    /// Nothing, ever.
    Void,
}

impl RewardKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::LifetimeShare,
        Self::WindowBonus,
        Self::SignUpBonus,
        Self::IntroductionCommission,
        Self::ClientReward,
    ];

    /// Its stable name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LifetimeShare => "LIFETIME_SHARE",
            Self::WindowBonus => "WINDOW_BONUS",
            Self::SignUpBonus => "SIGN_UP_BONUS",
            Self::IntroductionCommission => "INTRODUCTION_COMMISSION",
            Self::ClientReward => "CLIENT_REWARD",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Movement {
    /// What undoes it.
    #[must_use]
    pub fn inverse(self) -> Self {
        let amount = Money::new(-self.amount.minor, self.amount.currency);
        Self { amount, ..self }
    }
}

impl Tie {
    /// Takes earnings and reversals in. Nothing is released by that alone.
    ///
    /// # Errors
    /// If a total would not fit 64 bits; the tie is then to be thrown away.
    pub fn accrue(&mut self, movements: &[Movement]) -> Result<(), MoneyError> {
        for movement in movements {
            for kind in RewardKind::ALL {
                if let Ok(rate) = self.judge(kind, movement) {
                    let until = self.pending_until(movement);
                    let reward = self.rewards.entry((kind, movement.amount.currency)).or_default();
                    reward.add(rate, movement.amount.minor, until)?;
                }
            }
        }
        Ok(())
    }

    /// News by which earnings are judged otherwise: takes out what `movements` had come to, and takes in what they come
    /// to now. They are all those whose decision may be another; more of them do no harm.
    ///
    /// # Errors
    /// If a total would not fit 64 bits.
    pub fn rejudge(&mut self, movements: &[Movement], news: impl FnOnce(&mut Self)) -> Result<(), MoneyError> {
        let inverse: Vec<_> = movements.iter().map(|movement| movement.inverse()).collect();
        self.accrue(&inverse)?;
        news(self);
        self.accrue(movements)
    }

    /// Whether an earning counts for a kind of reward, and at which rate [R25, R26]. It is judged by when it was earned.
    ///
    /// # Errors
    /// Why it does not.
    pub fn judge(&self, kind: RewardKind, movement: &Movement) -> Result<BasisPoints, Excluded> {
        let terms = self.terms_at(movement.occurred_at);
        let rate = self.bond.judge(kind, movement, self.first_terms(), terms)?;
        if self.related.contains(&movement.client) {
            return Err(Excluded::RelatedParties);
        }
        if !self.standing.is_good_at(movement.occurred_at) {
            return Err(Excluded::ReferrerSuspended);
        }
        if rate.get() == 0 {
            return Err(Excluded::NotInTerms);
        }
        Ok(rate)
    }

    /// The rate of a kind of reward under the terms that the tie was made under.
    #[must_use]
    pub fn rate_of(&self, kind: RewardKind) -> BasisPoints {
        let terms = self.first_terms();
        match kind {
            RewardKind::LifetimeShare => terms.lifetime,
            RewardKind::WindowBonus => terms.bonus_rate(),
            RewardKind::SignUpBonus | RewardKind::ClientReward => BasisPoints::WHOLE,
            RewardKind::IntroductionCommission => terms.commission(self.bond.kind()),
        }
    }

    /// What of a kind of reward may be released.
    #[must_use]
    pub fn gate(&self, kind: RewardKind) -> Gate {
        let terms = self.first_terms();
        match (self.bond.gate(kind, terms), self.screening) {
            _ if self.suspicion == Suspicion::Confirmed => Gate::Void,
            (_, Screening::Rejected) if terms.screened => Gate::Void,
            (Gate::Pays, _) if self.suspicion == Suspicion::Open => Gate::Held,
            (Gate::Pays, screening) if terms.screened && screening != Screening::Passed => Gate::Held,
            (gate, _) => gate,
        }
    }

    /// Whether nothing is granted for the payee: screening has rejected them, or a signal about them was right.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.screening == Screening::Rejected || self.suspicion == Suspicion::Confirmed
    }

    /// Where the money of a reward stands.
    ///
    /// # Errors
    /// If it does not fit 64 bits.
    pub fn figures(&self, kind: RewardKind, currency: Currency) -> Result<Figures, MoneyError> {
        let Some(reward) = self.rewards.get(&(kind, currency)) else {
            return Ok(Figures::default());
        };
        let (due, released) = (reward.due()?, reward.released);
        let waiting = (due - released).max(0);
        Ok(match self.gate(kind) {
            Gate::Pays => Figures {
                due,
                held: 0,
                pending: waiting,
                released,
            },
            Gate::Held => Figures {
                due,
                held: waiting,
                pending: 0,
                released,
            },
            Gate::Waits | Gate::Void => Figures {
                released,
                ..Figures::default()
            },
        })
    }

    /// The terms that it was made under.
    #[must_use]
    pub fn first_terms(&self) -> &Terms {
        &self.terms[0].1
    }

    /// The terms by which something earned then is judged.
    #[must_use]
    pub fn terms_at(&self, occurred_at: Timestamp) -> &Terms {
        let later = self.terms.iter().skip(1).rev();
        let found = later.clone().find(|(from, _)| *from <= occurred_at);
        found.map_or(self.first_terms(), |(_, terms)| terms)
    }

    /// When something that settled then is released.
    #[must_use]
    pub fn released_from(&self, movement: &Movement) -> Timestamp {
        self.terms_at(movement.occurred_at).released_from(movement.settled_at)
    }

    /// Until when something that settled then is pending; `None` without a hold.
    #[must_use]
    pub fn pending_until(&self, movement: &Movement) -> Option<Timestamp> {
        self.terms_at(movement.occurred_at).pending_until(movement.settled_at)
    }

    /// The bonus window has ended, with what is known of the referee's account: the bonus is due if it was open at that
    /// instant [R26]. Once more, and with more news, decides anew.
    pub fn end_window(&mut self, account: &Standing) {
        let end = self.window_end();
        if let (Bond::Attribution(attribution), Some(end)) = (&mut self.bond, end) {
            attribution.bonus = match account.is_good_at(end) {
                true => BonusState::Due,
                false => BonusState::Void,
            };
        }
    }

    /// The moment at which the next part of what is pending is to be released.
    #[must_use]
    pub fn next_release(&self) -> Option<Timestamp> {
        let first = |reward: &Reward| reward.pending.keys().next().copied();
        self.rewards.values().filter_map(first).min()
    }

    /// Moves the released totals to what is due now, and tells what has changed.
    ///
    /// # Errors
    /// If a total does not fit 64 bits.
    pub fn release(&mut self, now: Timestamp) -> Result<Vec<Release>, MoneyError> {
        let mut releases = Vec::new();
        let gates = RewardKind::ALL.map(|kind| (kind, self.gate(kind)));
        for ((kind, currency), reward) in &mut self.rewards {
            reward
                .pending
                .retain(|from, share| *from > now && *share != Share::ZERO);
            let free = reward.free()?;
            let due = match gates.iter().find(|(of, _)| of == kind) {
                Some((_, Gate::Pays)) => free,
                // What was released before somebody had a suspicion stays, as long as it is no more than that.
                Some((_, Gate::Held)) => reward.released.min(free),
                _ => 0,
            };
            if due != reward.released {
                reward.released = due;
                reward.sequence += 1;
                releases.push(Release {
                    kind: *kind,
                    cumulative: Money::new(due, *currency),
                    sequence: reward.sequence,
                });
            }
        }
        Ok(releases)
    }

    /// When the referee of an attribution joined.
    #[must_use]
    pub const fn joined(&self) -> Option<Timestamp> {
        match &self.bond {
            Bond::Attribution(attribution) => Some(attribution.joined),
            Bond::Introduction(_) => None,
        }
    }

    /// When the bonus window of an attribution ends.
    #[must_use]
    pub fn window_end(&self) -> Option<Timestamp> {
        self.joined().map(|joined| self.first_terms().window_end(joined))
    }

    /// Whether the additional share is of what is earned after the window.
    #[must_use]
    pub fn steps_up(&self) -> bool {
        self.first_terms().bonus_basis == BonusBasis::RateStep
    }

    /// Whether whoever was vouched for has been hired.
    #[must_use]
    pub fn is_hired(&self) -> bool {
        match &self.bond {
            Bond::Attribution(attribution) => attribution.hired,
            Bond::Introduction(introduction) => !introduction.contracts.is_empty(),
        }
    }

    /// Whether whoever was vouched for had an open account when the bonus window ended.
    #[must_use]
    pub fn has_stayed(&self) -> bool {
        matches!(&self.bond, Bond::Attribution(attribution) if attribution.bonus == BonusState::Due)
    }

    /// The referee has been hired: there is a contract, or an earning, which comes of one.
    pub fn hire(&mut self) {
        if let Bond::Attribution(attribution) = &mut self.bond {
            attribution.hired = true;
        }
    }
}

impl Reward {
    /// The exact share, **rounded down**, less what was paid before. Never less than nothing: for a moment more may have been taken back than was
    /// earned, where a second chargeback overtakes the news that the first one was won.
    ///
    /// # Errors
    /// If it does not fit 64 bits.
    pub fn due(&self) -> Result<i64, MoneyError> {
        Ok((rounded(self.accrued)? - self.paid_before).max(0))
    }

    /// What of it is not pending, rounded down.
    ///
    /// # Errors
    /// If it does not fit 64 bits.
    pub fn free(&self) -> Result<i64, MoneyError> {
        let free = self
            .pending
            .values()
            .try_fold(self.accrued, |rest, share| rest.checked_sub(*share));
        Ok((rounded(free.ok_or(MoneyError::Overflow)?)? - self.paid_before).max(0))
    }

    pub(super) fn add(
        &mut self,
        rate: BasisPoints,
        amount_minor: i64,
        pending_until: Option<Timestamp>,
    ) -> Result<(), MoneyError> {
        let share = rate.share_of(amount_minor);
        let sum = |total: Share| total.checked_add(share).ok_or(MoneyError::Overflow);
        self.base = self.base.checked_add(amount_minor).ok_or(MoneyError::Overflow)?;
        self.accrued = sum(self.accrued)?;
        if let Some(until) = pending_until {
            let pending = self.pending.entry(until).or_default();
            *pending = sum(*pending)?;
        }
        Ok(())
    }
}

fn rounded(share: Share) -> Result<i64, MoneyError> {
    Ok(share.floor_minor().ok_or(MoneyError::Overflow)?.max(0))
}
