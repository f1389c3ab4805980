//! The ledger as the owner of an account reads it.

use std::{fmt, str::FromStr};

use vouch_primitives::{Currency, Money, Timestamp, TransferId, Uuid};

/// What an account holds in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balances {
    /// The currency.
    pub currency: Currency,
    /// Not available yet, in minor units.
    pub pending_minor: i64,
    /// Held until a dispute ends, in minor units.
    pub held_minor: i64,
    /// Free to be withdrawn, in minor units.
    pub available_minor: i64,
    /// On its way to a payout method, in minor units.
    pub in_transit_minor: i64,
    /// What the account owes, in minor units.
    pub receivable_minor: i64,
}

/// The part of an account that a movement touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Money that is not available yet.
    Pending,
    /// Money that is held until a dispute ends.
    Held,
    /// Money that is available.
    Available,
    /// Money that is on its way to a payout method.
    InTransit,
    /// What the account owes the platform.
    Receivable,
}

/// One movement of an account's money. A transfer between two parts of an account is two lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// Where it stands among all lines: the transfer's place in the ledger, and which of its lines.
    pub position: LinePosition,
    /// The transfer.
    pub transfer_id: TransferId,
    /// When it happened.
    pub at: Timestamp,
    /// The part that it touches.
    pub part: Part,
    /// Negative when money leaves. On the receivable a positive amount pays the debt down.
    pub amount: Money,
    /// The part's balance after it. What is owed stands here without a sign.
    pub balance_after: Money,
    /// The name of the kind of movement.
    pub kind: String,
    /// What caused it: an earning, a dispute, a reversal, a payout or a tie.
    pub source_id: Uuid,
}

/// Orders statement lines; the debited side of a transfer comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinePosition {
    /// The transfer's place in the ledger.
    pub transfer: i64,
    /// Whether it is the credited side.
    pub credit: bool,
}

/// The sum over a currency of the whole ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyTotal {
    /// All debits less all credits, from the stored balances where there are any; zero in a sound ledger.
    pub imbalance: Money,
    /// How many stored balances differ from the sum of their transfers; zero in a sound ledger.
    pub wrong_balances: u64,
    /// How many transfers there are.
    pub transfers: u64,
}

/// The text is not the position of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the position of a statement line")]
pub struct InvalidPosition;

impl fmt::Display for LinePosition {
    /// `42d` or `42c`: the debited or credited side of a transfer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.transfer, if self.credit { 'c' } else { 'd' })
    }
}

impl FromStr for LinePosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let credited = text.strip_suffix('c').map(|transfer| (transfer, true));
        let side = credited.or_else(|| text.strip_suffix('d').map(|transfer| (transfer, false)));
        let (transfer, credit) = side.ok_or(InvalidPosition)?;
        let transfer = transfer.parse().map_err(|_| InvalidPosition)?;
        Ok(Self { transfer, credit })
    }
}
