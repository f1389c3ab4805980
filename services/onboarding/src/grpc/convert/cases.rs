//! Cases, offers, and project rooms.

use vouch_mail::Token;
use vouch_primitives::CaseId;
use vouch_proto::{
    Fields, Violations, common::v1::ContractTerms, convert::to_wire_time, invitation::v1 as invitation,
    onboarding::v1 as pb, terms::contract_terms,
};

use super::{Id, ListNotes, accounts::TOKEN_LENGTH, agency_name};
use crate::{
    app::{
        acceptances::OpenCase,
        agencies::{AcceptAgencyInvitation, ResendAgencyInvitation},
        cases::{CaseFile, LeaveProfile, ListCases},
        home::{GetHome, Home, OpenInvitation},
        offers::{AcceptOffer, ChangeOffer, DeclineOffer, ReviewContract},
        rooms::PostNote,
    },
    domain::{
        Author, Brings, Case, Note, State, Step, TalentCloud, Task, Waiting, Way,
        case::{MESSAGE_LENGTH, REASON_LENGTH},
        waiting,
    },
};

impl TryFrom<pb::GetHomeRequest> for GetHome {
    type Error = Violations;

    fn try_from(request: pb::GetHomeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let person_id = fields.id("person_id", &request.person_id);
        let agency = fields.id_if_set("account_id", &request.account_id);
        let (Some(person_id), Some(agency)) = (person_id, agency) else {
            return Err(fields.into());
        };
        fields.finish(Self { person_id, agency })
    }
}

impl TryFrom<pb::ListCasesRequest> for ListCases {
    type Error = Violations;

    fn try_from(request: pb::ListCasesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        if request.person_id.is_empty() && request.client_id.is_empty() {
            fields.refuse("person_id", "REQUIRED", "is required, or client_id");
        }
        let person_id = fields.id_if_set("person_id", &request.person_id);
        let client_id = fields.id_if_set("client_id", &request.client_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(person_id), Some(client_id), Some(page)) = (person_id, client_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            person_id,
            client_id,
            page,
        })
    }
}

impl TryFrom<pb::LeaveProfileRequest> for LeaveProfile {
    type Error = Violations;

    fn try_from(request: pb::LeaveProfileRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(case_id) = fields.id("case_id", &request.case_id) else {
            return Err(fields.into());
        };
        fields.finish(Self { case_id })
    }
}

impl TryFrom<pb::ResendAgencyInvitationRequest> for ResendAgencyInvitation {
    type Error = Violations;

    fn try_from(request: pb::ResendAgencyInvitationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(case_id) = fields.id("case_id", &request.case_id) else {
            return Err(fields.into());
        };
        fields.finish(Self { case_id })
    }
}

impl TryFrom<pb::AcceptAgencyInvitationRequest> for AcceptAgencyInvitation {
    type Error = Violations;

    fn try_from(request: pb::AcceptAgencyInvitationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let token = fields.line("token", &request.token, TOKEN_LENGTH);
        let Some(token) = token else { return Err(fields.into()) };
        let token = Token::from_link(token);
        fields.finish(Self { token })
    }
}

impl TryFrom<pb::PostNoteRequest> for PostNote {
    type Error = Violations;

    fn try_from(request: pb::PostNoteRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let room_id = fields.id("room_id", &request.room_id);
        let text = fields.text("text", &request.text, MESSAGE_LENGTH);
        let (Some(room_id), Some(text)) = (room_id, text) else {
            return Err(fields.into());
        };
        fields.finish(Self { room_id, text })
    }
}

impl TryFrom<pb::GetCaseRequest> for Id<CaseId> {
    type Error = Violations;

    fn try_from(request: pb::GetCaseRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("case_id", &request.case_id);
        id.map(Id).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::OpenCaseRequest> for OpenCase {
    type Error = Violations;

    fn try_from(request: pb::OpenCaseRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let person_id = fields.id("person_id", &request.person_id);
        let invitation_id = fields.id("invitation_id", &request.invitation_id);
        let agency = agency_name(&mut fields, &request.agency_name);
        let (Some(person_id), Some(invitation_id), Some(agency_name)) = (person_id, invitation_id, agency) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            person_id,
            invitation_id,
            agency_name,
        })
    }
}

