//! Money in the units that Stripe counts in. They are ISO 4217's minor units, but for a few currencies
//! (<https://docs.stripe.com/currencies>).

use vouch_primitives::{Currency, Money};

/// What a client is charged, in Stripe's units; `None` if Stripe cannot charge exactly so much.
pub(super) fn charged(money: Money) -> Option<i64> {
    match money.currency.code() {
        // No decimals today, two in Stripe's units for old times' sake.
        "ISK" | "UGX" => money.minor.checked_mul(100),
        // Two decimals in ISO 4217, which nobody uses, and none at Stripe.
        "MGA" => divided(money.minor, 100),
        // The last of three decimals has to be zero.
        _ if money.currency.decimals() == 3 => divided(money.minor, 10).map(|tens| tens * 10),
        _ => Some(money.minor),
    }
}

/// What is paid out, in Stripe's units; `None` if Stripe cannot pay out exactly so much.
pub(super) fn paid_out(money: Money) -> Option<i64> {
    match money.currency.code() {
        // Charged with decimals, paid out without.
        "HUF" | "TWD" => divided(money.minor, 100).map(|hundreds| hundreds * 100),
        _ => charged(money),
    }
}

/// What so many of Stripe's units are; `None` if the house does not know the currency or has no unit so small.
pub(super) fn money(amount: i64, currency: &str) -> Option<Money> {
    let currency: Currency = currency.to_ascii_uppercase().parse().ok()?;
    let minor = match currency.code() {
        "ISK" | "UGX" => divided(amount, 100)?,
        "MGA" => amount.checked_mul(100)?,
        _ => amount,
    };
    Some(Money::new(minor, currency))
}

/// Stripe's name of a currency.
pub(super) fn code(currency: Currency) -> String {
    currency.code().to_ascii_lowercase()
}

fn divided(amount: i64, by: i64) -> Option<i64> {
    (amount % by == 0).then_some(amount / by)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, minor: i64) -> Money {
        Money::new(minor, code.parse().expect("a currency"))
    }

    #[test]
    fn amounts_are_told_in_the_units_of_stripe() {
        for (code, minor, charge, payout) in [
            ("USD", 1_234, Some(1_234), Some(1_234)),
            ("JPY", 1_234, Some(1_234), Some(1_234)),
            ("ISK", 5, Some(500), Some(500)),
            ("UGX", 5, Some(500), Some(500)),
            ("MGA", 500, Some(5), Some(5)),
            ("MGA", 501, None, None),
            ("KWD", 1_230, Some(1_230), Some(1_230)),
            ("KWD", 1_234, None, None),
            ("HUF", 1_234, Some(1_234), None),
            ("HUF", 1_200, Some(1_200), Some(1_200)),
            ("TWD", 1_250, Some(1_250), None),
            ("ISK", i64::MAX, None, None),
        ] {
            assert_eq!(
                (charged(of(code, minor)), paid_out(of(code, minor))),
                (charge, payout),
                "{code} {minor}"
            );
        }
    }

    #[test]
    fn what_was_charged_is_the_same_on_the_way_back() {
        for currency in Currency::all() {
            let there = Money::new(12_300, currency);
            let back = charged(there).and_then(|amount| money(amount, &code(currency)));
            assert_eq!(back, Some(there), "{currency:?}");
        }
        assert_eq!(money(1, "isk"), None, "there is no such coin");
        assert_eq!(money(1, "xyz"), None);
    }
}
