//! What a tax form must say: read alike by the service that takes it and by the one that keeps it.

use std::fmt;

use vouch_primitives::TaxFormKind;

use crate::{
    Fields,
    common::v1::{self as common, tax_form, w9_form},
};

const NAME: std::ops::RangeInclusive<usize> = 1..=200;

/// A tax form that says all that it must. It is the sender's message, its number written with digits alone.
#[derive(Clone, PartialEq)]
pub struct CheckedTaxForm {
    /// Which form.
    pub kind: TaxFormKind,
    /// The last four characters of its number; empty if it has none.
    pub tin_last_four: String,
    /// What it says.
    pub form: common::TaxForm,
}

impl fmt::Debug for CheckedTaxForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckedTaxForm")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for common::TaxForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaxForm").finish_non_exhaustive()
    }
}

impl From<TaxFormKind> for common::TaxFormKind {
    fn from(kind: TaxFormKind) -> Self {
        match kind {
            TaxFormKind::W9 => Self::W9,
            TaxFormKind::W8Ben => Self::W8ben,
        }
    }
}

impl Fields {
    /// A signed tax form.
    pub fn tax_form(&mut self, field: &str, form: Option<&common::TaxForm>) -> Option<CheckedTaxForm> {
        let Some(form) = form else {
            self.refuse(field, "REQUIRED", "is required");
            return None;
        };
        self.within(field, |fields| {
            let read = fields.form(form);
            fields.line("signature", &form.signature, NAME);
            if !form.perjury_acknowledged {
                fields.refuse("perjury_acknowledged", "REQUIRED", "is required");
            }
            read
        })
    }

    fn form(&mut self, form: &common::TaxForm) -> Option<CheckedTaxForm> {
        let mut checked = form.clone();
        let (kind, tin) = match checked.form.as_mut() {
            Some(tax_form::Form::W9(w9)) => (TaxFormKind::W9, self.within("w9", |fields| fields.w9(w9))?),
            Some(tax_form::Form::W8ben(form)) => {
                (TaxFormKind::W8Ben, self.within("w8ben", |fields| fields.w8ben(form)))
            }
            None => {
                self.refuse("form", "REQUIRED", "is required");
                return None;
            }
        };
        let digits: Vec<char> = tin.chars().filter(char::is_ascii_alphanumeric).collect();
        Some(CheckedTaxForm {
            kind,
            tin_last_four: digits.iter().skip(digits.len().saturating_sub(4)).collect(),
            form: checked,
        })
    }

    fn w9(&mut self, form: &mut common::W9Form) -> Option<String> {
        self.line("name", &form.name, NAME);
        self.line("business_name", &form.business_name, 0..=200);
        if form.classification() == common::TaxClassification::Unspecified {
            self.refuse("classification", "REQUIRED", "is required");
        }
        self.tax_address("address", form.address.as_ref());
        let (field, typed, digits) = match &form.tin {
            Some(w9_form::Tin::Ssn(typed)) => ("ssn", typed, social_security_number(typed)),
            Some(w9_form::Tin::Ein(typed)) => ("ein", typed, employer_number(typed)),
            None => {
                self.refuse("tin", "REQUIRED", "is required");
                return None;
            }
        };
        let Some(digits) = digits else {
            let (reason, what) = match typed.as_str() {
                "" => ("REQUIRED", "is required"),
                _ => ("INVALID_FORMAT", "must be a number that is given out, of 9 digits"),
            };
            self.refuse(field, reason, what);
            return None;
        };
        form.tin = Some(match &form.tin {
            Some(w9_form::Tin::Ein(_)) => w9_form::Tin::Ein(digits.clone()),
            _ => w9_form::Tin::Ssn(digits.clone()),
        });
        Some(digits)
    }

