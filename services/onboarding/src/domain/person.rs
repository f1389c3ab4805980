//! People: one human, one verified e-mail address, one login.
//!
//! ```text
//!          close           erase
//! OPEN ───────────► CLOSED ──────► erased: no person any more, only an id
//!   └◄── reopen ──────┘
//! ```

use std::{error::Error, fmt, ops::RangeInclusive};

use vouch_primitives::{AccountId, EmailAddress, PersonId, Timestamp};

use super::{CountryCode, TimeZone};

/// How long a name may be, in characters.
pub const NAME_LENGTH: RangeInclusive<usize> = 1..=200;
/// How long the reason may be for which an account is closed, in characters.
pub const CLOSE_REASON_LENGTH: RangeInclusive<usize> = 0..=500;

/// One human with one login. A person by itself creates no public listing [B18, B41].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their id.
    pub id: PersonId,
    /// Their own account, to which money for their work belongs.
    pub account_id: AccountId,
    /// What they said of themselves.
    pub information: BasicInformation,
    /// When they registered.
    pub registered_at: Timestamp,
    /// When the account e-mail became known to be theirs; `None` as long as it is not.
    pub email_verified_at: Option<Timestamp>,
    /// The address that becomes the account e-mail once it is known to be theirs.
    pub pending_email: Option<EmailAddress>,
    /// That they have closed the account; `None` as long as it is open.
    pub closure: Option<Closure>,
}

/// That somebody closed their account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closure {
    /// When.
    pub closed_at: Timestamp,
    /// Why; may be empty.
    pub reason: String,
}

/// The basic information that an account needs [F10].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BasicInformation {
    /// The name in law.
    pub legal_name: String,
    /// The name that others see.
    pub display_name: String,
    /// The country.
    pub country: CountryCode,
    /// The time zone.
    pub time_zone: TimeZone,
    /// Where project requests and client communication go [F8].
    pub account_email: EmailAddress,
}

/// What a person may change of it at once: all but the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Particulars {
    /// The name in law.
    pub legal_name: String,
    /// The name that others see.
    pub display_name: String,
    /// The country.
    pub country: CountryCode,
    /// The time zone.
    pub time_zone: TimeZone,
}

/// What came of verifying an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is verified from now on.
    Now,
    /// It had been verified before; nothing has changed.
    Before,
}

/// What came of asking for another account e-mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailChange {
    /// It is pending: it has to be verified.
    Pending,
    /// It is the account e-mail already; whatever was pending is taken back.
    TakenBack,
}

/// What came of closing an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It is closed from now on.
    Now,
    /// It had been closed before; nothing has changed.
    Before,
}

/// What came of reopening an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopened {
    /// It is open from now on.
    Now,
    /// It was open; nothing has changed.
    Open,
}

/// Whether a person has contracts that go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contracts {
    /// There is one at least.
    Open,
    /// All have ended, or there was none.
    Ended,
}

/// Why something cannot be done with an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountRefusal {
    /// The account is closed: it can be reopened.
    Closed,
    /// The account is open: only a closed one is erased.
    Open,
    /// A contract has not ended.
    OpenContracts,
    /// No address waits to be verified.
    NothingToVerify,
}

impl Person {
    /// Their address, if it is known to be theirs.
    #[must_use]
    pub fn verified_email(&self) -> Option<&EmailAddress> {
        self.email_verified_at.map(|_| &self.information.account_email)
    }

    /// The address that waits to be verified: a new one, else the account e-mail.
    ///
    /// # Errors
    /// If none waits.
    pub fn email_to_verify(&self) -> Result<&EmailAddress, AccountRefusal> {
        let unverified = || Some(&self.information.account_email).filter(|_| self.email_verified_at.is_none());
        let waiting = self.pending_email.as_ref().or_else(unverified);
        waiting.ok_or(AccountRefusal::NothingToVerify)
    }

    /// The account e-mail is known to be theirs. Verifying again is a normal outcome.
    pub fn verify_email(&mut self, now: Timestamp) -> Verified {
        if self.email_verified_at.is_some() {
            return Verified::Before;
        }
        self.email_verified_at = Some(now);
        Verified::Now
    }

    /// Asks for another account e-mail [F8]. The one that there is stays in force until the new one is verified.
    pub fn change_email(&mut self, wanted: EmailAddress) -> EmailChange {
        if wanted == self.information.account_email {
            self.pending_email = None;
            return EmailChange::TakenBack;
        }
        self.pending_email = Some(wanted);
        EmailChange::Pending
    }

    /// The pending address is known to be theirs and becomes the account e-mail. Returns the one before it, if that was
    /// known to be theirs, too. Without a pending address nothing changes.
    pub fn move_to_pending_email(&mut self, now: Timestamp) -> Option<EmailAddress> {
        let pending = self.pending_email.take()?;
        let former = std::mem::replace(&mut self.information.account_email, pending);
        self.email_verified_at.replace(now).map(|_| former)
    }

    /// Replaces what they said of themselves [F10].
    pub fn update(&mut self, particulars: Particulars) {
        let Particulars {
            legal_name,
            display_name,
            country,
            time_zone,
        } = particulars;
        let information = &mut self.information;
        information.legal_name = legal_name;
        information.display_name = display_name;
        information.country = country;
        information.time_zone = time_zone;
    }

