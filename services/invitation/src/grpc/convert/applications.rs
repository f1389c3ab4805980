//! Applications.

use vouch_primitives::{ApplicationId, PersonId};
use vouch_proto::{
    Fields, Violations,
    convert::to_wire_time,
    invitation::v1::{self as pb, application::State as WireState},
    terms::contract_terms,
};

use super::{Id, address_of, contact, states};
use crate::{
    app::applications::{Apply, DeclineApplication, ListApplications, OfferToApplicant},
    domain::{
        Applicant, Application, ApplicationStage, ApplicationState, Whose,
        application::APPLICATION_LENGTH,
        invitation::{DECLINE_REASON_LENGTH, PERSONAL_MESSAGE_LENGTH},
    },
};

impl TryFrom<pb::ApplyRequest> for Apply {
    type Error = Violations;

    fn try_from(request: pb::ApplyRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let project_id = fields.id("project_id", &request.project_id);
        let person_id = fields.id("person_id", &request.person_id);
        let contact = contact(
            &mut fields,
            ("contact_email", &request.contact_email),
            ("applicant_name", &request.applicant_name),
        );
        let message = fields.text("message", &request.message, APPLICATION_LENGTH);
        let share_id = fields.id_if_set("share_id", &request.share_id);
        let (Some(project_id), Some(person_id), Some(share_id)) = (project_id, person_id, share_id) else {
            return Err(fields.into());
        };
        let (Some(contact), Some(message)) = (contact, message) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            project_id,
            person_id,
            applicant: Applicant { contact, message },
            share_id,
        })
    }
}

fn application_id(text: &str) -> Result<Id<ApplicationId>, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("application_id", text);
    id.map(Id).ok_or_else(|| fields.into())
}

impl TryFrom<pb::GetApplicationRequest> for Id<ApplicationId> {
    type Error = Violations;

    fn try_from(request: pb::GetApplicationRequest) -> Result<Self, Violations> {
        application_id(&request.application_id)
    }
}

impl TryFrom<pb::WithdrawApplicationRequest> for Id<ApplicationId> {
    type Error = Violations;

    fn try_from(request: pb::WithdrawApplicationRequest) -> Result<Self, Violations> {
        application_id(&request.application_id)
    }
}

impl TryFrom<pb::DeclineApplicationRequest> for DeclineApplication {
    type Error = Violations;

    fn try_from(request: pb::DeclineApplicationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("application_id", &request.application_id);
        let reason = fields.text("reason", &request.reason, DECLINE_REASON_LENGTH);
        let (Some(id), Some(reason)) = (id, reason) else {
            return Err(fields.into());
        };
        fields.finish(Self { id, reason })
    }
}

impl TryFrom<pb::OfferToApplicantRequest> for OfferToApplicant {
    type Error = Violations;

    fn try_from(request: pb::OfferToApplicantRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("application_id", &request.application_id);
        let hiring_manager_id = fields.id_if_set("hiring_manager_id", &request.hiring_manager_id);
        let terms = match &request.terms {
            Some(terms) => fields.within("terms", |fields| contract_terms(fields, terms)).map(Some),
            None => Some(None),
        };
        let personal_message = fields.text("personal_message", &request.personal_message, PERSONAL_MESSAGE_LENGTH);
        let (Some(id), Some(hiring_manager_id)) = (id, hiring_manager_id) else {
            return Err(fields.into());
        };
        let (Some(terms), Some(personal_message)) = (terms, personal_message) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            id,
            hiring_manager_id,
            terms,
            personal_message,
        })
    }
}

impl TryFrom<pb::ListApplicationsRequest> for ListApplications {
    type Error = Violations;

    fn try_from(request: pb::ListApplicationsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let project_id = fields.id("project_id", &request.project_id);
        let stages = states(&mut fields, &request.states, stage);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(project_id), Some(page)) = (project_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            whose: Whose::Project(project_id),
            stages,
            recommended_only: request.recommended_only,
            page,
        })
    }
}

impl TryFrom<pb::ListOwnApplicationsRequest> for ListApplications {
    type Error = Violations;

    fn try_from(request: pb::ListOwnApplicationsRequest) -> Result<Self, Violations> {
        let pb::ListOwnApplicationsRequest {
            person_id,
            page_size,
            page_token,
        } = request;
        of_somebody(Whose::Person, &person_id, page_size, &page_token)
    }
}

impl TryFrom<pb::ListReferredApplicationsRequest> for ListApplications {
    type Error = Violations;

    fn try_from(request: pb::ListReferredApplicationsRequest) -> Result<Self, Violations> {
        let pb::ListReferredApplicationsRequest {
            person_id,
            page_size,
            page_token,
        } = request;
        of_somebody(Whose::RecommendedBy, &person_id, page_size, &page_token)
    }
}

fn of_somebody(
    whose: fn(PersonId) -> Whose,
    person_id: &str,
    page_size: u32,
    page_token: &str,
) -> Result<ListApplications, Violations> {
    let mut fields = Fields::new();
    let person_id = fields.id("person_id", person_id);
    let page = fields.page(page_size, page_token);
    let (Some(person_id), Some(page)) = (person_id, page) else {
        return Err(fields.into());
    };
    fields.finish(ListApplications {
        whose: whose(person_id),
        stages: Vec::new(),
        recommended_only: false,
        page,
    })
}

const fn stage(state: WireState) -> Option<ApplicationStage> {
    match state {
        WireState::Unspecified => None,
        WireState::Submitted => Some(ApplicationStage::Submitted),
        WireState::Offered => Some(ApplicationStage::Offered),
        WireState::Hired => Some(ApplicationStage::Hired),
        WireState::Declined => Some(ApplicationStage::Declined),
        WireState::Withdrawn => Some(ApplicationStage::Withdrawn),
    }
}

impl From<ApplicationStage> for WireState {
    fn from(stage: ApplicationStage) -> Self {
        match stage {
            ApplicationStage::Submitted => Self::Submitted,
            ApplicationStage::Offered => Self::Offered,
            ApplicationStage::Hired => Self::Hired,
            ApplicationStage::Declined => Self::Declined,
            ApplicationStage::Withdrawn => Self::Withdrawn,
        }
    }
}

impl From<Application> for pb::Application {
    fn from(application: Application) -> Self {
        let Applicant { contact, message } = application.applicant;
        let recommended_by = application.recommended_by;
        Self {
            id: application.id.to_string(),
            project_id: application.project_id.to_string(),
            client_id: application.client_id.to_string(),
            person_id: application.person_id.to_string(),
            contact_email: address_of(&contact),
            applicant_name: contact.name,
            message,
            recommended_by_person_id: recommended_by.map(|person| person.to_string()).unwrap_or_default(),
            state: WireState::from(application.state.stage()).into(),
            invitation_id: application
                .state
                .offer()
                .map(|offer| offer.to_string())
                .unwrap_or_default(),
            decline_reason: match application.state {
                ApplicationState::Declined(reason) => reason,
                _ => String::new(),
            },
            apply_time: Some(to_wire_time(application.applied_at)),
            state_time: Some(to_wire_time(application.since)),
        }
    }
}

/// What whoever recommended the applicant may know.
impl From<Application> for pb::ReferredApplication {
    fn from(application: Application) -> Self {
        Self {
            application_id: application.id.to_string(),
            project_id: application.project_id.to_string(),
            person_id: application.person_id.to_string(),
            state: WireState::from(application.state.stage()).into(),
            apply_time: Some(to_wire_time(application.applied_at)),
            state_time: Some(to_wire_time(application.since)),
        }
    }
}
