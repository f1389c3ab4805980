//! From the wire to values, with every violation told at once and named by its field; and back.

use std::{fmt, str::FromStr};

use vouch_primitives::{Currency, EmailAddress, InvalidId, Money, RequestId, Timestamp, text::is_deceptive};

use crate::{Mutation, common::v1 as common};

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The path of the field, such as `contract_terms.hourly.rate.minor_units` or `milestones[2].title`.
    pub field: String,
    /// A stable, upper-case reason: `REQUIRED`, `INVALID_FORMAT`, `OUT_OF_RANGE`, `TOO_LONG`, `UNKNOWN_CURRENCY` …
    pub reason: &'static str,
    /// What is wrong, for a person: a sentence without the field's name, such as `must be above zero`.
    pub description: String,
}

/// All that is wrong with a request; never empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Violations(pub Vec<Violation>);

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, violation) in self.0.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{} {}", violation.field, violation.description)?;
        }
        Ok(())
    }
}

/// Reads the fields of one message and collects what is wrong with them.
///
/// Each reader returns `None` when it has noted a violation, so that reading goes on to the next field:
///
/// ```
/// # use vouch_proto::{Fields, Violations};
/// # use vouch_primitives::EarningId;
/// # struct Refund { earning: EarningId, reason: String }
/// # fn parse(earning_id: &str, reason: &str) -> Result<Refund, Violations> {
/// let mut fields = Fields::new();
/// let earning = fields.id("earning_id", earning_id);
/// let reason = fields.text("reason", reason, 1..=200);
/// let (Some(earning), Some(reason)) = (earning, reason) else { return Err(fields.into()) };
/// fields.finish(Refund { earning, reason })
/// # }
/// # assert_eq!(parse("x", "").err().unwrap().0.len(), 2);
/// ```
#[derive(Debug, Default)]
pub struct Fields {
    prefix: String,
    violations: Vec<Violation>,
}

impl Fields {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a violation of `field`.
    pub fn refuse(&mut self, field: &str, reason: &'static str, description: impl Into<String>) {
        let field = format!("{}{field}", self.prefix);
        self.violations.push(Violation {
            field,
            reason,
            description: description.into(),
        });
    }

    /// Reads a message inside `field`; the names of its fields are told with the whole path.
    pub fn within<T>(&mut self, field: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.prefix.clone();
        self.prefix = format!("{outer}{field}.");
        let value = read(self);
        self.prefix = outer;
        value
    }

    /// A typed id.
    pub fn id<I: FromStr<Err = InvalidId>>(&mut self, field: &str, text: &str) -> Option<I> {
        if text.is_empty() {
            self.refuse(field, "REQUIRED", "is required");
            return None;
        }
        let id = text.parse().ok();
        if id.is_none() {
            self.refuse(field, "INVALID_FORMAT", "must be a UUID");
        }
        id
    }

    /// A typed id, or none where the text is empty.
    pub fn id_if_set<I: FromStr<Err = InvalidId>>(&mut self, field: &str, text: &str) -> Option<Option<I>> {
        match text {
            "" => Some(None),
            named => self.id(field, named).map(Some),
        }
    }

    /// The `request_id` of a mutation.
    pub fn request_id(&mut self, request: &impl Mutation) -> Option<RequestId> {
        self.id("request_id", request.request_id())
    }

