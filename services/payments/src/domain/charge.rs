//! What a client is made to pay.

use vouch_primitives::{BonusPaymentId, ChargeId, ClientId, ContractId, InvoiceId, MilestoneId, Money};

use super::EarningSource;

/// A charge; what it brings in waits in the contract's escrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Its id.
    pub id: ChargeId,
    /// The contract that it is for.
    pub contract_id: ContractId,
    /// Who pays.
    pub client_id: ClientId,
    /// What is paid for; one charge each.
    pub purpose: Purpose,
    /// How much, above zero.
    pub amount: Money,
}

/// What a client pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// A milestone that is to be worked on [B7].
    Milestone(MilestoneId),
    /// An invoice [F5].
    Invoice(InvoiceId),
    /// What the client gives beside what was agreed.
    Bonus(BonusPaymentId),
}

impl Purpose {
    /// What is paid for, as requests name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Milestone(_) => "milestone",
            Self::Invoice(_) => "invoice",
            Self::Bonus(_) => "bonus_payment",
        }
    }

    /// The source of the earning that the payment becomes, or has become.
    #[must_use]
    pub const fn earning_source(self) -> EarningSource {
        match self {
            Self::Milestone(id) => EarningSource::Milestone(id),
            Self::Invoice(id) => EarningSource::Invoice(id),
            Self::Bonus(id) => EarningSource::Bonus(id),
        }
    }
}

impl From<EarningSource> for Purpose {
    fn from(source: EarningSource) -> Self {
        match source {
            EarningSource::Milestone(id) => Self::Milestone(id),
            EarningSource::Invoice(id) => Self::Invoice(id),
            EarningSource::Bonus(id) => Self::Bonus(id),
        }
    }
}
