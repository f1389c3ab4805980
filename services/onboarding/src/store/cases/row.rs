//! Between the rows and the values.

use prost::Message;
use sea_orm::{NotSet, Set};
use vouch_primitives::{
    AccountId, CaseId, ClientId, ContractId, InvitationId, OfferId, PersonId, RoomId, TalentCloudId, Timestamp,
};
use vouch_proto::common::v1::ContractTerms;
use vouch_storage::StorageError;

use super::entity::{case, offer};
use crate::domain::{
    Brings, Case, Client, Contract, Decline, HiringManager, Offer, Plan, State, Step, Talent, TalentCloud,
};
use crate::store::unreadable;

pub const LAPSED: &str = "LAPSED";

const ACCEPTED: &str = "ACCEPTED";
const DECLINED: &str = "DECLINED";
const READY: &str = "READY";
const CONTRACT: &str = "CONTRACT";
const TALENT_CLOUD: &str = "TALENT_CLOUD";

const STEPS: [Step; 6] = [
    Step::ReviewContract,
    Step::BuildProfile,
    Step::CompleteTasks,
    Step::ConfirmListing,
    Step::VerifyEmail,
    Step::AcceptOffer,
];

/// The states in which there is something left to do.
pub fn open_states() -> [&'static str; 6] {
    STEPS.map(Step::as_str)
}

/// The row of a case. The listing is the agency's and is not written here.
pub fn case_to_row(case: &Case) -> case::ActiveModel {
    let cloud = match &case.brings {
        Brings::TalentCloud(cloud) => Some(cloud),
        Brings::Contract(_) => None,
    };
    case::ActiveModel {
        id: Set(case.id.as_uuid()),
        person_id: Set(case.person_id.as_uuid()),
        account_id: Set(case.account_id.as_uuid()),
        invitation_id: Set(case.invitation_id.as_uuid()),
        client_id: Set(case.client.id.as_uuid()),
        company_name: Set(case.client.company_name.clone()),
        client_plan: Set(case.client.plan.as_str().to_owned()),
        hiring_manager_name: Set(case.client.hiring_manager.display_name.clone()),
        hiring_manager_email: Set(case.client.hiring_manager.email.as_str().to_owned()),
        talent: Set(case.talent.as_str().to_owned()),
        agency_id: Set((case.talent == Talent::Agency).then(|| case.account_id.as_uuid())),
        listing: NotSet,
        brings: Set(if cloud.is_some() { TALENT_CLOUD } else { CONTRACT }.to_owned()),
        talent_cloud_id: Set(cloud.map(|cloud| cloud.id.as_uuid())),
        talent_cloud_name: Set(cloud.map(|cloud| cloud.name.clone())),
        state: Set(state_to_text(&case.state).to_owned()),
        since: Set(case.since.as_micros()),
        opened_at: Set(case.opened_at.as_micros()),
    }
}

/// The row of the offer of a case, if it has one.
pub fn offer_to_row(case: &Case, terms: Option<&ContractTerms>) -> Option<offer::ActiveModel> {
    let (offer, terms) = case.offer().zip(terms)?;
    let contract = contract_of(&case.state);
    let decline = match &case.state {
        State::Declined(decline) => Some(decline),
        _ => None,
    };
    Some(offer::ActiveModel {
        id: Set(offer.id.as_uuid()),
        case_id: Set(case.id.as_uuid()),
        version: Set(i32::try_from(offer.version).unwrap_or(i32::MAX)),
        contract_terms: Set(terms.encode_to_vec()),
        lapses_at: Set(offer.lapses_at.as_micros()),
        accepted_at: Set(contract.map(|contract| contract.accepted_at.as_micros())),
        contract_id: Set(contract.map(|contract| contract.id.as_uuid())),
        room_id: Set(contract.map(|contract| contract.room_id.as_uuid())),
        contract_started_at: Set(contract
            .and_then(|contract| contract.started_at)
            .map(Timestamp::as_micros)),
        // What payments tells of it is saved by itself.
        contract_ended_at: NotSet,
        declined_at: Set(decline.map(|decline| decline.declined_at.as_micros())),
        decline_reason: Set(decline.map(|decline| decline.reason.clone()).unwrap_or_default()),
    })
}

