//! The rules of the referral programme, as types and functions. Pure: no database, no wire, no clock.

pub mod code;
pub mod kind;
pub mod programme;
pub mod terms;

pub use code::ReferralCode;
pub use kind::ReferralKind;
pub use programme::{BonusState, Movement, Release, Reward, RewardKind, Tie};
pub use terms::Terms;

#[cfg(test)]
mod programme_tests;
