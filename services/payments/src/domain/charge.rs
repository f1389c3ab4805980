//! What a client is made to pay.

use vouch_primitives::{BonusPaymentId, ChargeId, ClientId, ContractId, InvoiceId, MilestoneId, Money};

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
