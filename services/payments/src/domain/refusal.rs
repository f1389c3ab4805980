//! Why money does not move: what a provider says of a charge, a payout or a refund, and what is found before it is asked.

/// A reason, with a stable name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// There is too little where the money was to come from.
    InsufficientFunds,
    /// The instrument is no longer valid.
    Expired,
    /// The provider, or the bank behind it, declines and says no more.
    Declined,
    /// The payer would have to agree in person, which an automatic charge cannot ask for.
    AuthenticationRequired,
    /// The provider knows no such instrument or destination.
    Unknown,
    /// The destination takes nothing any more.
    DestinationClosed,
    /// The money had left, and has come back.
    Returned,
    /// The client has no way of billing; nobody was asked.
    NoBillingMethod,
    /// The provider could not be brought to carry it out for a whole day, and certainly has not.
    NotCarriedOut,
}

impl Refusal {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::InsufficientFunds,
        Self::Expired,
        Self::Declined,
        Self::AuthenticationRequired,
        Self::Unknown,
        Self::DestinationClosed,
        Self::Returned,
        Self::NoBillingMethod,
        Self::NotCarriedOut,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "INSUFFICIENT_FUNDS",
            Self::Expired => "EXPIRED",
            Self::Declined => "DECLINED",
            Self::AuthenticationRequired => "AUTHENTICATION_REQUIRED",
            Self::Unknown => "UNKNOWN",
            Self::DestinationClosed => "DESTINATION_CLOSED",
            Self::Returned => "RETURNED",
            Self::NoBillingMethod => "NO_BILLING_METHOD",
            Self::NotCarriedOut => "NOT_CARRIED_OUT",
        }
    }
}
