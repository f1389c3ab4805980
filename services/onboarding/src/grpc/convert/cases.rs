//! Cases, offers, and project rooms.

use vouch_primitives::{CaseId, PersonId};
use vouch_proto::{Fields, Violations, convert::to_wire_time, onboarding::v1 as pb};

use super::{Id, ListNotes};
use crate::{
    app::{
        acceptances::OpenCase,
        cases::{AcceptOffer, CaseFile, DeclineOffer, Home, OpenInvitation, ReviewContract},
    },
    domain::{
        Note, State,
        case::{MESSAGE_LENGTH, REASON_LENGTH},
    },
};

impl TryFrom<pb::GetHomeRequest> for Id<PersonId> {
    type Error = Violations;

    fn try_from(request: pb::GetHomeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("person_id", &request.person_id);
        id.map(Id).ok_or_else(|| fields.into())
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
        let (Some(person_id), Some(invitation_id)) = (person_id, invitation_id) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            person_id,
            invitation_id,
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
        fields.finish(Self { case_id })
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
    fn from(CaseFile { case, terms }: CaseFile) -> Self {
        let (contract, decline) = match &case.state {
            State::Accepted(contract) => (Some(*contract), None),
            State::Declined(decline) => (None, Some(decline)),
            State::ReviewContract | State::AcceptOffer | State::Lapsed => (None, None),
        };
        let offer = pb::Offer {
            id: case.offer.id.to_string(),
            company_name: case.client.company_name,
            hiring_manager_name: case.client.hiring_manager.display_name,
            contract_terms: Some(terms),
            lapse_time: Some(to_wire_time(case.offer.lapses_at)),
            accept_time: contract.map(|contract| to_wire_time(contract.accepted_at)),
            contract_id: contract.map_or_else(String::new, |contract| contract.id.to_string()),
            room_id: contract.map_or_else(String::new, |contract| contract.room_id.to_string()),
            contract_start_time: contract.and_then(|contract| contract.started_at).map(to_wire_time),
            decline_time: decline.map(|decline| to_wire_time(decline.declined_at)),
            decline_reason: decline.map(|decline| decline.reason.clone()).unwrap_or_default(),
        };
        Self {
            id: case.id.to_string(),
            person_id: case.person_id.to_string(),
            account_id: case.account_id.to_string(),
            invitation_id: case.invitation_id.to_string(),
            client_id: case.client.id.to_string(),
            state: state(&case.state).into(),
            offer: Some(offer),
            create_time: Some(to_wire_time(case.opened_at)),
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
    fn from(invitation: OpenInvitation) -> Self {
        Self {
            invitation_id: invitation.id.to_string(),
            company_name: invitation.company_name,
            contract_terms: Some(invitation.terms),
            expire_time: Some(to_wire_time(invitation.expires_at)),
        }
    }
}

impl From<Note> for pb::Note {
    fn from(note: Note) -> Self {
        Self {
            id: note.id.to_string(),
            person_id: note.person_id.to_string(),
            text: note.text,
            create_time: Some(to_wire_time(note.created_at)),
        }
    }
}

const fn state(state: &State) -> pb::case::State {
    match state {
        State::ReviewContract => pb::case::State::ReviewContract,
        State::AcceptOffer => pb::case::State::AcceptOffer,
        State::Accepted(_) => pb::case::State::Accepted,
        State::Lapsed => pb::case::State::Lapsed,
        State::Declined(_) => pb::case::State::Declined,
    }
}
