//! The ledger as the owner of an account reads it.

use std::{fmt, str::FromStr};

use vouch_primitives::{Currency, Money, Timestamp, TransferId, Uuid};

use super::LedgerAccountKind;

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

/// The time that a statement is about, by the moments at which things were booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first moment that belongs to it.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

/// What an account held at the beginning and the end of a period; the lines of the period add up to the difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What was there before the first line.
    pub opening: Balances,
    /// What is there after the last one.
    pub closing: Balances,
}

/// One movement of an account's money. A transfer between two parts of an account is two lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementLine {
    /// Where it stands among all lines: the transfer's place in the ledger, and which of its lines.
    pub position: LinePosition,
    /// The transfer.
    pub transfer_id: TransferId,
    /// When it happened, which may be before it was booked.
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
    /// When it was booked.
    pub booked_at: Timestamp,
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

/// What there is of each kind of money in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrencyTotals {
    /// All debits less all credits; zero in a sound ledger.
    pub imbalance: Money,
    /// Each kind, once. A credit raises those of the platform.
    pub kinds: Vec<(LedgerAccountKind, Money)>,
}

/// The text is not the position of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the position of a statement line")]
pub struct InvalidPosition;

impl Balances {
    /// Nothing.
    #[must_use]
    pub const fn none(currency: Currency) -> Self {
        Self {
            currency,
            pending_minor: 0,
            held_minor: 0,
            available_minor: 0,
            in_transit_minor: 0,
            receivable_minor: 0,
        }
    }

    /// What a part holds, in minor units.
    #[must_use]
    pub const fn of(&self, part: Part) -> i64 {
        match part {
            Part::Pending => self.pending_minor,
            Part::Held => self.held_minor,
            Part::Available => self.available_minor,
            Part::InTransit => self.in_transit_minor,
            Part::Receivable => self.receivable_minor,
        }
    }

    /// The same, to be changed.
    pub const fn of_mut(&mut self, part: Part) -> &mut i64 {
        match part {
            Part::Pending => &mut self.pending_minor,
            Part::Held => &mut self.held_minor,
            Part::Available => &mut self.available_minor,
            Part::InTransit => &mut self.in_transit_minor,
            Part::Receivable => &mut self.receivable_minor,
        }
    }
}

impl Part {
    /// All parts, in the order in which people read them.
    pub const ALL: [Self; 5] = [
        Self::Pending,
        Self::Held,
        Self::Available,
        Self::InTransit,
        Self::Receivable,
    ];

    /// The ledger account of it.
    #[must_use]
    pub const fn kind(self) -> LedgerAccountKind {
        match self {
            Self::Pending => LedgerAccountKind::Pending,
            Self::Held => LedgerAccountKind::Held,
            Self::Available => LedgerAccountKind::Available,
            Self::InTransit => LedgerAccountKind::InTransit,
            Self::Receivable => LedgerAccountKind::Receivable,
        }
    }

    /// The part whose ledger account has this name; `None` for money that is no account's own.
    #[must_use]
    pub fn of_kind(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.kind().name() == name)
    }
}

impl StatementLine {
    /// How much it adds to the balance of its part, which for what is owed is what it takes from the debt.
    #[must_use]
    pub const fn adds_minor(&self) -> i64 {
        match self.part {
            Part::Receivable => -self.amount.minor,
            _ => self.amount.minor,
        }
    }
}

impl fmt::Display for LinePosition {
    /// Such as `1772409600000000/42d`, which is the debited side of a transfer, or `…c`, the credited one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.credit { 'c' } else { 'd' };
        write!(f, "{}/{}{side}", self.booked_at.as_micros(), self.transfer)
    }
}

impl FromStr for LinePosition {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let (booked_at, text) = text.split_once('/').ok_or(InvalidPosition)?;
        let booked_at = booked_at.parse().map_err(|_| InvalidPosition)?;
        let credited = text.strip_suffix('c').map(|transfer| (transfer, true));
        let side = credited.or_else(|| text.strip_suffix('d').map(|transfer| (transfer, false)));
        let (transfer, credit) = side.ok_or(InvalidPosition)?;
        let transfer = transfer.parse().map_err(|_| InvalidPosition)?;
        Ok(Self {
            booked_at: Timestamp::from_micros(booked_at),
            transfer,
            credit,
        })
    }
}
