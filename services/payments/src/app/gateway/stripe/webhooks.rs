//! What Stripe tells by itself: signed, perhaps twice, in no order. It is read for what it is about, and Stripe is asked for
//! the rest.

use axum::http::HeaderMap;
use ring::hmac;
use vouch_primitives::Timestamp;

use super::{
    CHARGE, PAYOUT, REFUND, Stripe, amounts,
    api::pair,
    charges::if_there,
    objects::{Dispute, Event, EventObject, Expandable},
    tokens, unknown,
};
use crate::app::gateway::{GatewayError, Hint, Standing, TakenBack, Unheard};

/// A message may be so old, or from so far in the future.
const TOLERANCE_SECONDS: i64 = 300;

/// What a message is about, if Stripe has signed it just now.
pub(super) fn hear(headers: &HeaderMap, body: &[u8], secret: &str, now: Timestamp) -> Result<Hint, Unheard> {
    if secret.is_empty() {
        return Err(Unheard::NotExpected);
    }
    let header = headers.get("stripe-signature").ok_or(Unheard::Unsigned)?;
    verify(header.to_str().map_err(|_| Unheard::Unsigned)?, body, secret, now)?;
    let event: Event = serde_json::from_slice(body).map_err(|_| Unheard::Unreadable)?;
    let (kind, object) = (event.kind.as_str(), event.data.object);
    if kind.starts_with("payment_intent.") {
        return Ok(named(&object, CHARGE).map_or(Hint::Nothing, Hint::Charge));
    }
    if kind.starts_with("payout.") {
        return Ok(named(&object, PAYOUT).map_or(Hint::Nothing, Hint::Payout));
    }
    // The same object under the names that Stripe has given its news over the years.
    if kind.starts_with("refund.") || kind.starts_with("charge.refund.") {
        return Ok(named(&object, REFUND).map_or(Hint::Nothing, Hint::Refund));
    }
    if kind.starts_with("charge.dispute.") {
        return Ok(object.id.map_or(Hint::Nothing, Hint::TakenBack));
    }
    Ok(Hint::Nothing)
}

/// Checks the header `Stripe-Signature`: `t=<seconds>,v1=<hex>`, with a signature for each secret that is in force.
fn verify(header: &str, body: &[u8], secret: &str, now: Timestamp) -> Result<(), Unheard> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let time = parts().find_map(|(name, value)| (name == "t").then_some(value));
    let time = time.ok_or(Unheard::Unsigned)?;
    let seconds: i64 = time.parse().map_err(|_| Unheard::Unsigned)?;
    let signed = [time.as_bytes(), b".", body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signatures = parts().filter(|(name, _)| *name == "v1");
    let mut tags = signatures.filter_map(|(_, hex)| bytes(hex));
    // Compared in constant time.
    if !tags.any(|tag| hmac::verify(&key, &signed, &tag).is_ok()) {
        return Err(Unheard::WrongSignature);
    }
    let age = (now.as_micros() / 1_000_000).saturating_sub(seconds);
    if age.saturating_abs() > TOLERANCE_SECONDS {
        return Err(Unheard::Stale);
    }
    Ok(())
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| match *pair {
            [high, low] => Some(digit(high)? * 16 + digit(low)?),
            _ => None,
        })
        .collect()
}

/// The id that we have written on an object.
fn named<T: std::str::FromStr>(object: &EventObject, key: &str) -> Option<T> {
    object.metadata.as_ref()?.get(key)?.parse().ok()
}

impl Stripe {
    pub(super) async fn look_at_dispute(&self, reference: &str) -> Result<Option<TakenBack>, GatewayError> {
        if !tokens::is_id(reference, &["dp_", "du_"]) {
            return Ok(None);
        }
        let path = format!("/v1/disputes/{reference}");
        let query = vec![pair("expand[]", "payment_intent")];
        let dispute = self.api.get::<Dispute>(&path, None, &query).await;
        let Some(dispute) = if_there(dispute).map_err(unknown)? else {
            return Ok(None);
        };
        let Some(Expandable::Object(intent)) = dispute.payment_intent else {
            return Ok(None);
        };
        let charge = intent.metadata.as_ref().and_then(|all| all.get(CHARGE)?.parse().ok());
        let Some(charge) = charge else {
            return Ok(None);
        };
        let amount = amounts::money(dispute.amount, &dispute.currency);
        let amount = amount.ok_or_else(|| GatewayError::Unknown(format!("a dispute in {}", dispute.currency)))?;
        let standing = match dispute.status.as_str() {
            "needs_response" | "under_review" | "lost" => Standing::Taken,
            "won" => Standing::GivenAgain,
            "warning_needs_response" | "warning_under_review" | "warning_closed" | "prevented" => Standing::Untouched,
            other => return Err(GatewayError::Unknown(format!("a dispute that is {other}"))),
        };
        Ok(Some(TakenBack {
            reference: dispute.id,
            charge,
            charge_reference: intent.id,
            amount,
            standing,
        }))
    }
}

#[cfg(test)]
mod tests {
    use vouch_primitives::{ChargeId, PayoutId, RefundId};

    use super::*;

    const SECRET: &str = "whsec_test";
    const NOW: i64 = 1_790_000_000;

