//! The embedded provider, for development and tests: no money moves. What becomes of an order follows from the order alone, so
//! that it remembers everything without any memory, and a process that was killed asks and gets the truth.
//!
//! | instrument of a client | what becomes of a charge |
//! |---|---|
//! | `sandbox-accepts` | succeeds at once |
//! | `sandbox-unverified` | succeeds at once; the instrument is not verified |
//! | `sandbox-insufficient-funds` | is refused |
//! | `sandbox-expired` | is refused |
//! | `sandbox-declines-1` … `sandbox-declines-9` | is refused at the first so many attempts, succeeds afterwards |
//! | `sandbox-times-out-charged` | times out, and has succeeded |
//! | `sandbox-times-out-uncharged` | times out at the first attempt, and nothing was charged; succeeds at the next |
//! | `sandbox-late` | is pending, and succeeds by the time that it is asked for |
//! | `sandbox-late-declines` | is pending, and is refused by the time that it is asked for |
//! | `sandbox-charges-back` | succeeds at once, and is charged back ten days later |
//! | `sandbox-refund-…` | succeeds at once; for its refunds see below |
//!
//! Any other instrument is unknown.
//!
//! | instrument of a client | what becomes of a refund of its charges |
//! |---|---|
//! | `sandbox-refund-declines` | is refused |
//! | `sandbox-refund-late` | is pending, and succeeds by the time that it is asked for |
//! | `sandbox-refund-late-declines` | is pending, and is refused by the time that it is asked for |
//! | `sandbox-refund-times-out` | times out, and has succeeded |
//! | any other | succeeds at once |
//!
//! | destination of a payout | what becomes of it |
//! |---|---|
//! | `sandbox-unknown` | cannot be added |
//! | `sandbox-fails` | is refused |
//! | `sandbox-late` | is pending, and succeeds by the time that it is asked for |
//! | `sandbox-late-fails` | is pending, and is refused by the time that it is asked for |
//! | `sandbox-times-out-paid` | times out, and has succeeded |
//! | `sandbox-times-out-unpaid` | times out always, and the provider never hears of it |
//! | `sandbox-returns` | succeeds at once, and has been returned by the time that it is asked for |
//! | any other | succeeds at once |

use async_trait::async_trait;
use vouch_primitives::{AccountId, ClientId, Timestamp, Uuid};

use super::{Answer, ChargeOrder, Destination, GatewayError, Instrument, PaymentGateway, PayoutOrder, RefundOrder};
use crate::domain::Refusal;

/// A charge of `sandbox-charges-back` is taken back after so many days.
const CHARGEBACK_DAYS: u32 = 10;

/// The embedded provider.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox;

/// What becomes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Succeeds,
    IsRefused(Refusal),
    /// Pending first.
    IsLate(Option<Refusal>),
    /// Nobody answers, and whether it was carried out.
    TimesOut {
        carried_out: bool,
    },
    /// It had succeeded.
    Returns,
}

/// Whether the sandbox has such an instrument.
#[must_use]
pub fn knows(instrument: &str) -> bool {
    fate_of_charge(instrument, 1) != Fate::IsRefused(Refusal::Unknown)
}

fn fate_of_charge(instrument: &str, attempt: u32) -> Fate {
    match instrument {
        "sandbox-accepts" | "sandbox-unverified" | "sandbox-charges-back" => Fate::Succeeds,
        "sandbox-refund-declines"
        | "sandbox-refund-late"
        | "sandbox-refund-late-declines"
        | "sandbox-refund-times-out" => Fate::Succeeds,
        "sandbox-insufficient-funds" => Fate::IsRefused(Refusal::InsufficientFunds),
        "sandbox-expired" => Fate::IsRefused(Refusal::Expired),
        "sandbox-times-out-charged" => Fate::TimesOut { carried_out: true },
        "sandbox-times-out-uncharged" if attempt > 1 => Fate::Succeeds,
        "sandbox-times-out-uncharged" => Fate::TimesOut { carried_out: false },
        "sandbox-late" => Fate::IsLate(None),
        "sandbox-late-declines" => Fate::IsLate(Some(Refusal::Declined)),
        other => match other.strip_prefix("sandbox-declines-").map(str::parse::<u32>) {
            Some(Ok(times @ 1..=9)) if attempt > times => Fate::Succeeds,
            Some(Ok(1..=9)) => Fate::IsRefused(Refusal::Declined),
            _ => Fate::IsRefused(Refusal::Unknown),
        },
    }
}

fn fate_of_refund(instrument: &str) -> Fate {
    match instrument {
        "sandbox-refund-declines" => Fate::IsRefused(Refusal::Declined),
        "sandbox-refund-late" => Fate::IsLate(None),
        "sandbox-refund-late-declines" => Fate::IsLate(Some(Refusal::Declined)),
        "sandbox-refund-times-out" => Fate::TimesOut { carried_out: true },
        _ => Fate::Succeeds,
    }
}

fn fate_of_payout(destination: &str) -> Fate {
    match destination {
        "sandbox-fails" => Fate::IsRefused(Refusal::DestinationClosed),
        "sandbox-late" => Fate::IsLate(None),
        "sandbox-late-fails" => Fate::IsLate(Some(Refusal::DestinationClosed)),
        "sandbox-times-out-paid" => Fate::TimesOut { carried_out: true },
        "sandbox-times-out-unpaid" => Fate::TimesOut { carried_out: false },
        "sandbox-returns" => Fate::Returns,
        _ => Fate::Succeeds,
    }
}

