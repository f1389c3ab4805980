//! Projects, links to them, and whom talent recommends.

use vouch_primitives::ProjectId;
use vouch_proto::{
    Fields, Violations,
    common::v1 as common,
    convert::to_wire_time,
    invitation::v1::{self as pb, project::State as WireState, recommendation::Occasion as WireOccasion},
    terms::contract_terms,
};

use super::{Id, address_of, contact, states};
use crate::{
    app::{
        projects::{CreateProject, FindWork, ListProjects, UpdateProject},
        recommending::{ListRecommendations, RecommendTalent, ShareProject},
    },
    domain::{
        Occasion, PayKind, Project, ProjectState, Recommendation, RecommendedTalent, Skills, WorkQuery,
        invitation::PERSONAL_MESSAGE_LENGTH,
        project::{MOST_SKILLS, QUERY_LENGTH, SKILL_LENGTH, Says},
        recommendation::SOURCE_LENGTH,
    },
};

/// How many words can be looked for; those after them do not matter.
const MOST_WORDS: usize = 10;

impl TryFrom<pb::CreateProjectRequest> for CreateProject {
    type Error = Violations;

    fn try_from(request: pb::CreateProjectRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let says = says(
            &mut fields,
            request.terms.as_ref(),
            &request.skills,
            &request.talent_cloud_id,
        );
        let (Some(client_id), Some(says)) = (client_id, says) else {
            return Err(fields.into());
        };
        fields.finish(Self { client_id, says })
    }
}

impl TryFrom<pb::UpdateProjectRequest> for UpdateProject {
    type Error = Violations;

    fn try_from(request: pb::UpdateProjectRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("project_id", &request.project_id);
        let says = says(
            &mut fields,
            request.terms.as_ref(),
            &request.skills,
            &request.talent_cloud_id,
        );
        let (Some(id), Some(says)) = (id, says) else {
            return Err(fields.into());
        };
        fields.finish(Self { id, says })
    }
}

fn says(fields: &mut Fields, terms: Option<&common::ContractTerms>, names: &[String], cloud_id: &str) -> Option<Says> {
    let terms = match terms {
        Some(terms) => fields.within("terms", |fields| contract_terms(fields, terms)),
        None => {
            fields.refuse("terms", "REQUIRED", "is required");
            None
        }
    };
    let skills = skills(fields, names);
    let cloud_id = fields.id_if_set("talent_cloud_id", cloud_id);
    Some(Says {
        terms: terms?,
        skills,
        cloud_id: cloud_id?,
    })
}

fn skills(fields: &mut Fields, names: &[String]) -> Skills {
    if names.len() > MOST_SKILLS {
        fields.refuse("skills", "TOO_LONG", format!("must be at most {MOST_SKILLS}"));
    }
    let mut read = Vec::new();
    for (at, name) in names.iter().take(MOST_SKILLS).enumerate() {
        read.extend(fields.line(&format!("skills[{at}]"), name, SKILL_LENGTH));
    }
    Skills::new(read)
}

fn project_id(text: &str) -> Result<Id<ProjectId>, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("project_id", text);
    id.map(Id).ok_or_else(|| fields.into())
}

impl TryFrom<pb::PublishProjectRequest> for Id<ProjectId> {
    type Error = Violations;

    fn try_from(request: pb::PublishProjectRequest) -> Result<Self, Violations> {
        project_id(&request.project_id)
    }
}

impl TryFrom<pb::CloseProjectRequest> for Id<ProjectId> {
    type Error = Violations;

    fn try_from(request: pb::CloseProjectRequest) -> Result<Self, Violations> {
        project_id(&request.project_id)
    }
}

impl TryFrom<pb::GetProjectRequest> for Id<ProjectId> {
    type Error = Violations;

    fn try_from(request: pb::GetProjectRequest) -> Result<Self, Violations> {
        project_id(&request.project_id)
    }
}

impl TryFrom<pb::ViewProjectRequest> for Id<ProjectId> {
    type Error = Violations;

    fn try_from(request: pb::ViewProjectRequest) -> Result<Self, Violations> {
        project_id(&request.project_id)
    }
}

impl TryFrom<pb::ListProjectsRequest> for ListProjects {
    type Error = Violations;

    fn try_from(request: pb::ListProjectsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let page = fields.page(request.page_size, &request.page_token);
        let states = states(&mut fields, &request.states, project_state);
        let (Some(client_id), Some(page)) = (client_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            client_id,
            states,
            page,
        })
    }
}

impl TryFrom<pb::FindWorkRequest> for FindWork {
    type Error = Violations;

