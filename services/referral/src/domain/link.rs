//! Links: where a referral is shared, and for what.

use vouch_primitives::{ClientId, ProjectId, ReferralLinkId, ReferrerId, Timestamp};

use super::ReferralKind;

/// How many links a referrer has at most.
pub const MOST_LINKS: u64 = 200;

/// Where a link leads [R30].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// To where people join.
    Everywhere,
    /// To a project.
    Project(ProjectId),
    /// To an employer.
    Employer(ClientId),
}

/// A link to be shared somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralLink {
    /// Its id.
    pub id: ReferralLinkId,
    /// Whose it is.
    pub referrer: ReferrerId,
    /// What type of referral comes of it: one that binds an attribution.
    pub kind: ReferralKind,
    /// Where it is shared; may be empty, but not where that is a third party's site.
    pub source: String,
    /// What it is shared for; may be empty.
    pub campaign: String,
    /// Where it leads.
    pub scope: Scope,
    /// When it was made.
    pub created_at: Timestamp,
}
