//! What is paid once for a referee [R6]: granted in the order in which referees qualify, as long as the terms allow the
//! referrer more. What was granted stays, and reserves its room while it is held; a rejection makes it void, and its room
//! is free for whoever qualifies later.

use vouch_primitives::{AccountId, BasisPoints, Currency, Money, MoneyError, Timestamp};

use super::{Attribution, Bond, RewardKind, SignUpBonus, Tie};

/// Whether the sign-up bonus was granted [R6].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUp {
    /// The referee has not qualified, or the grant was void.
    Open,
    /// So much was granted, and stays.
    Granted(Money),
    /// The referee qualified when the referrer had had all that the terms allow.
    Capped,
}

/// What a referrer has been granted of sign-up bonuses in one currency, held ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fund {
    /// In which currency.
    pub currency: Currency,
    /// The sum of what was granted and is not void, in minor units.
    pub granted_minor: i64,
}

impl SignUpBonus {
    /// What the referee gets, in minor units, when so much of the bonus was released, and so much of it paid elsewhere [R24].
    #[must_use]
    pub fn benefit(&self, released_minor: i64, paid_before_minor: i64) -> i64 {
        let comes = released_minor > 0 && paid_before_minor == 0;
        if comes { self.referee_minor } else { 0 }
    }
}

impl Fund {
    /// Grants one bonus if the cap leaves room for all of it, and says whether it did [R6].
    #[must_use]
    pub fn grant(&mut self, bonus: &SignUpBonus) -> bool {
        let Some(sum) = self.granted_minor.checked_add(bonus.amount_minor) else {
            return false;
        };
        let fits = bonus.cap_minor.is_none_or(|cap| sum <= cap);
        if fits {
            self.granted_minor = sum;
        }
        fits
    }

    /// A granted bonus is void: its room is free for later ones.
    pub fn free(&mut self, amount_minor: i64) {
        self.granted_minor = (self.granted_minor - amount_minor).max(0);
    }
}

impl Tie {
    /// The currency in whose fund something is to be decided, if there is any.
    #[must_use]
    pub fn needs_fund(&self) -> Option<Currency> {
        match &self.bond {
            Bond::Attribution(Attribution {
                sign_up: SignUp::Granted(amount),
                ..
            }) => self.is_refused().then_some(amount.currency),
            _ => self.qualifies().map(|(currency, _)| currency),
        }
    }

    /// Grants the sign-up bonus to a referee who has qualified, if the referrer's fund in this currency has room; takes it
    /// back from one who was rejected. Whatever else comes, what was decided stays.
    ///
    /// # Errors
    /// If a total would not fit 64 bits.
    pub fn settle_sign_up(&mut self, fund: &mut Fund, now: Timestamp) -> Result<(), MoneyError> {
        if self.needs_fund() != Some(fund.currency) {
            return Ok(());
        }
        let decided = match self.qualifies() {
            Some((currency, bonus)) if fund.grant(&bonus) => SignUp::Granted(Money::new(bonus.amount_minor, currency)),
            Some(_) => SignUp::Capped,
            None => {
                if let Bond::Attribution(Attribution {
                    sign_up: SignUp::Granted(amount),
                    ..
                }) = self.bond
                {
                    fund.free(amount.minor);
                }
                SignUp::Open
            }
        };
        self.sign_up(decided, now)
    }

    /// The currency in which the referee has newly qualified for the sign-up bonus [R6], with what the terms say of it. One
    /// who was refused does not.
    #[must_use]
    pub fn qualifies(&self) -> Option<(Currency, SignUpBonus)> {
        let Bond::Attribution(Attribution {
            sign_up: SignUp::Open, ..
        }) = self.bond
        else {
            return None;
        };
        if self.is_refused() {
            return None;
        }
        let earned = |currency: Currency| {
            self.rewards
                .get(&(RewardKind::LifetimeShare, currency))
                .map_or(0, |it| it.base)
        };
        let mut bonuses = self.first_terms().sign_up.iter();
        let (currency, bonus) = bonuses.find(|(currency, bonus)| earned(**currency) >= bonus.qualifying_minor)?;
        Some((*currency, *bonus))
    }

    /// What has been released to the referee in turn, and to which account, where the terms give them anything and the sign-up bonus
    /// was granted [R24]: it comes and goes with the bonus. Where that was paid elsewhere, so was this.
    #[must_use]
    pub fn benefit(&self, currency: Currency) -> Option<(AccountId, Money)> {
        let Bond::Attribution(attribution) = &self.bond else {
            return None;
        };
        let stated = self.first_terms().sign_up.get(&currency)?;
        let bonus = self.rewards.get(&(RewardKind::SignUpBonus, currency))?;
        let due = stated.benefit(bonus.released, bonus.paid_before);
        let account = attribution.account.filter(|_| stated.referee_minor > 0)?;
        Some((account, Money::new(due, currency)))
    }

    fn sign_up(&mut self, decided: SignUp, granted_at: Timestamp) -> Result<(), MoneyError> {
        let until = self.first_terms().pending_until(granted_at);
        let Bond::Attribution(attribution) = &mut self.bond else {
            return Ok(());
        };
        let before = std::mem::replace(&mut attribution.sign_up, decided);
        for (granted, sign) in [(before, -1), (decided, 1)] {
            if let SignUp::Granted(amount) = granted {
                let reward = self
                    .rewards
                    .entry((RewardKind::SignUpBonus, amount.currency))
                    .or_default();
                reward.add(BasisPoints::WHOLE, sign * amount.minor, until)?;
            }
        }
        Ok(())
    }
}
