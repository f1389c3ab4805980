//! The rules of invitations, as types and functions. Pure: nothing here knows a clock, a database or the wire.
//!
//! | module | holds |
//! |---|---|
//! | [`client`] | the companies that hire, their plans and hiring managers |
//! | [`cloud`] | talent clouds and their members |
//! | [`project`] | work that clients have to give |
//! | [`application`] | who asks for that work, and what becomes of it |
//! | [`recommendation`] | who brings whom: shared links, referrers, talent that recommends others |
//! | [`draft`] | an invitation that is to be sent, and why it may not be |
//! | [`limits`] | how many may be sent |
//! | [`suppression`] | addresses that get nothing, and those that have accounts |
//! | [`selection`] | which invitations are listed, and in which order |
//! | [`invitation`] | an invitation of one of four types and its life |
//! | [`state`] | where it stands: pending, accepted, declined, withdrawn or expired |

pub mod application;
pub mod client;
pub mod cloud;
pub mod draft;
pub mod invitation;
pub mod limits;
pub mod project;
pub mod recommendation;
pub mod selection;
pub mod state;
pub mod suppression;

pub use application::{Answered, Applicant, Application, ApplicationStage, ApplicationState, Whose};
pub use client::{Client, HiringManager, Plan};
pub use cloud::{Member, MemberState, TalentCloud};
pub use draft::{Draft, DraftContent, Unsendable};
pub use invitation::{Branch, Content, Invitation, InvitedCloud, Recipient, TalentType};
pub use limits::{Limit, Limits};
pub use project::{PayKind, Project, ProjectClosed, ProjectState, Skills, WorkQuery};
pub use recommendation::{Occasion, Recommendation, RecommendedTalent, Referee, Referrer, Share};
pub use selection::{Change, Filter, Order, Stage};
pub use state::{Acceptance, Accepted, Decline, Hire, OfferEnd, Proof, Refusal, State, TokenHash};
pub use suppression::{AccountAddress, AddressHash, Erasure, Suppression, SuppressionReason};
pub use vouch_primitives::terms::{ContractTerms, FixedPay, HourlyPay, MilestoneTerms, Pay, PayError, Schedule};
