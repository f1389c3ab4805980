//! Who brings whom: links to projects that people share [R10, R30], referrers and those they vouched for [R20], and talent
//! that recommends somebody instead of themselves [R31].

use std::ops::RangeInclusive;

use vouch_primitives::{
    ClientId, InvitationId, PersonId, ProjectId, ProjectShareId, RecommendationId, ReferrerId, Timestamp,
};

use super::Recipient;

/// How long the name of the place may be where a link is shared, in characters.
pub const SOURCE_LENGTH: RangeInclusive<usize> = 0..=50;

/// A link to a project that somebody shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its id.
    pub id: ProjectShareId,
    /// What is shared.
    pub project_id: ProjectId,
    /// Who shares it.
    pub person_id: PersonId,
    /// Where; may be empty.
    pub source: String,
    /// The sharer's referral code.
    pub code: String,
}

/// Who vouches for others, as the referral service tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// The referrer.
    pub id: ReferrerId,
    /// Who that is.
    pub person_id: PersonId,
    /// The code.
    pub code: String,
}

/// For whom a referrer vouched when they joined, as the referral service tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Referee {
    /// Who joined.
    pub person_id: PersonId,
    /// Who vouched.
    pub referrer_id: ReferrerId,
}

/// Somebody whom talent has recommended instead of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// Its id.
    pub id: RecommendationId,
    /// To whom.
    pub client_id: ClientId,
    /// On which occasion.
    pub occasion: Occasion,
    /// Who recommends, if that is known.
    pub person_id: Option<PersonId>,
    /// Whom.
    pub talent: RecommendedTalent,
    /// When.
    pub recommended_at: Timestamp,
}

/// On which occasion somebody is recommended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// An invitation is declined, or the offer that it brought.
    Invitation(InvitationId),
    /// For a project.
    Project(ProjectId),
}

/// Whom talent recommends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecommendedTalent {
    /// Name and address.
    pub contact: Recipient,
    /// Why they would do; may be empty.
    pub message: String,
}
