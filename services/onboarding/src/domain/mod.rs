//! The rules of onboarding, as types and functions. Pure: nothing here knows a clock, a database or the wire.
//!
//! | module | holds |
//! |---|---|
//! | [`profile`] | talent profiles: how far they are, and who finds them |
//! | [`section`] | what stands in the sections of a profile |
//! | [`search`] | finding talent: what is looked for, and the order of what is found |
//! | [`words`] | the words by which talent is found |
//! | [`person`] | one human with one login, and what they said of themselves |
//! | [`verification`] | mails that ask a person to show that an address is theirs |
//! | [`place`] | countries and time zones |
//! | [`acceptance`] | an acceptance of an invitation that is under way |
//! | [`agency`] | agencies and their listings |
//! | [`way`] | the four ways as one machine: which steps there are, and which are passed by |
//! | [`case`] | where one person stands on the way, and what each step makes of it |
//! | [`task`] | what has to be done and confirmed on the way |
//! | [`form`] | what a task asks for, and whether an answer gives it |
//! | [`template`] | where the tasks of a case come from |
//! | [`waiting`] | whom a case waits for, since when |
//! | [`document`] | files that people upload: names, types, quarantine |
//! | [`room`] | project rooms and their notes |
//! | [`quota`] | what is counted by the day |
//! | [`tax`] | tax forms on their way to payments |

pub mod acceptance;
pub mod agency;
pub mod case;
pub mod document;
pub mod form;
pub mod person;
pub mod place;
pub mod profile;
pub mod quota;
pub mod room;
pub mod search;
pub mod section;
pub mod task;
pub mod tax;
pub mod template;
pub mod verification;
pub mod waiting;
pub mod way;
pub mod words;

pub use acceptance::{
    Acceptance, InvalidLinkCookieId, InvalidReferralCode, LinkCookieId, Proof, ReferralCode, ReferralEvidence,
    TokenHash,
};
pub use agency::{Agency, Confirmed, Listing};
pub use case::{
    Brings, Case, Client, CloudEnd, Contract, ContractEnd, ContractStart, Decline, HiringManager, Lapsed, Membership,
    Moved, Offer, Plan, Refusal, State, Talent, TalentCloud,
};
pub use document::{
    ContentType, Document, DocumentRefusal, DocumentState, FileName, docx::ArchiveFault, sniffer::Unfit,
};
pub use form::{Answer, Form, Question, Submission};
pub use person::{
    AccountRefusal, BasicInformation, Closed, Closure, Contracts, EmailChange, Particulars, Person, Reopened, Verified,
};
pub use place::{CountryCode, InvalidCountry, InvalidTimeZone, TimeZone};
pub use profile::{Profile, ProfileKind, Refusal as ProfileRefusal, SectionState, Visibility};
pub use quota::Counted;
pub use room::{Author, Note};
pub use search::{Audience, FoundTalent, MatchSignal, Place, RateRange, Sought, TalentQuery};
pub use section::{Contents, SectionKind};
pub use task::{Owner, Task, TaskRefusal, TaskState};
pub use tax::TaxInformation;
pub use template::{Selector, TaskTemplate};
pub use verification::{EmailHash, Verification};
pub use waiting::{Waiting, waiting};
pub use way::{Facts, Step, Way};
pub use words::{SkillKey, TextQuery};
