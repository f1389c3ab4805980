//! The rules of onboarding, as types and functions. Pure: nothing here knows a clock, a database or the wire.
//!
//! | module | holds |
//! |---|---|
//! | [`person`] | one human with one login, and what they said of themselves |
//! | [`verification`] | mails that ask a person to show that an address is theirs |
//! | [`place`] | countries and time zones |
//! | [`acceptance`] | an acceptance of an invitation that is under way |
//! | [`case`] | the way from an accepted invitation to an accepted offer |
//! | [`room`] | project rooms and their notes |
//! | [`tax`] | tax forms on their way to payments |

pub mod acceptance;
pub mod case;
pub mod person;
pub mod place;
pub mod room;
pub mod tax;
pub mod verification;

pub use acceptance::{
    Acceptance, InvalidLinkCookieId, InvalidReferralCode, LinkCookieId, Proof, ReferralCode, ReferralEvidence,
    TokenHash,
};
pub use case::{
    Case, Client, Contract, ContractEnd, ContractStart, Decline, Declined, HiringManager, Lapsed, Offer, Refusal,
    Reviewed, State,
};
pub use person::{
    AccountRefusal, BasicInformation, Closed, Closure, Contracts, EmailChange, Particulars, Person, Reopened, Verified,
};
pub use place::{CountryCode, InvalidCountry, InvalidTimeZone, TimeZone};
pub use room::Note;
pub use tax::TaxInformation;
pub use verification::{EmailHash, Verification};
