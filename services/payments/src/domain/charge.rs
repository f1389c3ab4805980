//! What a client is made to pay.

use vouch_primitives::{ChargeId, ClientId, ContractId, Money};

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
    pub purpose: EarningSource,
    /// How much, above zero.
    pub amount: Money,
}
