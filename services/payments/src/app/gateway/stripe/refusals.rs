//! Stripe's words for why money does not move (<https://docs.stripe.com/declines/codes>), as the house's.

use super::objects::ApiError;
use crate::domain::Refusal;

/// Why a client could not be charged.
pub(super) fn of_charge(error: &ApiError) -> Refusal {
    let words = [error.decline_code.as_deref(), error.code.as_deref()];
    // The bank's word says more than Stripe's, which is `card_declined` for all of them.
    for word in words.into_iter().flatten() {
        match word {
            "insufficient_funds" | "withdrawal_count_limit_exceeded" => return Refusal::InsufficientFunds,
            "expired_card" => return Refusal::Expired,
            "authentication_required" | "payment_intent_authentication_failure" | "approve_with_id" => {
                return Refusal::AuthenticationRequired;
            }
            _ => {}
        }
    }
    if error.is_missing() {
        Refusal::Unknown
    } else {
        Refusal::Declined
    }
}

/// Why money could not be sent to somebody.
pub(super) fn of_payout(error: &ApiError) -> Refusal {
    match error.code.as_deref() {
        Some(
            "account_closed"
            | "account_frozen"
            | "account_invalid"
            | "bank_account_restricted"
            | "bank_account_unusable"
            | "bank_account_unverified"
            | "invalid_account_number"
            | "no_account"
            | "payouts_not_allowed"
            | "transfers_not_allowed",
        ) => Refusal::DestinationClosed,
        _ if error.is_missing() => Refusal::Unknown,
        _ => Refusal::Declined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, decline: Option<&str>) -> ApiError {
        ApiError {
            status: 402,
            code: Some(code.to_owned()),
            decline_code: decline.map(str::to_owned),
            ..ApiError::default()
        }
    }

    #[test]
    fn the_bank_says_why() {
        for (code, decline, reason) in [
            ("card_declined", Some("insufficient_funds"), Refusal::InsufficientFunds),
            ("card_declined", Some("generic_decline"), Refusal::Declined),
            ("card_declined", None, Refusal::Declined),
            ("expired_card", Some("expired_card"), Refusal::Expired),
            (
                "authentication_required",
                Some("authentication_required"),
                Refusal::AuthenticationRequired,
            ),
            ("resource_missing", None, Refusal::Unknown),
        ] {
            assert_eq!(of_charge(&error(code, decline)), reason, "{code} {decline:?}");
        }
        assert_eq!(of_payout(&error("account_closed", None)), Refusal::DestinationClosed);
        assert_eq!(of_payout(&error("resource_missing", None)), Refusal::Unknown);
        assert_eq!(of_payout(&error("parameter_invalid", None)), Refusal::Declined);
    }
}
