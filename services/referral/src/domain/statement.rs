//! What a reward has come to in a period, line by line, so that everybody can compute it again.

use vouch_primitives::{BasisPoints, Currency, EarningId, MoneyError, ReversalId, Share, Timestamp};

use super::{Movement, RewardKind, Tie};

/// An earning, or a reversal of one, with the moment from which it is in the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// The earning.
    pub earning: EarningId,
    /// The reversal; `None` for the earning itself.
    pub reversal: Option<ReversalId>,
    /// What it adds or takes.
    pub movement: Movement,
    /// When the earning settled, or was reversed.
    pub booked_at: Timestamp,
}

/// Which part of the books a statement tells line by line: `[from, until)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

/// The sum of lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Of their amounts, in minor units.
    pub base: i64,
    /// Of their exact shares.
    pub exact: Share,
}

/// One line of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// What was booked; `None` for a bonus that was granted once, which has no moment of its own.
    pub booked: Option<Booked>,
    /// The amount, in minor units.
    pub amount: i64,
    /// The rate at which it counts.
    pub rate: BasisPoints,
    /// The version of the terms that say so.
    pub terms_version: u32,
}

/// One reward in a period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatedReward {
    /// All before the period.
    pub opening: Sum,
    /// What was booked in it, in the order of time; and a bonus that was granted once, whenever that was.
    pub lines: Vec<StatementLine>,
    /// The opening sum and all lines.
    pub closing: Sum,
    /// What was booked after the period.
    pub later: Sum,
}

/// The lines of a reward do not add up to its total.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// A sum does not fit.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// There is another total in the books.
    #[error("the lines of a reward do not add up to its total")]
    DoesNotAddUp,
}

impl StatementLine {
    /// Its exact share.
    #[must_use]
    pub fn exact(&self) -> Share {
        self.rate.share_of(self.amount)
    }
}

impl Sum {
    fn add(&mut self, line: &StatementLine) -> Result<(), MoneyError> {
        self.base = self.base.checked_add(line.amount).ok_or(MoneyError::Overflow)?;
        self.exact = self.exact.checked_add(line.exact()).ok_or(MoneyError::Overflow)?;
        Ok(())
    }

    /// The exact share **rounded down** to whole minor units, and never less than nothing.
    ///
    /// # Errors
    /// If it does not fit 64 bits.
    pub fn rounded(&self) -> Result<i64, MoneyError> {
        Ok(self.exact.floor_minor().ok_or(MoneyError::Overflow)?.max(0))
    }
}

impl Tie {
    /// What a reward has come to in a period. `booked` is all that the payee has earned in this currency, and each reversal.
    ///
    /// # Errors
    /// If a sum does not fit, or the lines do not come to what is in the books.
    pub fn state(
        &self,
        kind: RewardKind,
        currency: Currency,
        booked: &[Booked],
        period: Period,
    ) -> Result<StatedReward, StatementError> {
        let mut stated = StatedReward::default();
        for it in booked.iter().filter(|it| it.movement.amount.currency == currency) {
            let Ok(rate) = self.judge(kind, &it.movement) else {
                continue;
            };
            let line = StatementLine {
                booked: Some(*it),
                amount: it.movement.amount.minor,
                rate,
                terms_version: self.version_of(kind, it.movement.occurred_at),
            };
            match it.booked_at {
                at if at < period.from => stated.opening.add(&line)?,
                at if at < period.until => stated.lines.push(line),
                _ => stated.later.add(&line)?,
            }
        }
        stated
            .lines
            .sort_by_key(|line| line.booked.map(|it| (it.booked_at, it.earning, it.reversal)));
        let total = self.rewards.get(&(kind, currency)).cloned().unwrap_or_default();
        let once = matches!(kind, RewardKind::SignUpBonus | RewardKind::ClientReward);
        if once && total.base != 0 {
            stated.lines.push(StatementLine {
                booked: None,
                amount: total.base,
                rate: BasisPoints::WHOLE,
                terms_version: self.first_terms().version,
            });
        }
        stated.closing = stated.opening;
        for line in &stated.lines {
            stated.closing.add(line)?;
        }
        let exact = stated.closing.exact.checked_add(stated.later.exact);
        let base = stated.closing.base.checked_add(stated.later.base);
        if (base, exact) != (Some(total.base), Some(total.accrued)) {
            return Err(StatementError::DoesNotAddUp);
        }
        Ok(stated)
    }

    /// The version of the terms that say at which rate something counts that was earned then.
    #[must_use]
    pub fn version_of(&self, kind: RewardKind, occurred_at: Timestamp) -> u32 {
        match kind {
            RewardKind::WindowBonus | RewardKind::SignUpBonus | RewardKind::ClientReward => self.first_terms().version,
            RewardKind::LifetimeShare | RewardKind::IntroductionCommission => self.terms_at(occurred_at).version,
        }
    }
}