    fn try_from(request: pb::FindWorkRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let person_id = fields.id("person_id", &request.person_id);
        let words = fields.text("query", &request.query, QUERY_LENGTH);
        let skills = skills(&mut fields, &request.skills);
        let pay = match pb::PayKind::try_from(request.pay_kind) {
            Ok(pb::PayKind::Unspecified) => None,
            Ok(pb::PayKind::Hourly) => Some(PayKind::Hourly),
            Ok(pb::PayKind::Fixed) => Some(PayKind::Fixed),
            Err(_) => {
                fields.refuse("pay_kind", "OUT_OF_RANGE", "must be a kind that there is");
                None
            }
        };
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(person_id), Some(words), Some(page)) = (person_id, words, page) else {
            return Err(fields.into());
        };
        let words = words.split_whitespace().take(MOST_WORDS).map(str::to_lowercase);
        let wanted = WorkQuery {
            person_id,
            words: words.collect(),
            skills,
            pay,
        };
        fields.finish(Self { wanted, page })
    }
}

impl TryFrom<pb::ShareProjectRequest> for ShareProject {
    type Error = Violations;

    fn try_from(request: pb::ShareProjectRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let project_id = fields.id("project_id", &request.project_id);
        let person_id = fields.id("person_id", &request.person_id);
        let source = fields.line("source", &request.source, SOURCE_LENGTH);
        let (Some(project_id), Some(person_id), Some(source)) = (project_id, person_id, source) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            project_id,
            person_id,
            source,
        })
    }
}

impl TryFrom<pb::RecommendTalentRequest> for RecommendTalent {
    type Error = Violations;

    fn try_from(request: pb::RecommendTalentRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let occasion = match (request.project_id.as_str(), request.invitation_id.as_str()) {
            ("", "") => {
                fields.refuse("project_id", "REQUIRED", "is required, or invitation_id");
                None
            }
            (project, "") => fields.id("project_id", project).map(Occasion::Project),
            ("", invitation) => fields.id("invitation_id", invitation).map(Occasion::Invitation),
            (_, _) => {
                fields.refuse("invitation_id", "OUT_OF_RANGE", "must be empty beside project_id");
                None
            }
        };
        let person_id = fields.id("person_id", &request.person_id);
        let talent = match &request.talent {
            Some(wire) => fields.within("talent", |fields| recommended(fields, wire)),
            None => {
                fields.refuse("talent", "REQUIRED", "is required");
                None
            }
        };
        let (Some(occasion), Some(person_id), Some(talent)) = (occasion, person_id, talent) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            occasion,
            person_id,
            talent,
        })
    }
}

/// Whom talent recommends; `None` if a violation was noted.
pub(super) fn recommended(fields: &mut Fields, wire: &pb::RecommendedTalent) -> Option<RecommendedTalent> {
    let contact = contact(fields, ("email", &wire.email), ("name", &wire.name));
    let message = fields.text("message", &wire.message, PERSONAL_MESSAGE_LENGTH);
    Some(RecommendedTalent {
        contact: contact?,
        message: message?,
    })
}

impl TryFrom<pb::ListRecommendationsRequest> for ListRecommendations {
    type Error = Violations;

    fn try_from(request: pb::ListRecommendationsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(client_id), Some(page)) = (client_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { client_id, page })
    }
}

const fn project_state(state: WireState) -> Option<ProjectState> {
    match state {
        WireState::Unspecified => None,
        WireState::Draft => Some(ProjectState::Draft),
        WireState::Published => Some(ProjectState::Published),
        WireState::Closed => Some(ProjectState::Closed),
    }
}

impl From<ProjectState> for WireState {
    fn from(state: ProjectState) -> Self {
        match state {
            ProjectState::Draft => Self::Draft,
            ProjectState::Published => Self::Published,
            ProjectState::Closed => Self::Closed,
        }
    }
}

impl From<Project> for pb::Project {
    fn from(project: Project) -> Self {
        let Says {
            terms,
            skills,
            cloud_id,
        } = project.says;
        Self {
            id: project.id.to_string(),
            client_id: project.client_id.to_string(),
            company_name: project.company_name,
            terms: Some((&terms).into()),
            skills: skills.names().map(str::to_owned).collect(),
            talent_cloud_id: cloud_id.map(|cloud| cloud.to_string()).unwrap_or_default(),
            state: WireState::from(project.state).into(),
            create_time: Some(to_wire_time(project.created_at)),
            publish_time: project.published_at.map(to_wire_time),
            close_time: project.closed_at.map(to_wire_time),
        }
    }
}

impl From<Recommendation> for pb::Recommendation {
    fn from(recommendation: Recommendation) -> Self {
        let RecommendedTalent { contact, message } = recommendation.talent;
        let person = recommendation.person_id;
        Self {
            id: recommendation.id.to_string(),
            client_id: recommendation.client_id.to_string(),
            occasion: Some(match recommendation.occasion {
                Occasion::Invitation(invitation) => WireOccasion::InvitationId(invitation.to_string()),
                Occasion::Project(project) => WireOccasion::ProjectId(project.to_string()),
            }),
            person_id: person.map(|person| person.to_string()).unwrap_or_default(),
            talent: Some(pb::RecommendedTalent {
                email: address_of(&contact),
                name: contact.name,
                message,
            }),
            recommend_time: Some(to_wire_time(recommendation.recommended_at)),
        }
    }
}