    /// A text whose length in characters lies in `length`, white space at both ends cut off, each line break a single
    /// character, without control characters other than line breaks and tabs, and without those that nobody sees and
    /// that turn what follows.
    pub fn text(&mut self, field: &str, text: &str, length: std::ops::RangeInclusive<usize>) -> Option<String> {
        let text = text.trim().replace("\r\n", "\n");
        let characters = text.chars().count();
        if characters == 0 && *length.start() > 0 {
            self.refuse(field, "REQUIRED", "is required");
        } else if characters < *length.start() {
            self.refuse(
                field,
                "TOO_SHORT",
                format!("must have at least {} characters", length.start()),
            );
        } else if characters > *length.end() {
            self.refuse(
                field,
                "TOO_LONG",
                format!("must have at most {} characters", length.end()),
            );
        } else if text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
            self.refuse(field, "INVALID_FORMAT", "must not contain control characters");
        } else if text.chars().any(is_deceptive) {
            self.refuse(
                field,
                "INVALID_FORMAT",
                "must not contain invisible characters that change its direction",
            );
        } else {
            return Some(text);
        }
        None
    }

    /// A text of one line: a name, a title, a subject.
    pub fn line(&mut self, field: &str, text: &str, length: std::ops::RangeInclusive<usize>) -> Option<String> {
        if text.trim().contains(['\n', '\t']) {
            self.refuse(field, "INVALID_FORMAT", "must be a single line");
            return None;
        }
        self.text(field, text, length)
    }

    /// An e-mail address.
    pub fn email(&mut self, field: &str, text: &str) -> Option<EmailAddress> {
        if text.is_empty() {
            self.refuse(field, "REQUIRED", "is required");
            return None;
        }
        text.parse()
            .map_err(|e| self.refuse(field, "INVALID_FORMAT", format!("{e}")))
            .ok()
    }

    /// An amount above zero that is not larger than amounts may be.
    pub fn positive_money(&mut self, field: &str, money: Option<&common::Money>) -> Option<Money> {
        let Some(money) = money else {
            self.refuse(field, "REQUIRED", "is required");
            return None;
        };
        let currency = self.within(field, |fields| fields.currency("currency_code", &money.currency_code));
        let wrong = match money.minor_units {
            ..=0 => "must be above zero",
            minor if minor > Money::LARGEST_MINOR => "must be at most 10,000,000,000,000",
            _ => return currency.map(|currency| Money::new(money.minor_units, currency)),
        };
        self.within(field, |fields| fields.refuse("minor_units", "OUT_OF_RANGE", wrong));
        None
    }

    /// An ISO 4217 code.
    pub fn currency(&mut self, field: &str, code: &str) -> Option<Currency> {
        let known = code.parse().ok();
        if known.is_none() {
            self.refuse(
                field,
                "UNKNOWN_CURRENCY",
                "must be an ISO 4217 code with 0, 2 or 3 decimals",
            );
        }
        known
    }

    /// A moment between 1970 and 9999.
    pub fn time(&mut self, field: &str, time: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
        let Some(time) = time else {
            self.refuse(field, "REQUIRED", "is required");
            return None;
        };
        let read = from_wire_time(time);
        if read.is_none() {
            self.refuse(field, "OUT_OF_RANGE", "must be a moment between 1970 and 9999");
        }
        read
    }

    /// A moment between 1970 and 9999, or none.
    pub fn time_if_set(&mut self, field: &str, time: Option<&prost_types::Timestamp>) -> Option<Option<Timestamp>> {
        match time {
            None => Some(None),
            some => self.time(field, some).map(Some),
        }
    }

    /// How many items a page is to have: 25 when the caller leaves it open, never more than 100.
    pub fn page_size(&mut self, page_size: u32) -> Option<u64> {
        match page_size {
            0 => Some(25),
            1..=100 => Some(u64::from(page_size)),
            _ => {
                self.refuse("page_size", "OUT_OF_RANGE", "must be at most 100");
                None
            }
        }
    }

    /// The id after which the next page begins: a page token is the last id of the page before.
    pub fn page_token<I: FromStr>(&mut self, token: &str) -> Option<Option<I>> {
        if token.is_empty() {
            return Some(None);
        }
        let id = token.parse().ok();
        if id.is_none() {
            self.refuse(
                "page_token",
                "INVALID_FORMAT",
                "must be the next_page_token of an earlier answer",
            );
        }
        id.map(Some)
    }

    /// The value, unless a violation was noted.
    ///
    /// # Errors
    /// All violations.
    pub fn finish<T>(self, value: T) -> Result<T, Violations> {
        if self.violations.is_empty() {
            Ok(value)
        } else {
            Err(Violations(self.violations))
        }
    }
}

impl From<Fields> for Violations {
    fn from(fields: Fields) -> Self {
        Self(fields.violations)
    }
}

impl From<Money> for common::Money {
    fn from(money: Money) -> Self {
        Self {
            currency_code: money.currency.code().to_owned(),
            minor_units: money.minor,
        }
    }
}

/// A moment on the wire.
#[must_use]
pub fn to_wire_time(time: Timestamp) -> prost_types::Timestamp {
    let micros = time.as_micros();
    let nanos = i32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos,
    }
}