    fn w8ben(&mut self, form: &common::W8BenForm) -> String {
        self.line("name", &form.name, NAME);
        self.letters_of_country("citizenship_country_code", &form.citizenship_country_code);
        self.tax_address("permanent_address", form.permanent_address.as_ref());
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '/' | '-');
        if form.foreign_tin.len() > 40 || !form.foreign_tin.chars().all(fits) {
            self.refuse(
                "foreign_tin",
                "INVALID_FORMAT",
                "must be at most 40 letters, digits and hyphens",
            );
        }
        if !form.treaty_country_code.is_empty() {
            self.letters_of_country("treaty_country_code", &form.treaty_country_code);
        }
        match form.birth_date.as_str() {
            "" => self.refuse("birth_date", "REQUIRED", "is required"),
            date if !is_date(date) => self.refuse("birth_date", "INVALID_FORMAT", "must be a date such as 1990-12-31"),
            _ => {}
        }
        form.foreign_tin.clone()
    }

    fn tax_address(&mut self, field: &str, address: Option<&common::TaxAddress>) {
        let Some(address) = address else {
            self.refuse(field, "REQUIRED", "is required");
            return;
        };
        self.within(field, |fields| {
            fields.line("street", &address.street, NAME);
            fields.line("city", &address.city, 1..=100);
            fields.line("region", &address.region, 0..=100);
            fields.line("postal_code", &address.postal_code, 0..=20);
            fields.letters_of_country("country_code", &address.country_code);
        });
    }

    fn letters_of_country(&mut self, field: &str, code: &str) {
        if code.is_empty() {
            self.refuse(field, "REQUIRED", "is required");
        } else if code.len() != 2 || !code.chars().all(|c| c.is_ascii_uppercase()) {
            self.refuse(field, "INVALID_FORMAT", "must be two capital letters of ISO 3166-1");
        }
    }
}

/// The nine digits of a social security number. No number begins with 000, 666 or 9, has the group 00, or ends in 0000.
fn social_security_number(typed: &str) -> Option<String> {
    let digits = nine_digits(typed, &[3, 6])?;
    let (area, group, serial) = (&digits[..3], &digits[3..5], &digits[5..]);
    let given_out = area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000";
    given_out.then_some(digits)
}

fn employer_number(typed: &str) -> Option<String> {
    nine_digits(typed, &[2])
}

/// The digits of a number that is written without hyphens, or with all of them where they belong.
fn nine_digits(typed: &str, hyphens: &[usize]) -> Option<String> {
    let digits: String = typed.chars().filter(|c| *c != '-').collect();
    let at: Vec<usize> = typed.match_indices('-').map(|(index, _)| index).collect();
    let is_number = digits.len() == 9 && digits.chars().all(|c| c.is_ascii_digit());
    (is_number && (at.is_empty() || at == hyphens)).then_some(digits)
}

/// Whether this is a day of the calendar, from 1900 on.
fn is_date(text: &str) -> bool {
    let number = |part: &str| {
        part.chars()
            .all(|c| c.is_ascii_digit())
            .then(|| part.parse::<u32>().ok())?
    };
    let mut parts = text.split('-');
    let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    if (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (number(year), number(month), number(day)) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => 0,
    };
    year >= 1900 && (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    // B46
    #[test]
    fn only_numbers_that_are_given_out() {
        for typed in ["123-45-6789", "123456789"] {
            assert_eq!(social_security_number(typed).as_deref(), Some("123456789"));
        }
        for typed in [
            "000-45-6789",
            "666456789",
            "900-45-6789",
            "123-00-6789",
            "123-45-0000",
            "12-345-6789",
            "12345678",
        ] {
            assert_eq!(social_security_number(typed), None, "{typed}");
        }
        assert_eq!(employer_number("12-3456789").as_deref(), Some("123456789"));
        for typed in ["123-456789", "12-345678", "1234567890", "12345678x"] {
            assert_eq!(employer_number(typed), None, "{typed}");
        }
    }

    #[test]
    fn days_of_the_calendar() {
        for date in ["1990-12-31", "2000-02-29", "1996-02-29", "1900-01-01"] {
            assert!(is_date(date), "{date}");
        }
        for text in [
            "1990-13-01",
            "1990-00-01",
            "1900-02-29",
            "1990-04-31",
            "90-12-31",
            "1990-12-31-1",
            "1899-12-31",
            "+990-12-31",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn no_log_shows_a_form() {
        let ssn = "123456789".to_owned();
        let w9 = common::W9Form {
            tin: Some(w9_form::Tin::Ssn(ssn)),
            ..Default::default()
        };
        let form = common::TaxForm {
            form: Some(tax_form::Form::W9(w9)),
            ..Default::default()
        };
        assert_eq!(format!("{form:?}"), "TaxForm { .. }");
    }
}