    /// Whether they can begin anything: nobody begins something with a closed account.
    ///
    /// # Errors
    /// If it is closed.
    pub const fn expect_open(&self) -> Result<(), AccountRefusal> {
        match self.closure {
            None => Ok(()),
            Some(_) => Err(AccountRefusal::Closed),
        }
    }

    /// Closes the account. A pending address is forgotten. Closing again is a normal outcome.
    ///
    /// # Errors
    /// If a contract has not ended.
    pub fn close(&mut self, reason: String, contracts: Contracts, now: Timestamp) -> Result<Closed, AccountRefusal> {
        if self.closure.is_some() {
            return Ok(Closed::Before);
        }
        if contracts == Contracts::Open {
            return Err(AccountRefusal::OpenContracts);
        }
        let closed_at = now;
        self.closure = Some(Closure { closed_at, reason });
        self.pending_email = None;
        Ok(Closed::Now)
    }

    /// Reopens the account. Reopening one that is open is a normal outcome.
    pub fn reopen(&mut self) -> Reopened {
        match self.closure.take() {
            Some(_) => Reopened::Now,
            None => Reopened::Open,
        }
    }

    /// Whether they can be erased, which is for ever: so only after they have closed the account.
    ///
    /// # Errors
    /// If it is open.
    pub const fn expect_closed(&self) -> Result<(), AccountRefusal> {
        match self.closure {
            Some(_) => Ok(()),
            None => Err(AccountRefusal::Open),
        }
    }
}

impl fmt::Display for AccountRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the account is closed",
            Self::Open => "the account has to be closed first",
            Self::OpenContracts => "a contract has not ended",
            Self::NothingToVerify => "no address waits to be verified",
        })
    }
}

impl Error for AccountRefusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Person {
        Person {
            id: PersonId::new(),
            account_id: AccountId::new(),
            information: BasicInformation {
                legal_name: "Ada Lovelace".to_owned(),
                display_name: "Ada".to_owned(),
                country: "GB".parse().expect("a country"),
                time_zone: "Europe/London".parse().expect("a time zone"),
                account_email: email("ada@example.com"),
            },
            registered_at: at(0),
            email_verified_at: None,
            pending_email: None,
            closure: None,
        }
    }

    fn email(text: &str) -> EmailAddress {
        text.parse().expect("an address")
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    // F8
    #[test]
    fn a_new_address_counts_once_it_is_verified() {
        let mut person = ada();
        assert_eq!(person.email_to_verify(), Ok(&email("ada@example.com")));
        person.verify_email(at(1));
        assert_eq!(person.email_to_verify(), Err(AccountRefusal::NothingToVerify));

        assert_eq!(person.change_email(email("ada@home.example")), EmailChange::Pending);
        assert_eq!(person.email_to_verify(), Ok(&email("ada@home.example")));
        assert_eq!(person.verified_email(), Some(&email("ada@example.com")));
        assert_eq!(person.move_to_pending_email(at(2)), Some(email("ada@example.com")));
        assert_eq!(person.verified_email(), Some(&email("ada@home.example")));
        assert_eq!(person.email_verified_at, Some(at(2)));
        assert_eq!(person.move_to_pending_email(at(3)), None);
        assert_eq!(person.email_verified_at, Some(at(2)));
    }

    #[test]
    fn an_address_that_was_never_theirs_is_not_given_up() {
        let mut person = ada();
        person.change_email(email("ada@home.example"));
        assert_eq!(person.move_to_pending_email(at(1)), None);
        assert_eq!(person.verified_email(), Some(&email("ada@home.example")));
    }

    #[test]
    fn asking_for_the_address_of_the_account_takes_the_wish_back() {
        let mut person = ada();
        person.verify_email(at(1));
        person.change_email(email("ada@home.example"));
        assert_eq!(person.change_email(email("ada@example.com")), EmailChange::TakenBack);
        assert_eq!(person.pending_email, None);
        assert_eq!(person.verified_email(), Some(&email("ada@example.com")));
    }

    #[test]
    fn an_account_with_an_open_contract_stays_open() {
        let mut person = ada();
        let refused = person.close(String::new(), Contracts::Open, at(1));
        assert_eq!(refused, Err(AccountRefusal::OpenContracts));
        assert_eq!(person.expect_open(), Ok(()));
        assert_eq!(person.expect_closed(), Err(AccountRefusal::Open));
    }

    #[test]
    fn an_account_is_closed_once_and_may_be_reopened() {
        let mut person = ada();
        person.change_email(email("ada@home.example"));
        let reason = "Enough".to_owned();
        assert_eq!(person.close(reason.clone(), Contracts::Ended, at(1)), Ok(Closed::Now));
        assert_eq!(person.expect_open(), Err(AccountRefusal::Closed));
        assert_eq!((person.expect_closed(), person.pending_email.clone()), (Ok(()), None));
        let again = person.close("Again".to_owned(), Contracts::Ended, at(2));
        assert_eq!(again, Ok(Closed::Before));
        let closed_at = at(1);
        assert_eq!(person.closure, Some(Closure { closed_at, reason }));
        assert_eq!((person.reopen(), person.reopen()), (Reopened::Now, Reopened::Open));
        assert_eq!(person.expect_open(), Ok(()));
    }
}
