//! The rules of invitations, as types and functions. Pure: nothing here knows a clock, a database or the wire.
//!
//! | module | holds |
//! |---|---|
//! | [`client`] | the companies that hire, their plans and hiring managers |
//! | [`terms`] | what a contract invitation offers |
//! | [`selection`] | which invitations are listed, and in which order |
//! | [`invitation`] | an invitation and its life: pending, accepted, declined, withdrawn or expired |

pub mod client;
pub mod invitation;
pub mod selection;
pub mod terms;

pub use client::{Client, HiringManager, Plan};
pub use invitation::{
    Acceptance, Accepted, Decline, Hire, Invitation, Proof, Recipient, Refusal, State, TalentType, TokenHash,
};
pub use selection::{Filter, Order, Stage};
pub use terms::{ContractTerms, FixedPay, HourlyPay, MilestoneTerms, Pay, PayError, Schedule};
