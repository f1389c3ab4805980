//! Moments: whole microseconds since 1970-01-01T00:00:00Z, always UTC. Both databases keep them exactly.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use time::{Date, Month, OffsetDateTime, format_description::well_known::Rfc3339};

/// One day in microseconds; UTC has no others, as leap seconds are not counted.
const DAY: i64 = 86_400_000_000;
/// One minute in microseconds.
const MINUTE: i64 = 60_000_000;

/// A moment, in microseconds since the epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is neither an RFC 3339 moment nor a date.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 moment such as 2026-02-28T09:30:00Z: {0:?}")]
pub struct InvalidTimestamp(pub String);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// 9999-12-31T23:59:59.999999Z, the last moment that RFC 3339 and `google.protobuf.Timestamp` can say.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// The moment this many microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The process clock's reading, cut to the microsecond.
    #[must_use]
    pub fn from_system_time(time: SystemTime) -> Self {
        let micros = |d: Duration| i64::try_from(d.as_micros()).unwrap_or(i64::MAX);
        match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => Self(micros(after)),
            Err(before) => Self(-micros(before.duration())),
        }
    }

    /// The moment `duration` later, or the end of time.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
        .min(Self::MAX)
    }

    /// The moment `duration` earlier.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)),
        )
    }

    /// The time from `earlier` to this moment; zero if `earlier` is the later one.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The moment this many days later.
    #[must_use]
    pub fn add_days(self, days: u32) -> Self {
        self.saturating_add(Duration::from_secs(u64::from(days) * 86_400))
    }

    /// Whether it is the first moment of a minute.
    #[must_use]
    pub const fn is_whole_minute(self) -> bool {
        self.0.rem_euclid(MINUTE) == 0
    }

    /// The first moment of its day, UTC.
    #[must_use]
    pub const fn start_of_day(self) -> Self {
        Self(self.0.div_euclid(DAY).saturating_mul(DAY))
    }

    /// The first moment of its week, which begins on Monday, UTC.
    #[must_use]
    pub const fn start_of_week(self) -> Self {
        // 1 January 1970 was a Thursday.
        let weeks = self.0.saturating_add(3 * DAY).div_euclid(7 * DAY);
        Self(weeks.saturating_mul(7 * DAY).saturating_sub(3 * DAY))
    }

    /// The first moment of its calendar month, UTC.
    #[must_use]
    pub fn start_of_month(self) -> Self {
        self.first_of(|month| month)
    }

    /// The first moment of its quarter, which begins in January, April, July or October, UTC.
    #[must_use]
    pub fn start_of_quarter(self) -> Self {
        self.first_of(|month| (month - 1) / 3 * 3 + 1)
    }

    /// The first moment of the month that `of` makes of its own, in the same year; the end of time beyond the calendar.
    fn first_of(self, of: impl Fn(u8) -> u8) -> Self {
        let first = |moment: OffsetDateTime| {
            let month = Month::try_from(of(u8::from(moment.month()))).ok()?;
            Date::from_calendar_date(moment.year(), month, 1).ok()
        };
        self.to_date_time()
            .and_then(first)
            .map_or(Self::MAX, |date| Self::from_date_time(date.midnight().assume_utc()))
    }

    /// The same time of day `months` calendar months later; a day that the month does not have becomes its last
    /// one: 30 November + 3 months is 28 February, or 29 in a leap year [R26].
    #[must_use]
    pub fn add_months_clamped(self, months: u32) -> Self {
        let Some(start) = self.to_date_time() else {
            return Self::MAX;
        };
        let month_index = i64::from(start.year()) * 12 + i64::from(u8::from(start.month())) - 1 + i64::from(months);
        let year = i32::try_from(month_index.div_euclid(12)).unwrap_or(i32::MAX);
        let month = u8::try_from(month_index.rem_euclid(12) + 1)
            .ok()
            .and_then(|m| Month::try_from(m).ok());
        month
            .and_then(|month| Date::from_calendar_date(year, month, start.day().min(month.length(year))).ok())
            .map_or(Self::MAX, |date| Self::from_date_time(start.replace_date(date)))
    }

    fn to_date_time(self) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).ok()
    }

    fn from_date_time(moment: OffsetDateTime) -> Self {
        Self(i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000)).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_date_time().and_then(|moment| moment.format(&Rfc3339).ok()) {
            Some(text) => f.write_str(&text),
            None => write!(f, "{} microseconds since 1970", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads RFC 3339 (`2026-02-28T09:30:00Z`, any offset) or a date (`2026-02-28`, its first moment in UTC).
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        let whole = if text.len() == 10 {
            format!("{text}T00:00:00Z")
        } else {
            text.to_owned()
        };
        OffsetDateTime::parse(&whole, &Rfc3339)
            .map(Self::from_date_time)
            .map_err(|_| InvalidTimestamp(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    #[test]
    fn months_are_clamped_to_the_end_of_the_month() {
        for (start, months, end) in [
            ("2026-11-30T10:00:00Z", 3, "2027-02-28T10:00:00Z"),
            ("2027-11-30T10:00:00Z", 3, "2028-02-29T10:00:00Z"),
            ("2026-01-31T23:59:59.999999Z", 1, "2026-02-28T23:59:59.999999Z"),
            ("2026-05-31T00:00:00Z", 1, "2026-06-30T00:00:00Z"),
            ("2026-10-15T00:00:00Z", 3, "2027-01-15T00:00:00Z"),
            ("2026-12-31T00:00:00Z", 12, "2027-12-31T00:00:00Z"),
            ("2028-02-29T00:00:00Z", 12, "2029-02-28T00:00:00Z"),
            ("2026-03-01T00:00:00Z", 0, "2026-03-01T00:00:00Z"),
        ] {
            assert_eq!(
                at(start).add_months_clamped(months),
                at(end),
                "{start} + {months} months"
            );
        }
    }

    #[test]
    fn days_and_weeks_begin_at_midnight_and_on_monday() {
        for (moment, day, week) in [
            ("2026-03-01T23:59:59.999999Z", "2026-03-01", "2026-02-23"),
            ("2026-03-02T00:00:00Z", "2026-03-02", "2026-03-02"),
            ("2026-03-04T12:30:00Z", "2026-03-04", "2026-03-02"),
            ("2028-02-29T23:59:59.999999Z", "2028-02-29", "2028-02-28"),
            ("2028-03-05T23:59:59.999999Z", "2028-03-05", "2028-02-28"),
            // 2026 has 53 weeks, of which the last ends in 2027.
            ("2027-01-03T23:59:59.999999Z", "2027-01-03", "2026-12-28"),
            ("2027-01-04T00:00:00Z", "2027-01-04", "2027-01-04"),
            ("2100-02-28T23:59:59.999999Z", "2100-02-28", "2100-02-22"),
            ("1970-01-01T00:00:00Z", "1970-01-01", "1969-12-29"),
            ("1969-12-28T00:00:00.000001Z", "1969-12-28", "1969-12-22"),
        ] {
            let moment = at(moment);
            assert_eq!(
                (moment.start_of_day(), moment.start_of_week()),
                (at(day), at(week)),
                "{moment}"
            );
        }
        for edge in [i64::MIN, i64::MAX] {
            let edge = Timestamp::from_micros(edge);
            assert!(edge.start_of_day() <= edge.max(Timestamp::from_micros(i64::MIN)));
            let _ = edge.start_of_week();
        }
    }

    #[test]
    fn months_and_quarters_begin_on_their_first_day() {
        for (moment, month, quarter) in [
            ("2026-03-31T23:59:59.999999Z", "2026-03-01", "2026-01-01"),
            ("2026-04-01T00:00:00Z", "2026-04-01", "2026-04-01"),
            ("2028-02-29T12:00:00Z", "2028-02-01", "2028-01-01"),
            ("2026-12-31T23:59:59Z", "2026-12-01", "2026-10-01"),
            ("2027-01-01T00:00:00Z", "2027-01-01", "2027-01-01"),
            ("1969-08-07T00:00:00Z", "1969-08-01", "1969-07-01"),
        ] {
            let moment = at(moment);
            let begun = (moment.start_of_month(), moment.start_of_quarter());
            assert_eq!(begun, (at(month), at(quarter)), "{moment}");
        }
        assert_eq!(Timestamp::from_micros(i64::MAX).start_of_month(), Timestamp::MAX);
    }

    #[test]
    fn minutes_are_whole_at_their_first_moment_alone() {
        for (moment, whole) in [
            ("2026-03-08T23:59:00Z", true),
            ("2026-03-09T00:00:00Z", true),
            ("1969-12-31T23:59:00Z", true),
            ("2026-03-08T23:59:59.999999Z", false),
            ("2026-03-09T00:00:00.000001Z", false),
            ("2026-03-09T00:00:30Z", false),
        ] {
            assert_eq!(at(moment).is_whole_minute(), whole, "{moment}");
        }
    }

    #[test]
    fn text_forms() {
        assert_eq!(at("2026-02-28"), at("2026-02-28T00:00:00Z"));
        assert_eq!(at("2026-02-28T01:00:00+01:00"), at("2026-02-28T00:00:00Z"));
        assert_eq!(at("2026-02-28T00:00:00.25Z").to_string(), "2026-02-28T00:00:00.25Z");
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
        assert!("28.2.2026".parse::<Timestamp>().is_err());
    }

    #[test]
    fn differences() {
        assert_eq!(at("2026-02-28").add_days(1), at("2026-03-01"));
        assert_eq!(at("2026-03-01").since(at("2026-02-28")), Duration::from_secs(86_400));
        assert_eq!(at("2026-02-28").since(at("2026-03-01")), Duration::ZERO);
        assert_eq!(Timestamp::MAX.add_days(1), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.add_months_clamped(1), Timestamp::MAX);
    }
}
