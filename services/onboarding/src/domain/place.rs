//! Where a person is: a country of ISO 3166-1 and a time zone of the IANA database.

use std::{error::Error, fmt, str::FromStr};

/// A country, by the two letters of ISO 3166-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CountryCode(&'static str);

/// The name of a time zone, such as `Europe/Lisbon`. It has the shape of a name of the IANA database; whether the
/// database of today knows it is not asked, as names come and go with its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(String);

/// Not one of the two-letter codes of ISO 3166-1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidCountry;

/// Not the shape of a time zone's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidTimeZone;

const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ \
     BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH \
     ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE \
     IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC \
     MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE \
     PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV \
     SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT \
     ZA ZM ZW";

impl CountryCode {
    /// The two letters.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl TimeZone {
    const LONGEST: usize = 64;

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CountryCode {
    type Err = InvalidCountry;

    fn from_str(text: &str) -> Result<Self, InvalidCountry> {
        let mut known = COUNTRIES.split_ascii_whitespace();
        known.find(|code| *code == text).map(Self).ok_or(InvalidCountry)
    }
}

impl FromStr for TimeZone {
    type Err = InvalidTimeZone;

    /// Takes `UTC` and `Area/Location`, where a location may have a second part: `America/Indiana/Knox`.
    fn from_str(text: &str) -> Result<Self, InvalidTimeZone> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+');
        let is_name = |part: &str| part.starts_with(|c: char| c.is_ascii_uppercase()) && part.chars().all(fits);
        let parts = text.split('/').count();
        let plausible = text == "UTC" || ((2..=3).contains(&parts) && text.split('/').all(is_name));
        if plausible && text.len() <= Self::LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidTimeZone)
        }
    }
}

impl fmt::Display for InvalidCountry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be two capital letters of ISO 3166-1")
    }
}

impl fmt::Display for InvalidTimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be UTC or a name of the IANA database such as Europe/Lisbon")
    }
}

impl Error for InvalidCountry {}
impl Error for InvalidTimeZone {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_those_of_iso_3166() {
        assert_eq!(COUNTRIES.split_ascii_whitespace().count(), 249);
        for code in ["PT", "AD", "ZW", "GB"] {
            assert_eq!(code.parse::<CountryCode>().map(CountryCode::as_str), Ok(code));
        }
        for text in ["", "pt", "UK", "EU", "P", "PRT", "PT ", "XX"] {
            assert_eq!(text.parse::<CountryCode>(), Err(InvalidCountry), "{text:?}");
        }
    }

    #[test]
    fn time_zones_have_an_area_and_a_location() {
        for name in [
            "UTC",
            "Europe/Lisbon",
            "America/Argentina/Buenos_Aires",
            "America/Port-au-Prince",
            "Etc/GMT+5",
        ] {
            assert_eq!(name.parse::<TimeZone>(), Ok(TimeZone(name.to_owned())));
        }
        let long = format!("Europe/{}", "L".repeat(60));
        for text in [
            "",
            "Lisbon",
            "utc",
            "Europe/",
            "/Lisbon",
            "europe/lisbon",
            "Europe/Lisbon ",
            "Europe/../etc",
            "A/B/C/D",
            long.as_str(),
        ] {
            assert_eq!(text.parse::<TimeZone>(), Err(InvalidTimeZone), "{text:?}");
        }
    }
}