impl Fate {
    /// What is answered to whoever gives the order.
    fn at_first(self, id: Uuid) -> Result<Answer, GatewayError> {
        let reference = reference(id);
        match self {
            Self::Succeeds | Self::Returns => Ok(Answer::Succeeded { reference }),
            Self::IsRefused(reason) => Ok(Answer::Refused { reason }),
            Self::IsLate(_) => Ok(Answer::Pending { reference }),
            Self::TimesOut { .. } => Err(GatewayError::Unknown("the sandbox timed out".to_owned())),
        }
    }

    /// What is answered to whoever asks for it later.
    fn later(self, id: Uuid) -> Option<Answer> {
        let reference = reference(id);
        match self {
            Self::Succeeds | Self::IsLate(None) | Self::TimesOut { carried_out: true } => {
                Some(Answer::Succeeded { reference })
            }
            Self::IsRefused(reason) | Self::IsLate(Some(reason)) => Some(Answer::Refused { reason }),
            Self::TimesOut { carried_out: false } => None,
            Self::Returns => Some(Answer::Refused {
                reason: Refusal::Returned,
            }),
        }
    }
}

fn reference(id: Uuid) -> String {
    format!("sandbox-{id}")
}

#[async_trait]
impl PaymentGateway for Sandbox {
    async fn find_instrument(&self, _client: ClientId, instrument: &str) -> Result<Option<Instrument>, GatewayError> {
        let verified = instrument != "sandbox-unverified";
        Ok(knows(instrument).then_some(Instrument { verified }))
    }

    /// Each destination is a place of its own, and shows its last four characters.
    async fn find_destination(
        &self,
        _account: AccountId,
        destination: &str,
    ) -> Result<Option<Destination>, GatewayError> {
        let hidden = destination.chars().count().saturating_sub(4);
        let shown: String = destination.chars().skip(hidden).collect();
        Ok((destination != "sandbox-unknown").then(|| Destination {
            label: format!("•••• {shown}"),
            fingerprint: destination.to_owned(),
        }))
    }

    async fn charge(&self, order: &ChargeOrder) -> Result<Answer, GatewayError> {
        fate_of_charge(&order.instrument, order.attempt).at_first(order.id.as_uuid())
    }

    async fn find_charge(&self, order: &ChargeOrder) -> Result<Option<Answer>, GatewayError> {
        Ok(fate_of_charge(&order.instrument, order.attempt).later(order.id.as_uuid()))
    }

    async fn pay_out(&self, order: &PayoutOrder) -> Result<Answer, GatewayError> {
        fate_of_payout(&order.destination).at_first(order.id.as_uuid())
    }

    async fn find_payout(&self, order: &PayoutOrder) -> Result<Option<Answer>, GatewayError> {
        Ok(fate_of_payout(&order.destination).later(order.id.as_uuid()))
    }

    async fn refund(&self, order: &RefundOrder) -> Result<Answer, GatewayError> {
        fate_of_refund(&order.charge.instrument).at_first(order.id.as_uuid())
    }

    async fn find_refund(&self, order: &RefundOrder) -> Result<Option<Answer>, GatewayError> {
        Ok(fate_of_refund(&order.charge.instrument).later(order.id.as_uuid()))
    }

    fn charges_back_at(&self, order: &ChargeOrder, at: Timestamp) -> Option<Timestamp> {
        (order.instrument == "sandbox-charges-back").then(|| at.add_days(CHARGEBACK_DAYS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each of them: what is answered at the first attempt, what is found afterwards, and what the second attempt comes to.
    #[test]
    fn the_instruments_do_as_their_names_say() {
        let refused = |reason| Fate::IsRefused(reason);
        for (instrument, first, second) in [
            ("sandbox-accepts", Fate::Succeeds, Fate::Succeeds),
            ("sandbox-declines-1", refused(Refusal::Declined), Fate::Succeeds),
            (
                "sandbox-declines-2",
                refused(Refusal::Declined),
                refused(Refusal::Declined),
            ),
            (
                "sandbox-times-out-uncharged",
                Fate::TimesOut { carried_out: false },
                Fate::Succeeds,
            ),
            (
                "sandbox-declines-0",
                refused(Refusal::Unknown),
                refused(Refusal::Unknown),
            ),
            ("4111111111111111", refused(Refusal::Unknown), refused(Refusal::Unknown)),
        ] {
            assert_eq!(fate_of_charge(instrument, 1), first, "{instrument}");
            assert_eq!(fate_of_charge(instrument, 2), second, "{instrument}");
        }
    }

    #[test]
    fn whoever_asks_gets_the_truth_about_what_was_answered() {
        let fates = [
            Fate::Succeeds,
            Fate::IsRefused(Refusal::Expired),
            Fate::IsLate(None),
            Fate::TimesOut { carried_out: true },
            Fate::TimesOut { carried_out: false },
        ];
        for fate in fates {
            match (fate.at_first(Uuid::nil()), fate.later(Uuid::nil())) {
                (Ok(Answer::Pending { reference }), found) => {
                    assert_eq!(found, Some(Answer::Succeeded { reference }), "{fate:?}");
                }
                (Ok(answer), found) => assert_eq!(found, Some(answer), "{fate:?}"),
                (Err(error), found) => {
                    assert!(matches!(error, GatewayError::Unknown(_)), "{fate:?}");
                    let carried_out = Fate::TimesOut { carried_out: true };
                    assert_eq!(found.is_some(), fate == carried_out, "{fate:?}");
                }
            }
        }
    }
}
