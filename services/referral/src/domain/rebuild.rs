//! A tie computed anew, from all that is known of it: whatever came in which order, the books have to say the same.

use std::collections::{BTreeMap, BTreeSet};

use vouch_primitives::{BasisPoints, Currency, MoneyError, Share, Timestamp};

use super::{
    Attribution, Bond, BonusState, Gate, Grant, Introduction, Movement, Reward, RewardKind, SignUp, Standing, Tie,
};

/// What a tie is computed from, beside what it says itself. Decisions are facts: the result of screening and of signals, and who
/// was granted a sign-up bonus or the reward of a client, which depends on who was first. So is what had been released when
/// somebody had a suspicion.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// All that the payee has earned, and each reversal.
    pub movements: &'a [Movement],
    /// Whether the payee has had a contract.
    pub hired: bool,
    /// When the payee's account was open.
    pub account: &'a Standing,
    /// Whether the end of the bonus window is still to be noticed.
    pub window_waits: bool,
}

/// Something that is not what comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// In which total; `None` where it is about the tie itself.
    pub total: Option<(RewardKind, Currency)>,
    /// What differs.
    pub what: &'static str,
    /// What is in the books.
    pub live: String,
    /// What comes out.
    pub rebuilt: String,
}

impl Tie {
    /// The tie as it comes out of the facts. What is free but was not released yet, because its moment has just come, stays so.
    ///
    /// # Errors
    /// If a total does not fit 64 bits.
    pub fn rebuild(&self, facts: &Facts<'_>, now: Timestamp) -> Result<Self, MoneyError> {
        let mut tie = Self {
            rewards: BTreeMap::new(),
            ..self.clone()
        };
        if let Bond::Attribution(attribution) = &mut tie.bond {
            attribution.hired = facts.hired || !facts.movements.is_empty();
            attribution.bonus = BonusState::Open;
        }
        if tie.window_end().is_some_and(|end| end <= now) && !facts.window_waits {
            tie.end_window(facts.account);
        }
        tie.accrue(facts.movements)?;
        self.keep_grants(&mut tie.rewards);
        for (key, live) in self.rewards.iter().filter(|(_, live)| live.paid_before > 0) {
            tie.rewards.entry(*key).or_default().paid_before = live.paid_before;
        }
        for ((kind, currency), live) in &self.rewards {
            if tie.gate(*kind) == Gate::Held && live.released > 0 {
                tie.rewards.entry((*kind, *currency)).or_default().released = live.released;
            }
        }
        let waits = self.next_release().filter(|from| *from <= now);
        let released_at = waits.map_or(now, |from| Timestamp::from_micros(from.as_micros() - 1));
        tie.release(released_at)?;
        // What was released once is told for ever, if only that nothing is left of it.
        for (key, live) in &self.rewards {
            tie.rewards.entry(*key).or_default().sequence = live.sequence;
        }
        Ok(tie)
    }

    /// What was granted is what was decided, with the moments of the decisions.
    fn keep_grants(&self, rewards: &mut BTreeMap<(RewardKind, Currency), Reward>) {
        let granted =
            |(kind, _): &(RewardKind, Currency)| matches!(kind, RewardKind::SignUpBonus | RewardKind::ClientReward);
        for (key, live) in self.rewards.iter().filter(|(key, _)| granted(key)) {
            let pending = live.pending.clone();
            rewards.entry(*key).or_default().pending = pending;
        }
        let (kind, amount) = match &self.bond {
            Bond::Attribution(Attribution {
                sign_up: SignUp::Granted(amount),
                ..
            }) => (RewardKind::SignUpBonus, *amount),
            Bond::Introduction(Introduction { own: Some(own), .. }) if own.grant == Grant::Granted => {
                (RewardKind::ClientReward, own.terms.reward)
            }
            _ => return,
        };
        let reward = rewards.entry((kind, amount.currency)).or_default();
        reward.base = amount.minor;
        reward.accrued = BasisPoints::WHOLE.share_of(amount.minor);
    }

    /// What in this tie is not as in `rebuilt`. How often something was released is no part of the books.
    #[must_use]
    pub fn differences(&self, rebuilt: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        let mut compare = |total, what, live: String, rebuilt: String| {
            if live != rebuilt {
                found.push(Difference {
                    total,
                    what,
                    live,
                    rebuilt,
                });
            }
        };
        if let (Bond::Attribution(live), Bond::Attribution(rebuilt)) = (&self.bond, &rebuilt.bond) {
            compare(None, "hired", live.hired.to_string(), rebuilt.hired.to_string());
            compare(
                None,
                "bonus",
                format!("{:?}", live.bonus),
                format!("{:?}", rebuilt.bonus),
            );
        }
        let nothing = Reward::default();
        let keys: BTreeSet<_> = self.rewards.keys().chain(rebuilt.rewards.keys()).collect();
        for key in keys {
            let of = |tie: &Self| parts(tie.rewards.get(key).unwrap_or(&nothing));
            for ((what, live), (_, rebuilt)) in of(self).into_iter().zip(of(rebuilt)) {
                compare(Some(*key), what, live, rebuilt);
            }
        }
        found
    }

    /// The books of this tie as lines of text, in one order, without how often something was released.
    #[must_use]
    pub fn lines_of_books(&self) -> Vec<String> {
        let bond = match &self.bond {
            Bond::Attribution(attribution) => {
                format!(
                    "{:?} {:?} {:?}",
                    attribution.hired, attribution.bonus, attribution.sign_up
                )
            }
            Bond::Introduction(_) => "introduction".to_owned(),
        };
        let mut lines = vec![format!("{} {bond}", self.id)];
        for ((kind, currency), reward) in &self.rewards {
            let parts = parts(reward);
            // Something of which nothing is left is as if it had never been.
            if parts != self::parts(&Reward::default()) {
                let text = parts.map(|(what, value)| format!("{what}={value}")).join(" ");
                lines.push(format!("{} {} {currency} {text}", self.id, kind.name()));
            }
        }
        lines
    }
}

fn parts(reward: &Reward) -> [(&'static str, String); 5] {
    let pending = reward.pending.iter().filter(|(_, share)| **share != Share::ZERO);
    let pending: Vec<_> = pending
        .map(|(from, share)| format!("{from}:{}", share.ten_thousandths()))
        .collect();
    [
        ("base", reward.base.to_string()),
        ("accrued", reward.accrued.ten_thousandths().to_string()),
        ("pending", pending.join(",")),
        ("released", reward.released.to_string()),
        ("paid_before", reward.paid_before.to_string()),
    ]
}
