//! Money: whole minor units and an ISO 4217 currency. No floating point, no silent overflow, no mixing.

use std::{collections::HashMap, fmt, str::FromStr, sync::LazyLock};

/// An ISO 4217 currency with 0, 2 or 3 decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency {
    code: &'static str,
    decimals: u8,
}

/// An amount of money, in minor units (cents for USD, whole yen for JPY, fils for KWD).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units; negative amounts are debts and reversals.
    pub minor: i64,
    /// What they are units of.
    pub currency: Currency,
}

/// Why an amount cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a currency of ISO 4217 with 0, 2 or 3 decimals.
    #[error("unknown currency {0:?}")]
    UnknownCurrency(String),
    /// Amounts of different currencies never add.
    #[error("{0} and {1} do not add")]
    DifferentCurrencies(Currency, Currency),
    /// The result does not fit 64 bits.
    #[error("the amount is too large")]
    Overflow,
    /// Not a decimal number.
    #[error("not an amount such as 1250.00: {0:?}")]
    NotANumber(String),
    /// More decimals than the currency has; amounts are never rounded on the way in.
    #[error("{currency} has {decimals} decimals, {text:?} has more", decimals = currency.decimals())]
    TooPrecise {
        /// The currency.
        currency: Currency,
        /// What was given.
        text: String,
    },
}

const NO_DECIMALS: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF";
const THREE_DECIMALS: &str = "BHD IQD JOD KWD LYD OMR TND";
const TWO_DECIMALS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD \
     CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG \
     HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR \
     MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP \
     SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW \
     ZWG";

impl Currency {
    /// The US dollar, in which the standard terms state their amounts.
    pub const USD: Self = Self {
        code: "USD",
        decimals: 2,
    };

    /// The three letters.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.code
    }

    /// How many decimals the major unit has: 0, 2 or 3.
    #[must_use]
    pub const fn decimals(self) -> u8 {
        self.decimals
    }

    /// Every currency, by number of decimals and then by code.
    pub fn all() -> impl Iterator<Item = Self> {
        [(NO_DECIMALS, 0), (TWO_DECIMALS, 2), (THREE_DECIMALS, 3)]
            .into_iter()
            .flat_map(|(codes, decimals)| codes.split_ascii_whitespace().map(move |code| Self { code, decimals }))
    }

    fn minor_per_major(self) -> i64 {
        10_i64.pow(u32::from(self.decimals))
    }
}

impl Money {
    /// The largest amount that anybody may agree on, in minor units: 100 billion dollars. Some 900,000 of them still
    /// add up in 64 bits, which is what databases sum in.
    pub const LARGEST_MINOR: i64 = 10_000_000_000_000;

    /// So many minor units.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// Nothing, in a currency.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Reads a decimal number of major units, such as `1250.00`; never rounds.
    ///
    /// # Errors
    /// If the text is no number, has more decimals than the currency, or does not fit.
    pub fn parse_major(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let not_a_number = || MoneyError::NotANumber(text.to_owned());
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (major, minor) = digits.split_once('.').unwrap_or((digits, ""));
        let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if major.is_empty() || !all_digits(major) || !all_digits(minor) || (digits.contains('.') && minor.is_empty()) {
            return Err(not_a_number());
        }
        let decimals = usize::from(currency.decimals);
        if minor.len() > decimals {
            return Err(MoneyError::TooPrecise {
                currency,
                text: text.to_owned(),
            });
        }
        let unsigned: i64 = format!("{major}{minor:0<decimals$}")
            .parse()
            .map_err(|_| MoneyError::Overflow)?;
        Ok(Self::new(if negative { -unsigned } else { unsigned }, currency))
    }

    /// The sum.
    ///
    /// # Errors
    /// If the currencies differ or the sum does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.minor
            .checked_add(other.minor)
            .map(|minor| Self { minor, ..self })
            .ok_or(MoneyError::Overflow)
    }

    /// The difference.
    ///
    /// # Errors
    /// If the currencies differ or the difference does not fit.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.same_currency(other)?;
        self.minor
            .checked_sub(other.minor)
            .map(|minor| Self { minor, ..self })
            .ok_or(MoneyError::Overflow)
    }

    fn same_currency(self, other: Self) -> Result<(), MoneyError> {
        if self.currency == other.currency {
            Ok(())
        } else {
            Err(MoneyError::DifferentCurrencies(self.currency, other.currency))
        }
    }
}

