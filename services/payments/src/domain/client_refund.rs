//! What clients get back through the payment provider, attempt by attempt.
//!
//! ```text
//! PENDING ──▶ SUCCEEDED
//!  ▲   │          │
//!  │   ▼          ▼
//!  └─ REFUSED ◀───┘                  operators ask for another attempt
//! ```
//!
//! The ledger has booked it before the provider hears of it: the money has left the talent or escrow for good, and is with the
//! provider (`CLEARING`) until the client has it. So what is refused moves nothing back; it waits for operators.

use vouch_primitives::{ChargeId, ClientId, Money, RefundId, RefundOrderId, Timestamp};

use super::{Heard, Refusal, charge};

/// A refund of a charge, whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientRefund {
    /// Its id; that of what takes the money from the talent, unless it leaves escrow.
    pub id: RefundId,
    /// The charge by which it had been paid.
    pub charge_id: ChargeId,
    /// Who gets it.
    pub client_id: ClientId,
    /// How much, above zero.
    pub amount: Money,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// When the attempt was begun.
    pub begun_at: Timestamp,
    /// How often the provider was turned to in it without an end.
    pub tries: u32,
    /// Whether the provider may have the order already, so that it is asked for and not given.
    pub asks: bool,
    /// Where it stands.
    pub state: ClientRefundState,
}

/// The life of a refund to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientRefundState {
    /// The attempt has not ended.
    Pending {
        /// When the provider is turned to next.
        look_at: Timestamp,
    },
    /// The client has the money, or will have it by itself.
    Succeeded {
        /// When this was learnt.
        at: Timestamp,
        /// What the provider calls it.
        reference: String,
    },
    /// The provider has the money still, or again.
    Refused {
        /// Why.
        reason: Refusal,
    },
}

/// What a refund to a client refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientRefundError {
    /// Only what was refused is tried again.
    #[error("the refund is {state}, and is not tried again")]
    NotRefused {
        /// Where it stands.
        state: &'static str,
    },
}

impl ClientRefund {
    /// A new one, of which the provider has not heard.
    #[must_use]
    pub const fn new(id: RefundId, of: (ChargeId, ClientId), amount: Money, now: Timestamp) -> Self {
        Self {
            id,
            charge_id: of.0,
            client_id: of.1,
            amount,
            created_at: now,
            attempt: 1,
            begun_at: now,
            tries: 0,
            asks: false,
            state: ClientRefundState::Pending { look_at: now },
        }
    }

    /// The id of the attempt, as the provider knows it.
    #[must_use]
    pub fn order_id(&self) -> RefundOrderId {
        RefundOrderId::derived(self.id.as_uuid(), &self.attempt.to_string())
    }

    /// Something was heard of the attempt `number` when it was at try `tries`; whether that has changed anything.
    ///
    /// What is heard of an earlier attempt changes nothing. What had succeeded can be refused later, as when the bank sends it
    /// back. What is no answer counts once for each try.
    pub fn hear(&mut self, (number, tries): (u32, u32), heard: Heard, now: Timestamp) -> bool {
        if number != self.attempt {
            return false;
        }
        let given_long_ago = charge::is_given_up(self.begun_at, now);
        let state = match (&self.state, heard) {
            (ClientRefundState::Pending { .. }, Heard::Succeeded { reference }) => {
                ClientRefundState::Succeeded { at: now, reference }
            }
            (ClientRefundState::Pending { .. } | ClientRefundState::Succeeded { .. }, Heard::Refused(reason)) => {
                ClientRefundState::Refused { reason }
            }
            (ClientRefundState::Pending { .. }, Heard::NotCarriedOut) if given_long_ago && tries == self.tries => {
                ClientRefundState::Refused {
                    reason: Refusal::NotCarriedOut,
                }
            }
            (ClientRefundState::Pending { .. }, unanswered @ (Heard::Unknown | Heard::NotCarriedOut))
                if tries == self.tries =>
            {
                let look_at = now.saturating_add(charge::wait_after(self.tries));
                self.tries = self.tries.saturating_add(1);
                self.asks = unanswered == Heard::Unknown;
                ClientRefundState::Pending { look_at }
            }
            _ => return false,
        };
        self.state = state;
        true
    }

    /// Begins another attempt.
    ///
    /// # Errors
    /// If it was not refused.
    pub fn try_again(&mut self, now: Timestamp) -> Result<(), ClientRefundError> {
        let ClientRefundState::Refused { .. } = self.state else {
            let state = self.state.name();
            return Err(ClientRefundError::NotRefused { state });
        };
        *self = Self {
            attempt: self.attempt + 1,
            created_at: self.created_at,
            ..Self::new(self.id, (self.charge_id, self.client_id), self.amount, now)
        };
        Ok(())
    }
}

impl ClientRefundState {
    /// Its stable name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Succeeded { .. } => "succeeded",
            Self::Refused { .. } => "refused",
        }
    }
}