impl TryFrom<pb::ReviewContractRequest> for ReviewContract {
    type Error = Violations;

    fn try_from(request: pb::ReviewContractRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(case_id) = fields.id("case_id", &request.case_id) else {
            return Err(fields.into());
        };
        // Who names no version has read the first.
        let version = request.offer_version.max(1);
        fields.finish(Self { case_id, version })
    }
}

impl TryFrom<pb::ChangeOfferRequest> for ChangeOffer {
    type Error = Violations;

    fn try_from(request: pb::ChangeOfferRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let case_id = fields.id("case_id", &request.case_id);
        let terms = match &request.contract_terms {
            Some(terms) => fields.within("contract_terms", |fields| contract_terms(fields, terms)),
            None => {
                fields.refuse("contract_terms", "REQUIRED", "is required");
                None
            }
        };
        let (Some(case_id), Some(terms)) = (case_id, terms) else {
            return Err(fields.into());
        };
        // Kept as everybody reads it: without what was cut off.
        let terms = (&terms).into();
        fields.finish(Self { case_id, terms })
    }
}

impl TryFrom<pb::AcceptOfferRequest> for AcceptOffer {
    type Error = Violations;

    fn try_from(request: pb::AcceptOfferRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let case_id = fields.id("case_id", &request.case_id);
        let message = fields.text("message", &request.message, MESSAGE_LENGTH);
        let (Some(case_id), Some(message)) = (case_id, message) else {
            return Err(fields.into());
        };
        fields.finish(Self { case_id, message })
    }
}

impl TryFrom<pb::DeclineOfferRequest> for DeclineOffer {
    type Error = Violations;

    fn try_from(request: pb::DeclineOfferRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let case_id = fields.id("case_id", &request.case_id);
        let reason = fields.text("reason", &request.reason, REASON_LENGTH);
        let (Some(case_id), Some(reason)) = (case_id, reason) else {
            return Err(fields.into());
        };
        fields.finish(Self { case_id, reason })
    }
}

impl TryFrom<pb::ListNotesRequest> for ListNotes {
    type Error = Violations;

    fn try_from(request: pb::ListNotesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let room_id = fields.id("room_id", &request.room_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(room_id), Some(page)) = (room_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { room_id, page })
    }
}

impl From<CaseFile> for pb::Case {
    fn from(CaseFile { case, terms, tasks }: CaseFile) -> Self {
        let count = |confirmed: usize| u32::try_from(confirmed).unwrap_or(u32::MAX);
        let mut wire = Self {
            id: case.id.to_string(),
            person_id: case.person_id.to_string(),
            account_id: case.account_id.to_string(),
            invitation_id: case.invitation_id.to_string(),
            client_id: case.client.id.to_string(),
            offer: offer(&case, terms),
            create_time: Some(to_wire_time(case.opened_at)),
            talent_cloud: cloud(&case),
            state_time: Some(to_wire_time(case.since)),
            leave_time: case.left_at.map(to_wire_time),
            waiting_for: waiting(&case, &tasks).into_iter().map(Into::into).collect(),
            task_count: count(tasks.len()),
            confirmed_task_count: count(tasks.iter().filter(|task| Task::is_confirmed(task)).count()),
            ..Self::default()
        };
        wire.set_state(state(&case.state));
        wire.set_way(way(case.way()));
        wire.set_client_plan(case.client.plan.into());
        wire.company_name = case.client.company_name;
        wire
    }
}

impl From<Waiting> for pb::Waiting {
    fn from(waiting: Waiting) -> Self {
        Self {
            owner: pb::TaskOwner::from(waiting.owner).into(),
            since_time: Some(to_wire_time(waiting.since)),
        }
    }
}

impl From<TalentCloud> for invitation::InvitedCloud {
    fn from(cloud: TalentCloud) -> Self {
        Self {
            id: cloud.id.to_string(),
            name: cloud.name,
        }
    }
}