    fn signature(body: &str, secret: &str, time: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, format!("{time}.{body}").as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn heard(header: &str, body: &str) -> Result<Hint, Unheard> {
        let mut headers = HeaderMap::new();
        headers.insert("Stripe-Signature", header.parse().expect("a header"));
        hear(
            &headers,
            body.as_bytes(),
            SECRET,
            Timestamp::from_micros(NOW * 1_000_000),
        )
    }

    fn event(kind: &str, object: &str) -> String {
        format!(r#"{{"id": "evt_1", "type": "{kind}", "data": {{"object": {object}}}}}"#)
    }

    fn told(kind: &str, object: &str) -> Result<Hint, Unheard> {
        let body = event(kind, object);
        heard(&format!("t={NOW},v1={}", signature(&body, SECRET, NOW)), &body)
    }

    /// RFC 4231, test case 2, which was not made here.
    #[test]
    fn the_hmac_is_that_of_the_standard() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"Jefe");
        let tag = bytes("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").expect("hexadecimal");
        assert!(hmac::verify(&key, b"what do ya want for nothing?", &tag).is_ok());
    }

    #[test]
    fn only_what_was_signed_just_now_is_heard() {
        let body = event("payout.paid", "{}");
        let good = signature(&body, SECRET, NOW);
        let other = signature(&body, "whsec_old", NOW);
        let at = |time: i64| format!("t={time},v1={}", signature(&body, SECRET, time));
        for (header, outcome) in [
            (format!("t={NOW},v1={good}"), Ok(Hint::Nothing)),
            (format!("t={NOW}, v1={other},v1={good},v0={other}"), Ok(Hint::Nothing)),
            (at(NOW - 300), Ok(Hint::Nothing)),
            (at(NOW + 300), Ok(Hint::Nothing)),
            (at(NOW - 301), Err(Unheard::Stale)),
            (at(NOW + 301), Err(Unheard::Stale)),
            (format!("t={NOW},v1={other}"), Err(Unheard::WrongSignature)),
            (format!("t={NOW},v0={good}"), Err(Unheard::WrongSignature)),
            (format!("t={},v1={good}", NOW + 1), Err(Unheard::WrongSignature)),
            (format!("t={NOW},v1={}", &good[..62]), Err(Unheard::WrongSignature)),
            (format!("t={NOW},v1={}", &good[1..]), Err(Unheard::WrongSignature)),
            (format!("t={NOW},v1="), Err(Unheard::WrongSignature)),
            (format!("t={NOW}"), Err(Unheard::WrongSignature)),
            (format!("t={},v1={good}", i64::MIN), Err(Unheard::WrongSignature)),
            (format!("v1={good}"), Err(Unheard::Unsigned)),
            (format!("t=now,v1={good}"), Err(Unheard::Unsigned)),
            (String::new(), Err(Unheard::Unsigned)),
        ] {
            assert_eq!(heard(&header, &body), outcome, "{header}");
        }
        let header = format!("t={NOW},v1={good}");
        assert_eq!(
            heard(&header, &body.replace("paid", "made")),
            Err(Unheard::WrongSignature)
        );
        assert_eq!(
            hear(&HeaderMap::new(), body.as_bytes(), SECRET, Timestamp::from_micros(NOW)),
            Err(Unheard::Unsigned)
        );
        assert_eq!(
            hear(&HeaderMap::new(), body.as_bytes(), "", Timestamp::from_micros(NOW)),
            Err(Unheard::NotExpected),
            "nothing is signed with an empty secret"
        );
    }

    #[test]
    fn a_message_says_no_more_than_what_it_is_about() {
        let (charge, payout, refund) = (ChargeId::new(), PayoutId::new(), RefundId::new());
        let of_charge =
            format!(r#"{{"id": "pi_1", "status": "succeeded", "metadata": {{"vouch_charge": "{charge}"}}}}"#);
        let of_payout = format!(r#"{{"id": "po_1", "metadata": {{"vouch_payout": "{payout}"}}}}"#);
        let of_refund = format!(r#"{{"id": "re_1", "metadata": {{"vouch_refund": "{refund}"}}}}"#);
        for (kind, object, hint) in [
            ("payment_intent.succeeded", of_charge.as_str(), Hint::Charge(charge)),
            ("payment_intent.payment_failed", &of_charge, Hint::Charge(charge)),
            (
                "payment_intent.succeeded",
                r#"{"id": "pi_1", "metadata": {"vouch_charge": "x"}}"#,
                Hint::Nothing,
            ),
            (
                "payment_intent.succeeded",
                r#"{"id": "pi_1", "metadata": null}"#,
                Hint::Nothing,
            ),
            ("payout.failed", &of_payout, Hint::Payout(payout)),
            (
                "charge.dispute.created",
                r#"{"id": "dp_1"}"#,
                Hint::TakenBack("dp_1".to_owned()),
            ),
            (
                "charge.dispute.closed",
                r#"{"id": "dp_1"}"#,
                Hint::TakenBack("dp_1".to_owned()),
            ),
            ("refund.failed", of_refund.as_str(), Hint::Refund(refund)),
            ("charge.refund.updated", &of_refund, Hint::Refund(refund)),
            ("charge.refunded", r#"{"id": "ch_1"}"#, Hint::Nothing),
            ("balance.available", "{}", Hint::Nothing),
        ] {
            assert_eq!(told(kind, object), Ok(hint), "{kind} {object}");
        }
        for body in ["", "{}", "[]", r#"{"type": "payout.paid"}"#] {
            let header = format!("t={NOW},v1={}", signature(body, SECRET, NOW));
            assert_eq!(heard(&header, body), Err(Unheard::Unreadable), "{body}");
        }
    }
}