impl fmt::Display for Money {
    /// `USD 1,250.00`, `JPY 980`, `KWD -0.005`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_major = u64::try_from(self.currency.minor_per_major()).unwrap_or(1);
        let (major, minor) = (
            self.minor.unsigned_abs() / per_major,
            self.minor.unsigned_abs() % per_major,
        );
        let sign = if self.minor < 0 { "-" } else { "" };
        write!(f, "{} {sign}{}", self.currency, with_thousands(major))?;
        match self.currency.decimals {
            0 => Ok(()),
            decimals => write!(f, ".{minor:0width$}", width = usize::from(decimals)),
        }
    }
}

fn with_thousands(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8_lossy(&groups.join(&b","[..])).into_owned()
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        static BY_CODE: LazyLock<HashMap<&str, Currency>> =
            LazyLock::new(|| Currency::all().map(|known| (known.code, known)).collect());
        BY_CODE
            .get(code)
            .copied()
            .ok_or_else(|| MoneyError::UnknownCurrency(code.to_owned()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect("a currency")
    }

    #[test]
    fn decimals_come_from_iso_4217() {
        for (code, decimals) in [("USD", 2), ("JPY", 0), ("KWD", 3), ("EUR", 2), ("ISK", 0), ("TND", 3)] {
            assert_eq!(currency(code).decimals(), decimals, "{code}");
        }
        for unknown in ["", "usd", "XXX", "BTC", "US", "USDX"] {
            assert_eq!(
                unknown.parse::<Currency>(),
                Err(MoneyError::UnknownCurrency(unknown.to_owned()))
            );
        }
        let all: std::collections::BTreeSet<_> = Currency::all().collect();
        assert_eq!(all.len(), Currency::all().count(), "no code stands twice");
    }

    #[test]
    fn amounts_are_read_without_rounding() {
        for (text, code, minor) in [
            ("1250.00", "USD", 125_000),
            ("1250", "USD", 125_000),
            ("0.1", "USD", 10),
            ("-3.05", "USD", -305),
            ("980", "JPY", 980),
            ("0.005", "KWD", 5),
        ] {
            assert_eq!(
                Money::parse_major(text, currency(code)),
                Ok(Money::new(minor, currency(code))),
                "{text}"
            );
        }
        for (text, code) in [("1.001", "USD"), ("1.5", "JPY"), ("0.0001", "KWD")] {
            let refused = MoneyError::TooPrecise {
                currency: currency(code),
                text: text.to_owned(),
            };
            assert_eq!(Money::parse_major(text, currency(code)), Err(refused));
        }
        for text in ["", "-", "1,5", "1.", ".5", "1e3", " 1", "+1", "٣"] {
            let refused = MoneyError::NotANumber(text.to_owned());
            assert_eq!(Money::parse_major(text, Currency::USD), Err(refused), "{text:?}");
        }
        assert_eq!(
            Money::parse_major("92233720368547758.08", Currency::USD),
            Err(MoneyError::Overflow)
        );
    }

    #[test]
    fn amounts_are_shown_in_major_units() {
        for (minor, code, text) in [
            (125_000, "USD", "USD 1,250.00"),
            (-5, "USD", "USD -0.05"),
            (1_234_567, "JPY", "JPY 1,234,567"),
            (-5, "KWD", "KWD -0.005"),
            (i64::MIN, "USD", "USD -92,233,720,368,547,758.08"),
        ] {
            assert_eq!(Money::new(minor, currency(code)).to_string(), text);
        }
    }

    #[test]
    fn currencies_never_add() {
        let (dollar, yen) = (Money::new(1, Currency::USD), Money::new(1, currency("JPY")));
        assert_eq!(
            dollar.checked_add(yen),
            Err(MoneyError::DifferentCurrencies(Currency::USD, yen.currency))
        );
        assert_eq!(
            Money::new(i64::MAX, Currency::USD).checked_add(dollar),
            Err(MoneyError::Overflow)
        );
        assert_eq!(
            Money::new(i64::MIN, Currency::USD).checked_sub(dollar),
            Err(MoneyError::Overflow)
        );
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_again(minor in i64::MIN + 1..=i64::MAX, nth in 0_usize..100) {
            let currency = Currency::all().nth(nth).expect("there are more than 100 currencies");
            let shown = Money::new(minor, currency).to_string();
            let number = shown.split_once(' ').map(|(_, number)| number.replace(',', "")).expect("code and number");
            prop_assert_eq!(Money::parse_major(&number, currency), Ok(Money::new(minor, currency)));
        }
    }
}
