//! Programmes of clients: a company pays a reward of its own for each introduction to it that comes to something [R32],
//! as long as its budget has room. What was granted reserves its room, and a rejection frees it for later ones.

use vouch_primitives::{BasisPoints, ClientId, ClientProgrammeId, Money, MoneyError, Timestamp};

use super::{Bond, Introduction, Qualification, RewardKind, Tie, terms};

/// The longest hold, in days.
pub const MOST_HOLD_DAYS: u32 = 365;

/// What a client pays for an introduction, as it was when the introduction was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTerms {
    /// How much, once.
    pub reward: Money,
    /// When: with the contract, or once it has ended.
    pub qualification: Qualification,
    /// For how many days the reward is pending after it was granted.
    pub hold_days: u32,
}

/// The programme of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientProgramme {
    /// Its id.
    pub id: ClientProgrammeId,
    /// Who pays.
    pub client: ClientId,
    /// What for; they never change.
    pub terms: ClientTerms,
    /// What it may grant in all, in minor units.
    pub budget_minor: i64,
    /// What it has granted and is not void, in minor units: never more than the budget.
    pub granted_minor: i64,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was closed: introductions that are made later do not belong to it.
    pub closed_at: Option<Timestamp>,
}

impl ClientProgramme {
    /// Whether introductions that are made at this moment belong to it.
    #[must_use]
    pub fn is_open_at(&self, made: Timestamp) -> bool {
        self.opened_at <= made && self.closed_at.is_none_or(|closed| made < closed)
    }
}

/// The reward of a client for one introduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientReward {
    /// Of which programme.
    pub programme: ClientProgrammeId,
    /// What for.
    pub terms: ClientTerms,
    /// Whether it was granted.
    pub grant: Grant,
}

/// Whether a reward was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The introduction has not qualified, or the grant was void.
    Open,
    /// It was granted, and stays.
    Granted,
    /// The introduction qualified when the budget had no room for it.
    Spent,
}

/// Why a programme cannot be changed so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientProgrammeError {
    /// The client has an open one.
    #[error("the client has an open programme already")]
    OpenAlready,
    /// It is closed.
    #[error("the programme is closed")]
    Closed,
}

impl ClientProgramme {
    /// Grants one reward if the budget has room for all of it, and says whether it did [R32].
    #[must_use]
    pub fn grant(&mut self) -> bool {
        let sum = self.granted_minor.checked_add(self.terms.reward.minor);
        let fits = sum.filter(|sum| *sum <= self.budget_minor);
        self.granted_minor = fits.unwrap_or(self.granted_minor);
        fits.is_some()
    }

    /// A granted reward is void: its room is free for later ones.
    pub fn free(&mut self) {
        self.granted_minor = (self.granted_minor - self.terms.reward.minor).max(0);
    }

    /// The client adds to the budget.
    ///
    /// # Errors
    /// If it is closed, or the budget would not fit 64 bits.
    pub fn raise(&mut self, by: Money) -> Result<(), RaiseError> {
        if self.closed_at.is_some() {
            return Err(ClientProgrammeError::Closed.into());
        }
        let budget = Money::new(self.budget_minor, self.terms.reward.currency);
        self.budget_minor = budget.checked_add(by)?.minor;
        Ok(())
    }

    /// The client closes it; once more changes nothing.
    pub fn close(&mut self, now: Timestamp) {
        self.closed_at.get_or_insert(now);
    }
}

/// Why a budget cannot be raised so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RaiseError {
    /// The programme is closed.
    #[error(transparent)]
    Programme(#[from] ClientProgrammeError),
    /// Another currency, or too much.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Introduction {
    /// Whether the reward of the client has newly qualified, as far as this is seen from the introduction.
    fn qualifies_for_own(&self) -> bool {
        match self.own.as_ref().map(|own| (own.grant, own.terms.qualification)) {
            Some((Grant::Open, Qualification::ContractCompleted)) => self.completed,
            Some((Grant::Open, _)) => !self.contracts.is_empty(),
            _ => false,
        }
    }
}

