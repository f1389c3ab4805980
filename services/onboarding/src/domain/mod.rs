//! The rules of onboarding, as types and functions. Pure: nothing here knows a clock, a database or the wire.
//!
//! | module | holds |
//! |---|---|
//! | [`person`] | one human with one login, and what they said of themselves |
//! | [`place`] | countries and time zones |
//! | [`acceptance`] | an acceptance of an invitation that is under way |
//! | [`document`] | files that people upload: names, types, quarantine |
//! | [`case`] | the way from an accepted invitation to an accepted offer |
//! | [`room`] | project rooms and their notes |

pub mod acceptance;
pub mod case;
pub mod document;
pub mod person;
pub mod place;
pub mod room;

pub use acceptance::{Acceptance, InvalidReferralCode, Proof, ReferralCode, TokenHash};
pub use case::{
    Case, Client, Contract, ContractStart, Decline, Declined, HiringManager, Lapsed, Offer, Refusal, Reviewed, State,
};
pub use document::{
    ContentType, Document, DocumentRefusal, DocumentState, FileName, docx::ArchiveFault, sniffer::Unfit,
};
pub use person::{BasicInformation, Person, Verified};
pub use place::{CountryCode, InvalidCountry, InvalidTimeZone, TimeZone};
pub use room::Note;
