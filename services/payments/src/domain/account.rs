//! Between what money moves.

use vouch_primitives::{AccountId, ClientId, ContractId, Currency, Uuid};

/// An account of the ledger: a kind of money of one owner in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LedgerAccount {
    /// What kind of money.
    pub kind: LedgerAccountKind,
    /// Whose: an account, a contract, or nobody but the platform (nil).
    pub owner: Uuid,
    /// In which currency.
    pub currency: Currency,
}

/// The kinds of money.
///
/// The platform's accounts have no stored balance: nobody checks it before a movement, and a row that every
/// transaction locks would be the slowest place of the whole ledger. All others have one that is never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerAccountKind {
    /// Of the platform: money that clients bring in and get back, and that talent is paid.
    Clearing,
    /// Of the platform: service fees.
    Fees,
    /// Of the platform: what the referral programme costs.
    RewardExpense,
    /// Of the platform: what providers took back when neither escrow nor earning had it any more.
    Losses,
    /// Of a contract: what the client has paid and nobody has earned yet.
    Escrow,
    /// Of a contract: what was invoiced, the client owes, and nobody has earned before the client has paid.
    Unpaid,
    /// Of a client: what it owes for invoices that it could not be charged for. A debit raises it.
    ClientReceivable,
    /// Of a client: what it owes for rewards of its own programmes [R32]. A debit raises it.
    RewardReceivable,
    /// Of a client: what it has paid for such rewards, and was taken back since.
    RewardCredit,
    /// Of an account: earned, and not available yet.
    Pending,
    /// Of an account: disputed, and neither pending nor available before the dispute ends.
    Held,
    /// Of an account: free to be withdrawn.
    Available,
    /// Of an account: has left what is available, and is not known to have arrived.
    InTransit,
    /// Of an account: what it owes the platform because a reversal found too little. A debit raises it.
    Receivable,
}

/// The ledger accounts that hold an account's money in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// Earned, and not available yet.
    pub pending: LedgerAccount,
    /// Disputed.
    pub held: LedgerAccount,
    /// Free to be withdrawn.
    pub available: LedgerAccount,
    /// On its way out.
    pub in_transit: LedgerAccount,
    /// What the account owes.
    pub receivable: LedgerAccount,
}

/// The side of a transfer that raises an account's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What the account owes grows with a debit.
    Debit,
    /// What the platform holds for somebody grows with a credit.
    Credit,
}

impl LedgerAccount {
    /// An account of the platform.
    #[must_use]
    pub const fn platform(kind: LedgerAccountKind, currency: Currency) -> Self {
        Self {
            kind,
            owner: Uuid::nil(),
            currency,
        }
    }

    /// All accounts of the platform in a currency.
    #[must_use]
    pub fn all_of_platform(currency: Currency) -> [Self; 4] {
        use LedgerAccountKind::{Clearing, Fees, Losses, RewardExpense};
        [Clearing, Fees, RewardExpense, Losses].map(|kind| Self::platform(kind, currency))
    }

    /// The escrow of a contract.
    #[must_use]
    pub const fn escrow(contract: ContractId, currency: Currency) -> Self {
        Self {
            kind: LedgerAccountKind::Escrow,
            owner: contract.as_uuid(),
            currency,
        }
    }

    /// What a contract's client owes for it.
    #[must_use]
    pub const fn unpaid(contract: ContractId, currency: Currency) -> Self {
        Self {
            kind: LedgerAccountKind::Unpaid,
            owner: contract.as_uuid(),
            currency,
        }
    }

    /// What a client owes for all its contracts.
    #[must_use]
    pub const fn client_receivable(client: ClientId, currency: Currency) -> Self {
        Self {
            kind: LedgerAccountKind::ClientReceivable,
            owner: client.as_uuid(),
            currency,
        }
    }

    /// What a client owes for rewards of its own programmes.
    #[must_use]
    pub const fn reward_receivable(client: ClientId, currency: Currency) -> Self {
        Self {
            kind: LedgerAccountKind::RewardReceivable,
            owner: client.as_uuid(),
            currency,
        }
    }

