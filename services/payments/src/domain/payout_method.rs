//! Where talent's money goes [F12].

use std::time::Duration;

use vouch_primitives::{AccountId, Currency, Money, PayoutMethodId, Timestamp};

/// How many days a method is known before anything is paid to it, so that whoever did not add it has time to say so.
const DAYS_UNTIL_ACTIVE: u32 = 3;

/// How many payout methods an account may have at a time.
pub const MOST_METHODS: usize = 20;

/// How long a payout can be called off.
pub const TIME_TO_CANCEL: Duration = Duration::from_secs(600);

/// A way out for an account's money in one currency. The account number is the provider's secret: what is kept is the
/// provider's name for it, what may be shown, and a hash by which the same destination is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutMethod {
    /// Its id.
    pub id: PayoutMethodId,
    /// Whose money.
    pub account_id: AccountId,
    /// Of which kind.
    pub kind: PayoutKind,
    /// The currency that it takes.
    pub currency: Currency,
    /// The provider's name for the destination; never shown.
    pub provider_token: String,
    /// What is shown, such as `•••• 6789`.
    pub label: String,
    /// SHA-256 of the provider's fingerprint of the destination: two methods with the same one lead to the same place.
    pub fingerprint_hash: [u8; 32],
    /// When it was added.
    pub added_at: Timestamp,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
}

/// Whether money goes there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutMethodState {
    /// Not yet.
    Waiting,
    /// Yes.
    Active,
    /// No more.
    Removed,
}

/// The kinds of payout methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PayoutKind {
    /// A transfer to a bank account in the country of its currency.
    BankTransfer,
    /// A transfer to a bank account of another country.
    Wire,
    /// An account with a provider of electronic money.
    Wallet,
    /// A debit card that is credited at once.
    AtOnce,
}

/// What a payout of one kind costs in one currency, and how much it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// The kind.
    pub kind: PayoutKind,
    /// The currency, ISO 4217.
    pub currency_code: &'static str,
    /// What each payout costs, in minor units; taken out of what leaves the balance.
    pub fee_minor: i64,
    /// The least that may leave the balance, in minor units; more than the fee.
    pub minimum_minor: i64,
}

/// What is offered. A kind that has no line for a currency does not pay out in it.
pub const TARIFFS: [Tariff; 15] = [
    tariff(PayoutKind::BankTransfer, "USD", 99, 1_000),
    tariff(PayoutKind::BankTransfer, "EUR", 99, 1_000),
    tariff(PayoutKind::BankTransfer, "GBP", 99, 1_000),
    tariff(PayoutKind::BankTransfer, "JPY", 150, 1_500),
    tariff(PayoutKind::Wire, "USD", 3_000, 10_000),
    tariff(PayoutKind::Wire, "EUR", 3_000, 10_000),
    tariff(PayoutKind::Wire, "GBP", 2_500, 10_000),
    tariff(PayoutKind::Wire, "JPY", 4_500, 15_000),
    tariff(PayoutKind::Wire, "KWD", 9_000, 30_000),
    tariff(PayoutKind::Wallet, "USD", 200, 500),
    tariff(PayoutKind::Wallet, "EUR", 200, 500),
    tariff(PayoutKind::Wallet, "GBP", 200, 500),
    tariff(PayoutKind::AtOnce, "USD", 250, 500),
    tariff(PayoutKind::AtOnce, "EUR", 250, 500),
    tariff(PayoutKind::AtOnce, "GBP", 250, 500),
];

const fn tariff(kind: PayoutKind, currency_code: &'static str, fee_minor: i64, minimum_minor: i64) -> Tariff {
    Tariff {
        kind,
        currency_code,
        fee_minor,
        minimum_minor,
    }
}

impl PayoutMethod {
    /// From when on money goes there.
    #[must_use]
    pub fn active_at(&self) -> Timestamp {
        self.added_at.add_days(DAYS_UNTIL_ACTIVE)
    }

    /// Whether money goes there at this moment.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> PayoutMethodState {
        if self.removed_at.is_some() {
            PayoutMethodState::Removed
        } else if now < self.active_at() {
            PayoutMethodState::Waiting
        } else {
            PayoutMethodState::Active
        }
    }

    /// Takes it away; once removed it stays so, from the first time on. Returns whether it was there.
    pub fn remove(&mut self, now: Timestamp) -> bool {
        let was_there = self.removed_at.is_none();
        self.removed_at.get_or_insert(now);
        was_there
    }
}

impl PayoutKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::BankTransfer, Self::Wire, Self::Wallet, Self::AtOnce];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BankTransfer => "BANK_TRANSFER",
            Self::Wire => "WIRE",
            Self::Wallet => "WALLET",
            Self::AtOnce => "INSTANT",
        }
    }

    /// How long a payout that was asked for can be called off: instant ones leave at once.
    #[must_use]
    pub const fn time_to_cancel(self) -> Duration {
        match self {
            Self::AtOnce => Duration::ZERO,
            Self::BankTransfer | Self::Wire | Self::Wallet => TIME_TO_CANCEL,
        }
    }

    /// What it costs in a currency; `None` if it does not pay out in it.
    #[must_use]
    pub fn tariff(self, currency: Currency) -> Option<&'static Tariff> {
        let mut all = TARIFFS.iter();
        all.find(|tariff| tariff.kind == self && tariff.currency_code == currency.code())
    }
}

impl Tariff {
    /// The least that may leave the balance.
    #[must_use]
    pub const fn minimum(&self, currency: Currency) -> Money {
        Money::new(self.minimum_minor, currency)
    }
}