impl Tie {
    /// The client that pays a kind of reward; `None` where the platform does.
    #[must_use]
    pub fn funder(&self, kind: RewardKind) -> Option<ClientId> {
        match &self.bond {
            Bond::Introduction(introduction) if kind == RewardKind::ClientReward => Some(introduction.client),
            _ => None,
        }
    }

    /// The programme in whose budget something is to be decided, if there is any.
    #[must_use]
    pub fn needs_budget(&self) -> Option<ClientProgrammeId> {
        let Bond::Introduction(introduction) = &self.bond else {
            return None;
        };
        let own = introduction.own?;
        let refused = self.is_refused();
        let voids = own.grant == Grant::Granted && refused;
        let related = self.related.contains(&introduction.client);
        let grants = introduction.qualifies_for_own() && !refused && !related;
        (voids || grants).then_some(own.programme)
    }

    /// Grants the reward of the client to an introduction that has qualified, if the budget has room; takes it back from
    /// one whose payee was rejected [R32]. Nothing is granted to a referrer who is not in good standing.
    ///
    /// # Errors
    /// If a total would not fit 64 bits.
    pub fn settle_client_reward(&mut self, programme: &mut ClientProgramme, now: Timestamp) -> Result<(), MoneyError> {
        if self.needs_budget() != Some(programme.id) {
            return Ok(());
        }
        let good = self.standing.is_good_at(now);
        let Bond::Introduction(Introduction { own: Some(own), .. }) = &mut self.bond else {
            return Ok(());
        };
        let (before, terms) = (own.grant, own.terms);
        own.grant = match before {
            Grant::Granted => {
                programme.free();
                Grant::Open
            }
            _ if !good => Grant::Open,
            _ if programme.grant() => Grant::Granted,
            _ => Grant::Spent,
        };
        let sign = match (before, own.grant) {
            (Grant::Granted, Grant::Open) => -1,
            (Grant::Open, Grant::Granted) => 1,
            _ => return Ok(()),
        };
        let until = (terms.hold_days > 0).then(|| terms::released_after(terms.hold_days, now));
        let key = (RewardKind::ClientReward, terms.reward.currency);
        let reward = self.rewards.entry(key).or_default();
        reward.add(BasisPoints::WHOLE, sign * terms.reward.minor, until)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vouch_primitives::Currency;

    use super::*;

    fn programme(reward: i64, budget_minor: i64) -> ClientProgramme {
        ClientProgramme {
            id: ClientProgrammeId::new(),
            client: ClientId::new(),
            terms: ClientTerms {
                reward: Money::new(reward, Currency::USD),
                qualification: Qualification::Contract,
                hold_days: 0,
            },
            budget_minor,
            granted_minor: 0,
            opened_at: Timestamp::EPOCH,
            closed_at: None,
        }
    }

    proptest! {
        // R32
        #[test]
        fn a_budget_is_never_overspent_and_grants_as_long_as_there_is_room(
            reward in 1_i64..1_000, budget in 0_i64..10_000, steps in prop::collection::vec(0_u8..4, 0..60)
        ) {
            let mut programme = programme(reward, budget);
            let (mut granted, mut budget) = (0, budget);
            for step in steps {
                match step {
                    0 | 1 => {
                        let room = (granted + 1) * reward <= budget;
                        prop_assert_eq!(programme.grant(), room);
                        granted += i64::from(room);
                    }
                    2 if granted > 0 => {
                        programme.free();
                        granted -= 1;
                    }
                    _ => {
                        programme.raise(Money::new(7, Currency::USD)).expect("open");
                        budget += 7;
                    }
                }
                prop_assert_eq!(programme.granted_minor, granted * reward);
                prop_assert!(programme.granted_minor <= programme.budget_minor);
            }
        }
    }

    #[test]
    fn a_budget_is_raised_in_its_currency_as_long_as_it_is_open() {
        let mut programme = programme(100, 100);
        let yen = programme.raise(Money::new(1, "JPY".parse().expect("a currency")));
        assert!(matches!(yen, Err(RaiseError::Money(_))), "{yen:?}");
        programme.close(Timestamp::EPOCH);
        let late = programme.raise(Money::new(1, Currency::USD));
        assert_eq!(late, Err(RaiseError::Programme(ClientProgrammeError::Closed)));
    }
}
