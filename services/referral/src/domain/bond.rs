//! The two kinds of ties: an attribution of a person, and an introduction of an account to a client.

use vouch_primitives::{AccountId, BasisPoints, ClientId, ContractId, Timestamp};

use super::{
    BonusBasis, ClientReward, Excluded, Gate, Movement, Qualification, ReferralKind, RewardKind, SignUp, Terms,
};

/// What a tie is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bond {
    /// The permanent binding of a referee to a referrer: all that the person earns counts.
    Attribution(Attribution),
    /// A narrower tie: what an account earns from one client counts, or what it earns by one contract.
    Introduction(Introduction),
}

/// The binding of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribution {
    /// By which type of referral.
    pub kind: ReferralKind,
    /// When the referee joined.
    pub joined: Timestamp,
    /// Where the bonus stands.
    pub bonus: BonusState,
    /// Whether the referee has had a contract.
    pub hired: bool,
    /// Where the sign-up bonus stands.
    pub sign_up: SignUp,
    /// The account with which the referee has signed up, to which their benefit is paid [R24]; `None` for those who were bound before
    /// it was noted, under terms that give them nothing.
    pub account: Option<AccountId>,
}

/// Whether the three-month bonus is due [R26].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BonusState {
    /// The window has not ended: the bonus accrues, and none of it is released.
    Open,
    /// The referee's account was open when the window ended: the bonus is due, with all that still comes.
    Due,
    /// The referee's account was closed when the window ended: none of it is ever due.
    Void,
}

/// The binding of an account and a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// By which type of referral.
    pub kind: ReferralKind,
    /// The account that was introduced.
    pub account: AccountId,
    /// The client that it was introduced to.
    pub client: ClientId,
    /// When.
    pub made: Timestamp,
    /// The contracts that came of it, those whose earnings count.
    pub contracts: Vec<ContractId>,
    /// Whether one of them has ended.
    pub completed: bool,
    /// What the client pays for it itself, if it had a programme when the introduction was made [R32].
    pub own: Option<ClientReward>,
}

/// A contract, as far as an introduction is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// The contract.
    pub id: ContractId,
    /// The account that works.
    pub account: AccountId,
    /// The client that pays.
    pub client: ClientId,
    /// When it began.
    pub began: Timestamp,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
}

/// Why an account cannot be introduced to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntroductionError {
    /// The account is the referrer's own.
    #[error("nobody introduces themselves")]
    OneSelf,
    /// The referrer has never worked for the client.
    #[error("the referrer has never worked for this client")]
    NotYourClient,
    /// The account has worked for the client already.
    #[error("the account has worked for this client already")]
    KnownAlready,
    /// One agency sends its client to another, and the referrer is none.
    #[error("the referrer is not enrolled as an agency")]
    ReferrerNotAgency,
    /// One agency sends its client to another, and the account is not that of one.
    #[error("the account is not an agency's")]
    AccountNotAgency,
    /// Somebody has introduced the account to the client.
    #[error("the account was introduced to this client already")]
    IntroducedAlready,
}

impl Bond {
    /// By which type of referral it came about.
    #[must_use]
    pub const fn kind(&self) -> ReferralKind {
        match self {
            Self::Attribution(attribution) => attribution.kind,
            Self::Introduction(introduction) => introduction.kind,
        }
    }

    /// Whether an earning counts, and at which rate, as far as this is seen from the bond.
    pub(super) fn judge(
        &self,
        kind: RewardKind,
        movement: &Movement,
        first: &Terms,
        terms: &Terms,
    ) -> Result<BasisPoints, Excluded> {
        match (self, kind) {
            (Self::Attribution(attribution), RewardKind::LifetimeShare | RewardKind::WindowBonus) => {
                if movement.occurred_at < attribution.joined {
                    return Err(Excluded::BeforeJoining);
                }
                if kind == RewardKind::LifetimeShare {
                    return Ok(terms.lifetime);
                }
                let inside = movement.occurred_at < first.window_end(attribution.joined);
                if inside == (first.bonus_basis == BonusBasis::RateStep) {
                    return Err(Excluded::OutsideWindow);
                }
                Ok(first.bonus_rate())
            }
            (Self::Introduction(introduction), RewardKind::IntroductionCommission) => {
                if introduction.contracts.contains(&movement.contract) {
                    Ok(terms.commission(introduction.kind))
                } else {
                    Err(Excluded::NotIntroduced)
                }
            }
            _ => Err(Excluded::NotInTerms),
        }
    }

    /// What may be released, as far as this is seen from the bond.
    pub(super) fn gate(&self, kind: RewardKind, terms: &Terms) -> Gate {
        let pays_once = |it: bool| if it { Gate::Pays } else { Gate::Waits };
        match self {
            Self::Attribution(attribution) => match (kind, attribution.bonus) {
                (RewardKind::WindowBonus, BonusState::Open) => Gate::Waits,
                (RewardKind::WindowBonus, BonusState::Void) => Gate::Void,
                _ => match terms.qualification(attribution.kind) {
                    Qualification::FirstContract => pays_once(attribution.hired),
                    _ => Gate::Pays,
                },
            },
            // What a client pays is granted once it has qualified.
            Self::Introduction(_) if kind == RewardKind::ClientReward => Gate::Pays,
            Self::Introduction(introduction) => match terms.qualification(introduction.kind) {
                Qualification::ContractCompleted => pays_once(introduction.completed),
                _ => Gate::Pays,
            },
        }
    }
}

impl Introduction {
    /// Takes in what contracts of this account with this client there are. Those count that began once the introduction
    /// was made: of an agency all, of others the first of them; and none where the two knew each other before, whenever that
    /// is heard of.
    pub fn bind(&mut self, contracts: &[Contract]) {
        let theirs = |contract: &&Contract| contract.account == self.account && contract.client == self.client;
        let mut since: Vec<_> = contracts.iter().filter(theirs).collect();
        if since.iter().any(|contract| contract.began < self.made) {
            since.clear();
        }
        since.sort_by_key(|contract| (contract.began, contract.id));
        if self.kind != ReferralKind::Agency {
            since.truncate(1);
        }
        self.completed = since.iter().any(|contract| contract.ended.is_some());
        self.contracts = since.into_iter().map(|contract| contract.id).collect();
    }
}
