//! The rules of the referral programme, as types and functions. Pure: no database, no wire, no clock.

pub mod account;
pub mod bond;
pub mod client_programme;
pub mod code;
pub mod evidence;
pub mod import;
pub mod kind;
pub mod link;
pub mod match_signal;
pub mod programme;
pub mod rebuild;
pub mod referral_invitation;
pub mod screening;
pub mod sign_up;
pub mod signal;
pub mod standing;
pub mod statement;
pub mod terms;
pub mod touch;
pub mod vanity;

pub use account::Party;
pub use bond::{Attribution, Bond, BonusState, Contract, Introduction};
pub use client_programme::{ClientProgramme, ClientProgrammeError, ClientReward, ClientTerms, Grant, RaiseError};
pub use code::ReferralCode;
pub use evidence::{Evidence, EvidenceSort, Invited, Means, Verdict, Voucher, judge};
pub use import::circle;
pub use kind::ReferralKind;
pub use link::{MOST_LINKS, ReferralLink, Scope};
pub use match_signal::{MatchFacts, MatchSignal};
pub use programme::{Excluded, Figures, Gate, Movement, Release, Reward, RewardKind, Tie};
pub use rebuild::{Difference, Facts};
pub use referral_invitation::{AddressHash, ReferralInvitation, Stage, TokenHash, Words};
pub use screening::{Screening, ScreeningCase, ScreeningError, ScreeningRule, ScreeningState};
pub use sign_up::{Fund, SignUp};
pub use signal::{Signal, SignalError, SignalKind, SignalState, Suspicion};
pub use standing::Standing;
pub use statement::{Booked, Period, StatedReward, StatementError, StatementLine, Sum};
pub use terms::{BonusBasis, Qualification, SignUpBonus, Terms, Unfit};
pub use touch::{TouchCounts, TouchLimits};
pub use vanity::{InvalidVanity, Mistyped, TypedCode, VanityCode};

#[cfg(test)]
mod programme_tests;
#[cfg(test)]
mod tests;
