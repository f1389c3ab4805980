//! The movements of money.

use vouch_primitives::{
    ChargeId, ClientPaymentId, DisputeId, EarningId, MilestoneId, PayoutId, ReversalId, Timestamp, Uuid,
};

use super::{LedgerAccount, RewardKey};

/// Transfers that belong together because one thing caused them. Entries are never changed; they are corrected by new
/// ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// What caused it; one entry for each cause.
    pub source: Source,
    /// When this happened, which may be before it was booked.
    pub event_at: Timestamp,
    /// The movements in their order; none if the cause moved nothing.
    pub transfers: Vec<Transfer>,
}

/// One movement from one account to another: both legs in one, so that debits and credits cannot part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// What kind of movement.
    pub kind: TransferKind,
    /// The account that is debited.
    pub debit: LedgerAccount,
    /// The account that is credited, in the same currency.
    pub credit: LedgerAccount,
    /// How much, above zero.
    pub amount_minor: i64,
    /// The stored balance of the debited account after it; `None` for the platform.
    pub debit_balance_after: Option<i64>,
    /// The stored balance of the credited account after it; `None` for the platform.
    pub credit_balance_after: Option<i64>,
}

/// What caused an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A client has paid.
    ChargeSucceeded(ChargeId),
    /// Charging a client for an invoice was given up.
    ChargeGivenUp(ChargeId),
    /// A client has paid it after all.
    ReceivablePaid(ChargeId),
    /// Talent gave a milestone up that was in escrow.
    EscrowRefunded(MilestoneId),
    /// An approval made an earning.
    EarningApproved(EarningId),
    /// An earning became available.
    EarningSettled(EarningId),
    /// An earning was refunded.
    EarningRefunded(ReversalId),
    /// A dispute holds money.
    DisputeOpened(DisputeId),
    /// The end of a dispute sets it free.
    DisputeClosed(DisputeId),
    /// A provider has taken a payment back.
    ChargedBack(ReversalId),
    /// It has given again what it took, under this id.
    ChargebackReversed(ReversalId),
    /// Money leaves a balance.
    PayoutRequested(PayoutId),
    /// It has been sent.
    PayoutPaid(PayoutId),
    /// It was not sent: the payout failed, or was called off.
    PayoutUndone(PayoutId),
    /// It was sent and came back.
    PayoutReturned(PayoutId),
    /// A client has paid otherwise than by a charge.
    ClientPaid(ClientPaymentId),
    /// That was a mistake, or has bounced.
    ClientPaymentUndone(ClientPaymentId),
    /// The referral programme released a reward.
    RewardReleased {
        /// Of which total.
        key: RewardKey,
        /// The epoch of the release.
        epoch: i64,
        /// Its number within the epoch.
        sequence: i64,
    },
}

/// The kinds of movements, as an account's owner reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferKind {
    /// The client paid into escrow.
    Charge,
    /// The client owes an invoice that it could not be charged for.
    InvoiceUnpaid,
    /// The client owes it no longer.
    InvoicePaidLate,
    /// The gross amount leaves escrow.
    EarningApproved,
    /// The service fee is taken.
    ServiceFee,
    /// What was pending is available.
    EarningSettled,
    /// The service fee of what is refunded goes back.
    ServiceFeeReturned,
    /// The client is refunded.
    Refund,
    /// What is disputed is held.
    Held,
    /// What was held is set free.
    HoldReleased,
    /// A provider takes the client's payment back.
    Chargeback,
    /// What it took comes back.
    ChargebackReversed,
    /// A rest of rounded fees that nothing is left to wait for becomes available.
    RoundingReleased,
    /// Money leaves a balance for a payout method.
    Payout,
    /// The fee of a payout is taken.
    PayoutFee,
    /// It has been sent.
    PayoutPaid,
    /// It was not sent, and is in the balance again.
    PayoutUndone,
    /// It came back, and is in the balance again.
    PayoutReturned,
    /// The fee of a payout that came to nothing goes back.
    PayoutFeeReturned,
    /// The referral programme pays, or takes back.
    Reward,
    /// A client pays for rewards of its own programmes.
    ClientPayment,
    /// That was a mistake, or has bounced.
    ClientPaymentUndone,
    /// What has come in pays down what is owed.
    ReceivableRepaid,
}

