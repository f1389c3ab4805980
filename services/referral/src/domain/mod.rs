//! The rules of the referral programme, as types and functions. Pure: no database, no wire, no clock.

pub mod account;
pub mod code;
pub mod evidence;
pub mod kind;
pub mod link;
pub mod programme;
pub mod referral_invitation;
pub mod signal;
pub mod terms;
pub mod touch;
pub mod vanity;

pub use account::Party;
pub use code::ReferralCode;
pub use evidence::{Evidence, EvidenceSort, Invited, Means, Verdict, Voucher, judge};
pub use kind::ReferralKind;
pub use link::{MOST_LINKS, ReferralLink, Scope};
pub use programme::{BonusState, Movement, Release, Reward, RewardKind, Tie};
pub use referral_invitation::{AddressHash, ReferralInvitation, Stage, TokenHash, Words};
pub use signal::{Signal, SignalError, SignalKind, SignalState};
pub use terms::Terms;
pub use touch::{TouchCounts, TouchLimits};
pub use vanity::{InvalidVanity, Mistyped, TypedCode, VanityCode};

#[cfg(test)]
mod programme_tests;
