//! The rules of onboarding, as types and functions. Pure: nothing here knows a clock, a database or the wire.
//!
//! | module | holds |
//! |---|---|
//! | [`agency`] | agencies, and whether they can be found |
//! | [`profile`] | talent profiles: how far they are, and who finds them |
//! | [`section`] | what stands in the sections of a profile |
//! | [`search`] | finding talent: what is looked for, and the order of what is found |
//! | [`words`] | the words by which talent is found |
//! | [`person`] | one human with one login, and what they said of themselves |
//! | [`place`] | countries and time zones |
//! | [`acceptance`] | an acceptance of an invitation that is under way |
//! | [`case`] | the way from an accepted invitation to an accepted offer |
//! | [`room`] | project rooms and their notes |

pub mod acceptance;
pub mod agency;
pub mod case;
pub mod person;
pub mod place;
pub mod profile;
pub mod room;
pub mod search;
pub mod section;
pub mod words;

pub use acceptance::{Acceptance, InvalidReferralCode, Proof, ReferralCode, TokenHash};
pub use agency::{Agency, Listing};
pub use case::{
    Case, Client, Contract, ContractStart, Decline, Declined, HiringManager, Lapsed, Offer, Refusal, Reviewed, State,
};
pub use person::{BasicInformation, Person, Verified};
pub use place::{CountryCode, InvalidCountry, InvalidTimeZone, TimeZone};
pub use profile::{Profile, ProfileKind, Refusal as ProfileRefusal, SectionState, Visibility};
pub use room::Note;
pub use search::{Audience, FoundTalent, MatchSignal, Place, RateRange, Sought, TalentQuery};
pub use section::{Contents, SectionKind};
pub use words::{SkillKey, TextQuery};