impl Source {
    /// The kind of cause, stable.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::ChargeSucceeded(_) => "charge.succeeded",
            Self::ChargeGivenUp(_) => "charge.given_up",
            Self::ReceivablePaid(_) => "charge.receivable_paid",
            Self::EscrowRefunded(_) => "escrow.refunded",
            Self::EarningApproved(_) => "earning.approved",
            Self::EarningSettled(_) => "earning.settled",
            Self::EarningRefunded(_) => "earning.refunded",
            Self::DisputeOpened(_) => "dispute.opened",
            Self::DisputeClosed(_) => "dispute.closed",
            Self::ChargedBack(_) => "charge.charged_back",
            Self::ChargebackReversed(_) => "chargeback.reversed",
            Self::PayoutRequested(_) => "payout.requested",
            Self::PayoutPaid(_) => "payout.paid",
            Self::PayoutUndone(_) => "payout.undone",
            Self::PayoutReturned(_) => "payout.returned",
            Self::ClientPaid(_) => "client.paid",
            Self::ClientPaymentUndone(_) => "client.payment_undone",
            Self::RewardReleased { .. } => "reward.released",
        }
    }

    /// The name of the cause among those of its kind, stable: the fence against booking it twice.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::RewardReleased { key, epoch, sequence } => {
                let RewardKey { tie_id, kind, currency } = key;
                format!("{tie_id}/{}/{currency}/{epoch}/{sequence}", kind.name())
            }
            _ => self.subject_id().to_string(),
        }
    }

    /// The thing that it is about: a charge, a milestone, an earning, a dispute, a reversal, a payout, a payment of a client or a tie.
    #[must_use]
    pub const fn subject_id(&self) -> Uuid {
        match self {
            Self::ChargeSucceeded(id) | Self::ChargeGivenUp(id) | Self::ReceivablePaid(id) => id.as_uuid(),
            Self::EscrowRefunded(id) => id.as_uuid(),
            Self::EarningApproved(id) | Self::EarningSettled(id) => id.as_uuid(),
            Self::EarningRefunded(id) | Self::ChargedBack(id) | Self::ChargebackReversed(id) => id.as_uuid(),
            Self::DisputeOpened(id) | Self::DisputeClosed(id) => id.as_uuid(),
            Self::PayoutRequested(id) | Self::PayoutPaid(id) | Self::PayoutUndone(id) | Self::PayoutReturned(id) => {
                id.as_uuid()
            }
            Self::ClientPaid(id) | Self::ClientPaymentUndone(id) => id.as_uuid(),
            Self::RewardReleased { key, .. } => key.tie_id,
        }
    }
}

impl TransferKind {
    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Charge => "CHARGE",
            Self::InvoiceUnpaid => "INVOICE_UNPAID",
            Self::InvoicePaidLate => "INVOICE_PAID_LATE",
            Self::EarningApproved => "EARNING_APPROVED",
            Self::ServiceFee => "SERVICE_FEE",
            Self::EarningSettled => "EARNING_SETTLED",
            Self::ServiceFeeReturned => "SERVICE_FEE_RETURNED",
            Self::Refund => "REFUND",
            Self::Held => "HELD",
            Self::HoldReleased => "HOLD_RELEASED",
            Self::Chargeback => "CHARGEBACK",
            Self::ChargebackReversed => "CHARGEBACK_REVERSED",
            Self::RoundingReleased => "ROUNDING_RELEASED",
            Self::Payout => "PAYOUT",
            Self::PayoutFee => "PAYOUT_FEE",
            Self::PayoutPaid => "PAYOUT_PAID",
            Self::PayoutUndone => "PAYOUT_UNDONE",
            Self::PayoutReturned => "PAYOUT_RETURNED",
            Self::PayoutFeeReturned => "PAYOUT_FEE_RETURNED",
            Self::Reward => "REWARD",
            Self::ClientPayment => "CLIENT_PAYMENT",
            Self::ClientPaymentUndone => "CLIENT_PAYMENT_UNDONE",
            Self::ReceivableRepaid => "RECEIVABLE_REPAID",
        }
    }
}