    /// What a client has paid for such rewards in vain.
    #[must_use]
    pub const fn reward_credit(client: ClientId, currency: Currency) -> Self {
        Self {
            kind: LedgerAccountKind::RewardCredit,
            owner: client.as_uuid(),
            currency,
        }
    }

    /// What an account has not available yet.
    #[must_use]
    pub const fn pending(account: AccountId, currency: Currency) -> Self {
        Self::of(account, LedgerAccountKind::Pending, currency)
    }

    /// What is held of an account's money until a dispute ends.
    #[must_use]
    pub const fn held(account: AccountId, currency: Currency) -> Self {
        Self::of(account, LedgerAccountKind::Held, currency)
    }

    /// What an account has available.
    #[must_use]
    pub const fn available(account: AccountId, currency: Currency) -> Self {
        Self::of(account, LedgerAccountKind::Available, currency)
    }

    /// What is on its way out of an account.
    #[must_use]
    pub const fn in_transit(account: AccountId, currency: Currency) -> Self {
        Self::of(account, LedgerAccountKind::InTransit, currency)
    }

    /// What an account owes.
    #[must_use]
    pub const fn receivable(account: AccountId, currency: Currency) -> Self {
        Self::of(account, LedgerAccountKind::Receivable, currency)
    }

    /// A part of an account's money.
    #[must_use]
    pub const fn of(account: AccountId, kind: LedgerAccountKind, currency: Currency) -> Self {
        Self {
            kind,
            owner: account.as_uuid(),
            currency,
        }
    }

    /// Its id, which follows from what it is.
    #[must_use]
    pub fn id(self) -> Uuid {
        let name = format!("{}/{}", self.kind.name(), self.currency);
        Uuid::new_v5(&self.owner, name.as_bytes())
    }
}

impl Parts {
    /// Of this account.
    #[must_use]
    pub const fn of(account: AccountId, currency: Currency) -> Self {
        Self {
            pending: LedgerAccount::pending(account, currency),
            held: LedgerAccount::held(account, currency),
            available: LedgerAccount::available(account, currency),
            in_transit: LedgerAccount::in_transit(account, currency),
            receivable: LedgerAccount::receivable(account, currency),
        }
    }

    /// All of them.
    #[must_use]
    pub const fn all(&self) -> [LedgerAccount; 5] {
        [
            self.pending,
            self.held,
            self.available,
            self.in_transit,
            self.receivable,
        ]
    }
}

impl IntoIterator for Parts {
    type Item = LedgerAccount;
    type IntoIter = std::array::IntoIter<LedgerAccount, 5>;

    fn into_iter(self) -> Self::IntoIter {
        self.all().into_iter()
    }
}

impl LedgerAccountKind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::Clearing,
        Self::Fees,
        Self::RewardExpense,
        Self::Losses,
        Self::Escrow,
        Self::Unpaid,
        Self::ClientReceivable,
        Self::RewardReceivable,
        Self::RewardCredit,
        Self::Pending,
        Self::Held,
        Self::Available,
        Self::InTransit,
        Self::Receivable,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clearing => "CLEARING",
            Self::Fees => "FEES",
            Self::RewardExpense => "REWARD_EXPENSE",
            Self::Losses => "LOSSES",
            Self::Escrow => "ESCROW",
            Self::Unpaid => "UNPAID",
            Self::ClientReceivable => "CLIENT_RECEIVABLE",
            Self::RewardReceivable => "REWARD_RECEIVABLE",
            Self::RewardCredit => "REWARD_CREDIT",
            Self::Pending => "PENDING",
            Self::Held => "HELD",
            Self::Available => "AVAILABLE",
            Self::InTransit => "IN_TRANSIT",
            Self::Receivable => "RECEIVABLE",
        }
    }

    /// Whether a balance is stored, which is then never negative.
    #[must_use]
    pub const fn has_balance(self) -> bool {
        !matches!(self, Self::Clearing | Self::Fees | Self::RewardExpense | Self::Losses)
    }

    /// The side that raises the stored balance.
    #[must_use]
    pub const fn normal_side(self) -> Side {
        match self {
            Self::Receivable | Self::ClientReceivable | Self::RewardReceivable => Side::Debit,
            _ => Side::Credit,
        }
    }
}
