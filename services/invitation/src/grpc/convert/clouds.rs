//! Talent clouds and their members.

use vouch_primitives::{ClientId, TalentCloudId};
use vouch_proto::{
    Fields, Violations,
    convert::to_wire_time,
    invitation::v1::{self as pb, talent_cloud_member::State as WireState},
};

use super::{FindTalent, Id, states};
use crate::{
    app::{
        clouds::{CreateTalentCloud, ListMembers, ListTalentClouds, RenameTalentCloud, Vouched},
        members::{AddMember, MemberOf, SetPriority},
    },
    domain::{
        Member, MemberState, TalentCloud,
        cloud::{CLOUD_NAME_LENGTH, PRIORITIES},
    },
};

impl TryFrom<pb::CreateTalentCloudRequest> for CreateTalentCloud {
    type Error = Violations;

    fn try_from(request: pb::CreateTalentCloudRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let name = fields.line("name", &request.name, CLOUD_NAME_LENGTH);
        let (Some(client_id), Some(name)) = (client_id, name) else {
            return Err(fields.into());
        };
        fields.finish(Self { client_id, name })
    }
}

impl TryFrom<pb::RenameTalentCloudRequest> for RenameTalentCloud {
    type Error = Violations;

    fn try_from(request: pb::RenameTalentCloudRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("talent_cloud_id", &request.talent_cloud_id);
        let name = fields.line("name", &request.name, CLOUD_NAME_LENGTH);
        let (Some(id), Some(name)) = (id, name) else {
            return Err(fields.into());
        };
        fields.finish(Self { id, name })
    }
}

impl TryFrom<pb::ListTalentCloudsRequest> for ListTalentClouds {
    type Error = Violations;

    fn try_from(request: pb::ListTalentCloudsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(client_id), Some(page)) = (client_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            client_id,
            include_archived: request.include_archived,
            page,
        })
    }
}

impl TryFrom<pb::GetTalentCloudRequest> for Id<TalentCloudId> {
    type Error = Violations;

    fn try_from(request: pb::GetTalentCloudRequest) -> Result<Self, Violations> {
        cloud_id(&request.talent_cloud_id)
    }
}

impl TryFrom<pb::ArchiveTalentCloudRequest> for Id<TalentCloudId> {
    type Error = Violations;

    fn try_from(request: pb::ArchiveTalentCloudRequest) -> Result<Self, Violations> {
        cloud_id(&request.talent_cloud_id)
    }
}

fn cloud_id(text: &str) -> Result<Id<TalentCloudId>, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("talent_cloud_id", text);
    id.map(Id).ok_or_else(|| fields.into())
}

impl TryFrom<pb::AddTalentCloudMemberRequest> for AddMember {
    type Error = Violations;

    fn try_from(request: pb::AddTalentCloudMemberRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let cloud_id = fields.id("talent_cloud_id", &request.talent_cloud_id);
        let invitation_id = fields.id("invitation_id", &request.invitation_id);
        let (Some(cloud_id), Some(invitation_id)) = (cloud_id, invitation_id) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            cloud_id,
            invitation_id,
        })
    }
}

impl TryFrom<pb::SetTalentCloudMemberPriorityRequest> for SetPriority {
    type Error = Violations;

    fn try_from(request: pb::SetTalentCloudMemberPriorityRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let member = member_of(&mut fields, &request.talent_cloud_id, &request.member_id);
        let priority = request.priority;
        if !PRIORITIES.contains(&priority) {
            fields.refuse("priority", "OUT_OF_RANGE", "must be -1,000 to 1,000");
        }
        let Some(member) = member else {
            return Err(fields.into());
        };
        fields.finish(Self { member, priority })
    }
}

impl TryFrom<pb::RemoveTalentCloudMemberRequest> for MemberOf {
    type Error = Violations;

    fn try_from(request: pb::RemoveTalentCloudMemberRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let member = member_of(&mut fields, &request.talent_cloud_id, &request.member_id);
        member.ok_or_else(|| fields.into())
    }
}

fn member_of(fields: &mut Fields, cloud_id: &str, member_id: &str) -> Option<MemberOf> {
    let cloud_id = fields.id("talent_cloud_id", cloud_id);
    let member_id = fields.id("member_id", member_id);
    Some(MemberOf {
        cloud_id: cloud_id?,
        member_id: member_id?,
    })
}

impl TryFrom<pb::ListTalentCloudMembersRequest> for ListMembers {
    type Error = Violations;

    fn try_from(request: pb::ListTalentCloudMembersRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let cloud_id = fields.id("talent_cloud_id", &request.talent_cloud_id);
        let page = fields.page(request.page_size, &request.page_token);
        let states = states(&mut fields, &request.states, member_state);
        let (Some(cloud_id), Some(page)) = (cloud_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { cloud_id, states, page })
    }
}

impl TryFrom<pb::FindTalentRequest> for FindTalent {
    type Error = Violations;

    fn try_from(request: pb::FindTalentRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id: Option<ClientId> = fields.id("client_id", &request.client_id);
        let limit = fields.page_size(request.page_size);
        let (Some(client_id), Some(limit)) = (client_id, limit) else {
            return Err(fields.into());
        };
        fields.finish(Self { client_id, limit })
    }
}

const fn member_state(state: WireState) -> Option<MemberState> {
    match state {
        WireState::Unspecified => None,
        WireState::Invited => Some(MemberState::Invited),
        WireState::Onboarding => Some(MemberState::Onboarding),
        WireState::Ready => Some(MemberState::Ready),
        WireState::Removed => Some(MemberState::Removed),
    }
}

impl From<MemberState> for WireState {
    fn from(state: MemberState) -> Self {
        match state {
            MemberState::Invited => Self::Invited,
            MemberState::Onboarding => Self::Onboarding,
            MemberState::Ready => Self::Ready,
            MemberState::Removed => Self::Removed,
        }
    }
}

impl From<TalentCloud> for pb::TalentCloud {
    fn from(cloud: TalentCloud) -> Self {
        Self {
            id: cloud.id.to_string(),
            client_id: cloud.client_id.to_string(),
            name: cloud.name,
            create_time: Some(to_wire_time(cloud.created_at)),
            archive_time: cloud.archived_at.map(to_wire_time),
        }
    }
}

impl From<Vouched> for pb::TalentCloudMember {
    fn from(Vouched { member, recommended_by }: Vouched) -> Self {
        Self {
            recommended_by_person_id: recommended_by.map(|person| person.to_string()).unwrap_or_default(),
            ..member.into()
        }
    }
}

impl From<Member> for pb::TalentCloudMember {
    fn from(member: Member) -> Self {
        Self {
            id: member.id.to_string(),
            talent_cloud_id: member.cloud_id.to_string(),
            invitation_id: member.invitation_id.to_string(),
            person_id: member.person_id.map(|person| person.to_string()).unwrap_or_default(),
            state: WireState::from(member.state).into(),
            priority: member.priority,
            state_time: Some(to_wire_time(member.since)),
            recommended_by_person_id: String::new(),
        }
    }
}
