//! What can go wrong, and what it means: to a caller, and to the consumer of events.

use tonic::{Code, Status};
use vouch_messaging::Verdict;
use vouch_primitives::Uuid;
use vouch_proto::Violations;
use vouch_runtime::grpc::status;
use vouch_storage::StorageError;

use crate::domain::{
    BillingError, ChargeError, ChargebackError, ClientPaymentError, ClientRefundError, ContractError, DisputeError,
    LedgerError, MilestoneError, PayoutError, RefundError, RewardError, TimeError,
};

/// A failure of this service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A message that cannot be understood.
    #[error(transparent)]
    Invalid(#[from] Violations),
    /// There is no such thing.
    #[error("{resource} {id} does not exist")]
    NotFound {
        /// What kind of thing.
        resource: &'static str,
        /// Its id.
        id: Uuid,
    },
    /// An offer has begun another contract, or a contract another offer.
    #[error("offer {offer} and contract {contract} do not belong together")]
    OfferTaken {
        /// The offer.
        offer: Uuid,
        /// The contract.
        contract: Uuid,
    },
    /// The contract refuses.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The milestone refuses.
    #[error(transparent)]
    Milestone(#[from] MilestoneError),
    /// The time cannot be written.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// The earning refuses.
    #[error(transparent)]
    Refund(#[from] RefundError),
    /// The dispute refuses.
    #[error(transparent)]
    Dispute(#[from] DisputeError),
    /// The billing method refuses.
    #[error(transparent)]
    Billing(#[from] BillingError),
    /// The charge refuses.
    #[error(transparent)]
    Charge(#[from] ChargeError),
    /// The payment of the client refuses.
    #[error(transparent)]
    ClientPayment(#[from] ClientPaymentError),
    /// The refund to the client refuses.
    #[error(transparent)]
    ClientRefund(#[from] ClientRefundError),
    /// The chargeback refuses.
    #[error(transparent)]
    Chargeback(#[from] ChargebackError),
    /// There is no payout, or it does not go this way.
    #[error(transparent)]
    Payout(#[from] PayoutError),
    /// The release contradicts what was posted.
    #[error(transparent)]
    Reward(#[from] RewardError),
    /// Money cannot move so.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Something was booked into a period while its statement was read.
    #[error("something is still being booked into this period")]
    PeriodOpen,
    /// A document cannot be written.
    #[error("{0}")]
    Document(String),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Error {
    /// There is no such thing.
    pub(crate) const fn not_found(resource: &'static str, id: Uuid) -> Self {
        Self::NotFound { resource, id }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let refused = |reason| status::failed_precondition(reason, error.to_string());
        match &error {
            Error::Invalid(violations) => status::invalid_argument(violations),
            Error::NotFound { resource, id } => status::not_found(resource, id),
            Error::OfferTaken { .. } => refused("OFFER_TAKEN"),
            Error::Contract(refusal)
            | Error::Milestone(MilestoneError::Contract(refusal))
            | Error::Time(TimeError::Contract(refusal)) => refused(reason_of(refusal)),
            Error::Time(TimeError::WhilePaused { .. }) => refused("TIME_WHILE_PAUSED"),
            Error::Time(TimeError::AfterEnd { .. }) => refused("TIME_AFTER_END"),
            Error::Time(TimeError::InFuture) => refused("TIME_IN_FUTURE"),
            Error::Time(TimeError::BeforeContract { .. }) => refused("TIME_BEFORE_CONTRACT"),
            Error::Time(TimeError::WeekClosed { .. }) => refused("WEEK_CLOSED"),
            Error::Time(TimeError::Overlaps { .. }) => refused("TIME_OVERLAPS"),
            Error::Time(TimeError::TooMany) => refused("TOO_MANY_TIME_ENTRIES"),
            Error::Milestone(MilestoneError::NotAgreed { .. }) => refused("MILESTONE_NOT_AGREED"),
            Error::Milestone(MilestoneError::NotFunded { .. }) => refused("MILESTONE_NOT_FUNDED"),
            Error::Milestone(MilestoneError::NotSubmitted { .. }) => refused("MILESTONE_NOT_SUBMITTED"),
            Error::Milestone(MilestoneError::NotInEscrow { .. }) => refused("MILESTONE_NOT_IN_ESCROW"),
            Error::Refund(RefundError::OtherCurrency { .. })
            | Error::Dispute(DisputeError::OtherCurrency { .. })
            | Error::Chargeback(ChargebackError::OtherCurrency { .. }) => refused("OTHER_CURRENCY"),
            Error::Refund(RefundError::TooLarge { .. }) => refused("REFUND_TOO_LARGE"),
            Error::Refund(RefundError::TooLate { .. }) => refused("REFUND_TOO_LATE"),
            Error::Dispute(DisputeError::TooLarge { .. }) => refused("DISPUTE_TOO_LARGE"),
            Error::Dispute(DisputeError::TooLate { .. }) => refused("DISPUTE_TOO_LATE"),
            Error::Dispute(DisputeError::Exists) => refused("DISPUTE_EXISTS"),
            Error::Dispute(DisputeError::Closed { .. }) => refused("DISPUTE_CLOSED"),
            Error::Dispute(DisputeError::NoShare { .. }) => refused("SHARE_OUT_OF_RANGE"),
            Error::Billing(BillingError::UnknownInstrument) => refused("INSTRUMENT_UNKNOWN"),
            Error::Billing(BillingError::Exists) => refused("BILLING_METHOD_EXISTS"),
            Error::Billing(BillingError::TooMany) => refused("TOO_MANY_BILLING_METHODS"),
            Error::Billing(BillingError::ProviderUnavailable) => {
                status::unavailable(error.to_string(), "PROVIDER_UNAVAILABLE")
            }
            Error::Charge(ChargeError::NoBillingMethod) => refused("NO_BILLING_METHOD"),
            Error::Charge(ChargeError::NotFailed { .. }) => refused("CHARGE_NOT_FAILED"),
            Error::Charge(ChargeError::NotOwed { .. }) => refused("CHARGE_NOT_OWED"),
            Error::ClientPayment(ClientPaymentError::TooMuch { .. }) => refused("CLIENT_OWES_LESS"),
            Error::ClientPayment(ClientPaymentError::InFuture) => refused("CLIENT_PAYMENT_IN_FUTURE"),
            Error::ClientPayment(ClientPaymentError::Undone) => refused("CLIENT_PAYMENT_UNDONE"),
            Error::ClientPayment(ClientPaymentError::Exists) => refused("CLIENT_PAYMENT_EXISTS"),
            Error::ClientRefund(ClientRefundError::NotRefused { .. }) => refused("CLIENT_REFUND_NOT_REFUSED"),
            Error::Chargeback(ChargebackError::Exists) => refused("CHARGEBACK_EXISTS"),
            Error::Chargeback(ChargebackError::Reversed) => refused("CHARGEBACK_REVERSED"),
            Error::Payout(refusal @ PayoutError::ProviderUnavailable) => {
                status::unavailable(error.to_string(), reason_of_payout(refusal))
            }
            Error::Payout(refusal) => refused(reason_of_payout(refusal)),
            Error::Ledger(LedgerError::TooLarge { .. }) => refused("AMOUNT_TOO_LARGE"),
            Error::PeriodOpen => status::with_reason(Code::Aborted, "PERIOD_OPEN", error.to_string()),
            // Rewards come by events alone, and the rest would be a mistake in this program.
            Error::Reward(_)
            | Error::Document(_)
            | Error::Ledger(
                LedgerError::TooLittle { .. } | LedgerError::NotOpened { .. } | LedgerError::Unsound { .. },
            ) => status::internal(&error),
            Error::Storage(failure) => status::storage(failure),
        }
    }
}

/// The reason for which a contract refuses.
const fn reason_of(refusal: &ContractError) -> &'static str {
    match refusal {
        ContractError::NotFixedPrice => "CONTRACT_NOT_FIXED_PRICE",
        ContractError::NotHourly => "CONTRACT_NOT_HOURLY",
        // Periods are closed by timers alone.
        ContractError::NotRecurring => "CONTRACT_NOT_RECURRING",
        ContractError::Paused => "CONTRACT_PAUSED",
        ContractError::Unpaid => "CONTRACT_UNPAID",
        ContractError::Ended => "CONTRACT_ENDED",
        ContractError::PausedByOther { .. } => "CONTRACT_PAUSED_BY_OTHER",
        ContractError::FundedMilestones { .. } => "FUNDED_MILESTONES",
        ContractError::OtherCurrency { .. } => "OTHER_CURRENCY",
        ContractError::TooManyMilestones => "TOO_MANY_MILESTONES",
        ContractError::AmountTooLarge(_) | ContractError::TotalTooLarge => "AMOUNT_TOO_LARGE",
    }
}

/// The reason for which there is no payout.
pub(crate) const fn reason_of_payout(refusal: &PayoutError) -> &'static str {
    match refusal {
        PayoutError::NoActiveMethod { .. } => "NO_ACTIVE_PAYOUT_METHOD",
        PayoutError::TaxFormRequired => "TAX_FORM_REQUIRED",
        PayoutError::OtherCurrency { .. } => "OTHER_CURRENCY",
        PayoutError::BelowMinimum { .. } => "BELOW_MINIMUM",
        PayoutError::TooLittleAvailable { .. } => "TOO_LITTLE_AVAILABLE",
        PayoutError::NotOffered => "PAYOUT_NOT_OFFERED",
        PayoutError::DestinationUnknown => "DESTINATION_UNKNOWN",
        PayoutError::ProviderUnavailable => "PROVIDER_UNAVAILABLE",
        PayoutError::MethodExists => "PAYOUT_METHOD_EXISTS",
        PayoutError::TooManyMethods => "TOO_MANY_PAYOUT_METHODS",
        PayoutError::NotCancellable { .. } => "PAYOUT_DISPATCHED",
        PayoutError::Impossible { .. } => "PAYOUT_NOT_PAID",
    }
}

impl From<&Error> for Verdict {
    fn from(error: &Error) -> Self {
        match error {
            Error::Storage(storage) if storage.is_transient() => Self::Retry,
            Error::Storage(storage) => Self::Reject(vouch_storage::describe(storage)),
            Error::Invalid(_)
            | Error::NotFound { .. }
            | Error::OfferTaken { .. }
            | Error::Contract(_)
            | Error::Milestone(_)
            | Error::Time(_)
            | Error::Refund(_)
            | Error::Dispute(_)
            | Error::Billing(_)
            | Error::Charge(_)
            | Error::ClientPayment(_)
            | Error::ClientRefund(_)
            | Error::Chargeback(_)
            | Error::Payout(_)
            | Error::Reward(_)
            | Error::PeriodOpen
            | Error::Document(_)
            | Error::Ledger(_) => Self::Reject(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnAcquireErr, DbErr};

    use super::*;

    #[test]
    fn only_a_database_that_may_come_back_is_waited_for() {
        let failure = |error| Verdict::from(&Error::Storage(StorageError::Database(error)));
        let passing = failure(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
        assert!(matches!(passing, Verdict::Retry), "{passing:?}");
        let lasting = failure(DbErr::Custom("unreadable row".to_owned()));
        assert!(matches!(lasting, Verdict::Reject(_)), "{lasting:?}");
    }
}
