//! The rules of the referral programme, as types and functions. Pure: no database, no wire, no clock.

pub mod account;
pub mod code;
pub mod kind;
pub mod link;
pub mod programme;
pub mod terms;
pub mod vanity;

pub use account::Party;
pub use code::ReferralCode;
pub use kind::ReferralKind;
pub use link::{MOST_LINKS, ReferralLink, Scope};
pub use programme::{BonusState, Movement, Release, Reward, RewardKind, Tie};
pub use terms::Terms;
pub use vanity::{InvalidVanity, Mistyped, TypedCode, VanityCode};

#[cfg(test)]
mod programme_tests;