pub fn from_rows(
    row: case::Model,
    offer: Option<&offer::Model>,
) -> Result<(Case, Option<ContractTerms>), StorageError> {
    let email = row.hiring_manager_email.parse();
    let email = email.map_err(|error| unreadable("onboarding_case.hiring_manager_email", error))?;
    let state = state_from_row(&row.state, offer)?;
    let plan = plan_from_text(&row.client_plan)?;
    let talent = talent_from_text(&row.talent)?;
    let brings = brings_from_row(&row, offer)?;
    let terms = offer.map(|offer| ContractTerms::decode(offer.contract_terms.as_slice()));
    let terms = terms.transpose();
    let terms = terms.map_err(|error| unreadable("offer.contract_terms", error))?;
    let case = Case {
        id: CaseId::from_uuid(row.id),
        person_id: PersonId::from_uuid(row.person_id),
        account_id: AccountId::from_uuid(row.account_id),
        invitation_id: InvitationId::from_uuid(row.invitation_id),
        talent,
        client: Client {
            id: ClientId::from_uuid(row.client_id),
            company_name: row.company_name,
            plan,
            hiring_manager: HiringManager {
                display_name: row.hiring_manager_name,
                email,
            },
        },
        brings,
        opened_at: Timestamp::from_micros(row.opened_at),
        state,
        since: Timestamp::from_micros(row.since),
        // Invitation's word, which `store::clouds` keeps.
        left_at: None,
    };
    Ok((case, terms))
}

fn brings_from_row(row: &case::Model, offer: Option<&offer::Model>) -> Result<Brings, StorageError> {
    match (row.brings.as_str(), offer, row.talent_cloud_id, &row.talent_cloud_name) {
        (CONTRACT, Some(offer), None, _) => Ok(Brings::Contract(Offer {
            id: OfferId::from_uuid(offer.id),
            version: u32::try_from(offer.version).map_err(|error| unreadable("offer.version", error))?,
            lapses_at: Timestamp::from_micros(offer.lapses_at),
        })),
        (TALENT_CLOUD, None, Some(id), Some(name)) => Ok(Brings::TalentCloud(TalentCloud {
            id: TalentCloudId::from_uuid(id),
            name: name.clone(),
        })),
        (brings, ..) => Err(unreadable("onboarding_case.brings", brings)),
    }
}

/// The plan of this name.
pub fn plan_from_text(text: &str) -> Result<Plan, StorageError> {
    let plans = [Plan::Basic, Plan::BusinessPlus, Plan::Enterprise];
    let found = plans.into_iter().find(|plan| plan.as_str() == text);
    found.ok_or_else(|| unreadable("plan", text))
}

/// The talent of this name.
pub fn talent_from_text(text: &str) -> Result<Talent, StorageError> {
    let kinds = [Talent::Freelancer, Talent::Agency];
    let found = kinds.into_iter().find(|talent| talent.as_str() == text);
    found.ok_or_else(|| unreadable("talent", text))
}

const fn state_to_text(state: &State) -> &'static str {
    match state {
        State::At(step) => step.as_str(),
        State::Accepted(_) => ACCEPTED,
        State::Ready => READY,
        State::Lapsed => LAPSED,
        State::Declined(_) => DECLINED,
    }
}

fn state_from_row(text: &str, offer: Option<&offer::Model>) -> Result<State, StorageError> {
    if let Some(step) = STEPS.into_iter().find(|step| step.as_str() == text) {
        return Ok(State::At(step));
    }
    let decline = |offer: &offer::Model| {
        Some(Decline {
            declined_at: Timestamp::from_micros(offer.declined_at?),
            reason: offer.decline_reason.clone(),
        })
    };
    let state = match text {
        READY => Some(State::Ready),
        LAPSED => Some(State::Lapsed),
        DECLINED => offer.and_then(decline).map(State::Declined),
        ACCEPTED => offer.and_then(contract).map(State::Accepted),
        _ => None,
    };
    state.ok_or_else(|| unreadable("onboarding_case.state", format!("{text} does not fit the offer")))
}

fn contract(offer: &offer::Model) -> Option<Contract> {
    Some(Contract {
        id: ContractId::from_uuid(offer.contract_id?),
        room_id: RoomId::from_uuid(offer.room_id?),
        accepted_at: Timestamp::from_micros(offer.accepted_at?),
        started_at: offer.contract_started_at.map(Timestamp::from_micros),
        ended_at: offer.contract_ended_at.map(Timestamp::from_micros),
    })
}

const fn contract_of(state: &State) -> Option<&Contract> {
    match state {
        State::Accepted(contract) => Some(contract),
        State::At(_) | State::Ready | State::Lapsed | State::Declined(_) => None,
    }
}