impl From<Home> for pb::GetHomeResponse {
    fn from(home: Home) -> Self {
        use pb::get_home_response::NextStep;
        let next_step = match home {
            Home::VerifyEmail => NextStep::VerifyEmail(pb::VerifyEmailStep {}),
            Home::OpenCase(file) => NextStep::OpenCase((*file).into()),
            Home::OpenInvitation(invitation) => NextStep::OpenInvitation(invitation.into()),
            Home::OfferUnderYourName(waiting) => NextStep::OfferUnderYourName(pb::OfferUnderYourNameStep {
                display_name: waiting.display_name,
                case_id: waiting.case_id.map(|id| id.to_string()).unwrap_or_default(),
                invitation_id: waiting.invitation_id.to_string(),
            }),
            Home::NothingToDo => NextStep::NothingToDo(pb::NothingToDoStep {}),
            Home::AccountClosed(closed_at) => NextStep::AccountClosed(pb::AccountClosedStep {
                close_time: Some(to_wire_time(closed_at)),
            }),
        };
        Self {
            next_step: Some(next_step),
        }
    }
}

impl From<OpenInvitation> for pb::OpenInvitation {
    fn from(open: OpenInvitation) -> Self {
        Self {
            invitation_id: open.id.to_string(),
            contract_terms: open.terms().cloned(),
            expire_time: Some(to_wire_time(open.expires_at)),
            talent_type: invitation::TalentType::from(open.talent).into(),
            talent_cloud: open.cloud().cloned().map(Into::into),
            company_name: open.company_name,
        }
    }
}

impl From<Note> for pb::Note {
    fn from(note: Note) -> Self {
        let (person_id, client_id) = match note.author {
            Author::Talent(person) => (person.to_string(), String::new()),
            Author::Client(client) => (String::new(), client.to_string()),
        };
        Self {
            id: note.id.to_string(),
            person_id,
            text: note.text,
            create_time: Some(to_wire_time(note.created_at)),
            client_id,
        }
    }
}

fn offer(case: &Case, terms: Option<ContractTerms>) -> Option<pb::Offer> {
    let offer = case.offer()?;
    let (contract, decline) = match &case.state {
        State::Accepted(contract) => (Some(*contract), None),
        State::Declined(decline) => (None, Some(decline)),
        State::At(_) | State::Ready | State::Lapsed => (None, None),
    };
    Some(pb::Offer {
        id: offer.id.to_string(),
        company_name: case.client.company_name.clone(),
        hiring_manager_name: case.client.hiring_manager.display_name.clone(),
        contract_terms: terms,
        lapse_time: Some(to_wire_time(offer.lapses_at)),
        accept_time: contract.map(|contract| to_wire_time(contract.accepted_at)),
        contract_id: contract.map_or_else(String::new, |contract| contract.id.to_string()),
        room_id: contract.map_or_else(String::new, |contract| contract.room_id.to_string()),
        contract_start_time: contract.and_then(|contract| contract.started_at).map(to_wire_time),
        decline_time: decline.map(|decline| to_wire_time(decline.declined_at)),
        decline_reason: decline.map(|decline| decline.reason.clone()).unwrap_or_default(),
        version: offer.version,
    })
}

fn cloud(case: &Case) -> Option<invitation::InvitedCloud> {
    match &case.brings {
        Brings::TalentCloud(cloud) => Some(cloud.clone().into()),
        Brings::Contract(_) => None,
    }
}

const fn state(state: &State) -> pb::case::State {
    match state {
        State::At(Step::ReviewContract) => pb::case::State::ReviewContract,
        State::At(Step::BuildProfile) => pb::case::State::BuildProfile,
        State::At(Step::CompleteTasks) => pb::case::State::CompleteTasks,
        State::At(Step::ConfirmListing) => pb::case::State::ConfirmListing,
        State::At(Step::VerifyEmail) => pb::case::State::VerifyEmail,
        State::At(Step::AcceptOffer) => pb::case::State::AcceptOffer,
        State::Accepted(_) => pb::case::State::Accepted,
        State::Ready => pb::case::State::Ready,
        State::Lapsed => pb::case::State::Lapsed,
        State::Declined(_) => pb::case::State::Declined,
    }
}

const fn way(way: Way) -> pb::case::Way {
    match way {
        Way::FreelancerToContract => pb::case::Way::FreelancerToContract,
        Way::AgencyToContract => pb::case::Way::AgencyToContract,
        Way::FreelancerToCloud => pb::case::Way::FreelancerToCloud,
        Way::AgencyToCloud => pb::case::Way::AgencyToCloud,
    }
}