/// A moment from the wire, cut to the microsecond; `None` outside 1970 to 9999.
#[must_use]
pub fn from_wire_time(time: &prost_types::Timestamp) -> Option<Timestamp> {
    let nanos = u32::try_from(time.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    let micros = time
        .seconds
        .checked_mul(1_000_000)?
        .checked_add(i64::from(nanos / 1_000))?;
    Some(Timestamp::from_micros(micros)).filter(|t| (Timestamp::EPOCH..=Timestamp::MAX).contains(t))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payments::v1::RefundEarningRequest;
    use prost::Name as _;

    fn money(code: &str, minor_units: i64) -> common::Money {
        common::Money {
            currency_code: code.to_owned(),
            minor_units,
        }
    }

    #[test]
    fn all_violations_are_told_at_once_with_their_paths() {
        let mut fields = Fields::new();
        let request = RefundEarningRequest {
            request_id: "7".to_owned(),
            ..Default::default()
        };
        fields.request_id(&request);
        fields.positive_money("amount", Some(&money("usd", -1)));
        fields.within("items[2]", |fields| fields.line("title", "a\r\nBcc: b", 1..=200));
        let told: Vec<_> = fields.violations.iter().map(|v| (v.field.as_str(), v.reason)).collect();
        let expected = [
            ("request_id", "INVALID_FORMAT"),
            ("amount.currency_code", "UNKNOWN_CURRENCY"),
            ("amount.minor_units", "OUT_OF_RANGE"),
            ("items[2].title", "INVALID_FORMAT"),
        ];
        assert_eq!(told, expected);
        assert!(fields.finish(()).is_err());
    }

    #[test]
    fn amounts_have_an_end() {
        let mut fields = Fields::new();
        let largest = Money::new(Money::LARGEST_MINOR, Currency::USD);
        assert_eq!(fields.positive_money("a", Some(&largest.into())), Some(largest));
        for minor in [Money::LARGEST_MINOR + 1, i64::MAX, 0, i64::MIN] {
            assert_eq!(fields.positive_money("a", Some(&money("USD", minor))), None, "{minor}");
        }
        let told = fields.violations.iter().map(|v| (v.field.as_str(), v.reason));
        assert!(told.eq([("a.minor_units", "OUT_OF_RANGE"); 4]));
    }

    #[test]
    fn texts_are_trimmed_and_measured_in_characters() {
        let mut fields = Fields::new();
        assert_eq!(fields.text("t", "  größer ", 1..=6), Some("größer".to_owned()));
        assert_eq!(fields.text("t", "größer!", 1..=6), None);
        assert_eq!(fields.text("t", "two\nlines", 1..=20), Some("two\nlines".to_owned()));
        assert_eq!(
            fields.text("t", "two\r\nlines\r\n", 1..=9),
            Some("two\nlines".to_owned())
        );
        for hidden in ["nul\0", "a\rb", "a\u{2028}b", "a\u{202e}b", "a\u{2066}b"] {
            assert_eq!(fields.text("t", hidden, 1..=20), None, "{hidden:?}");
            assert_eq!(fields.line("t", hidden, 1..=20), None, "{hidden:?}");
        }
        assert_eq!(fields.text("t", "", 0..=20), Some(String::new()));
    }

    #[test]
    fn moments_survive_the_wire_to_the_microsecond() {
        for text in [
            "2026-02-28T09:30:00.000001Z",
            "1970-01-01T00:00:00Z",
            "9999-12-31T23:59:59.999999Z",
        ] {
            let time: Timestamp = text.parse().expect("a moment");
            assert_eq!(from_wire_time(&to_wire_time(time)), Some(time));
        }
        for (seconds, nanos) in [
            (-1, 0),
            (0, -1),
            (0, 1_000_000_000),
            (253_402_300_800, 0),
            (i64::MAX, 0),
        ] {
            assert_eq!(
                from_wire_time(&prost_types::Timestamp { seconds, nanos }),
                None,
                "{seconds} s {nanos} ns"
            );
        }
    }

    #[test]
    fn requests_know_their_names() {
        assert_eq!(
            RefundEarningRequest::full_name(),
            "vouch.payments.v1.RefundEarningRequest"
        );
    }
}
