//! Talent clouds: a client's private groups of talent, who hear first of its next projects [B10, B45].

use std::ops::RangeInclusive;

use vouch_primitives::{ClientId, InvitationId, PersonId, TalentCloudId, TalentCloudMemberId, Timestamp};

/// How long the name of a talent cloud may be, in characters.
pub const CLOUD_NAME_LENGTH: RangeInclusive<usize> = 1..=200;
/// Between which bounds a client orders its members.
pub const PRIORITIES: RangeInclusive<i32> = -1_000..=1_000;

/// A client's private group of talent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TalentCloud {
    /// Its id.
    pub id: TalentCloudId,
    /// Whose it is.
    pub client_id: ClientId,
    /// Its name, as invited people read it; no other cloud of the client has it.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Since when nobody is invited to it or found in it any more.
    pub archived_at: Option<Timestamp>,
}

/// Somebody in a talent cloud, or invited to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member's id.
    pub id: TalentCloudMemberId,
    /// In which talent cloud.
    pub cloud_id: TalentCloudId,
    /// The invitation that brought them.
    pub invitation_id: InvitationId,
    /// Who it is, once that is known.
    pub person_id: Option<PersonId>,
    /// How far they have come.
    pub state: MemberState,
    /// Higher ones are found first.
    pub priority: i32,
    /// Since when the state has been so.
    pub since: Timestamp,
}

/// How far somebody has come on the way into a talent cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MemberState {
    /// Invited, and has not answered.
    Invited,
    /// Has accepted, and is being onboarded.
    Onboarding,
    /// Can work when the next project is available [B45].
    Ready,
    /// Is not in it any more: removed, or the invitation came to nothing.
    Removed,
}
