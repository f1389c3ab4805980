//! What parties see of everything at once [B2].

use vouch_primitives::{Currency, Timestamp};

use super::Balances;

/// How many contracts a party has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContractCounts {
    /// Under which work goes on.
    pub active: u64,
    /// That are paused, by people or for want of a payment.
    pub paused: u64,
    /// That have ended.
    pub ended: u64,
}

/// How many of something, and how much in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// How much, in minor units.
    pub minor: i64,
}

/// What a client has, in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientMoney {
    /// Which.
    pub currency: Currency,
    /// Paid, and earned by nobody yet.
    pub escrow_minor: i64,
    /// Earned by talent, before the service fee, less what came back.
    pub spent_minor: i64,
    /// Invoices whose charge is not settled yet.
    pub open: Tally,
    /// Invoices that are paid.
    pub paid: Tally,
    /// Invoices whose charge was given up.
    pub unpaid: Tally,
    /// Open disputes.
    pub disputed: Tally,
}

/// All of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOverview {
    /// Contracts.
    pub contracts: ContractCounts,
    /// Money, by currency code.
    pub money: Vec<ClientMoney>,
}

/// What talent has, in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TalentMoney {
    /// What is pending, held, available and owed.
    pub balances: Balances,
    /// When the next money becomes available, and how much, in minor units.
    pub next: Option<(Timestamp, i64)>,
    /// Earned in all, before the service fee, less what was taken back.
    pub earned_minor: i64,
    /// The service fee on that.
    pub fees_minor: i64,
    /// Posted for rewards.
    pub rewards_minor: i64,
}

/// All of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TalentOverview {
    /// Contracts.
    pub contracts: ContractCounts,
    /// Money, by currency code.
    pub money: Vec<TalentMoney>,
}

impl ClientMoney {
    /// Nothing.
    #[must_use]
    pub fn none(currency: Currency) -> Self {
        Self {
            currency,
            escrow_minor: 0,
            spent_minor: 0,
            open: Tally::default(),
            paid: Tally::default(),
            unpaid: Tally::default(),
            disputed: Tally::default(),
        }
    }
}

impl TalentMoney {
    /// Nothing but balances.
    #[must_use]
    pub const fn of(balances: Balances) -> Self {
        Self {
            balances,
            next: None,
            earned_minor: 0,
            fees_minor: 0,
            rewards_minor: 0,
        }
    }
}
