//! Between the rows and the values.

use prost::Message;
use sea_orm::Set;
use vouch_primitives::{AccountId, CaseId, ClientId, ContractId, InvitationId, OfferId, PersonId, RoomId, Timestamp};
use vouch_proto::common::v1::ContractTerms;
use vouch_storage::StorageError;

use super::entity::{case, offer};
use crate::domain::{Case, Client, Contract, Decline, HiringManager, Offer, State};
use crate::store::unreadable;

/// The states in which an offer can still be accepted.
pub const OPEN: [&str; 2] = [REVIEW_CONTRACT, ACCEPT_OFFER];
pub const LAPSED: &str = "LAPSED";

const REVIEW_CONTRACT: &str = "REVIEW_CONTRACT";
const ACCEPT_OFFER: &str = "ACCEPT_OFFER";
const ACCEPTED: &str = "ACCEPTED";
const DECLINED: &str = "DECLINED";

pub fn to_rows(case: &Case, terms: &ContractTerms) -> (case::ActiveModel, offer::ActiveModel) {
    let case_row = case::ActiveModel {
        id: Set(case.id.as_uuid()),
        person_id: Set(case.person_id.as_uuid()),
        account_id: Set(case.account_id.as_uuid()),
        invitation_id: Set(case.invitation_id.as_uuid()),
        client_id: Set(case.client.id.as_uuid()),
        state: Set(state_to_text(&case.state).to_owned()),
        opened_at: Set(case.opened_at.as_micros()),
    };
    let contract = contract_of(&case.state);
    let decline = match &case.state {
        State::Declined(decline) => Some(decline),
        _ => None,
    };
    let offer_row = offer::ActiveModel {
        id: Set(case.offer.id.as_uuid()),
        case_id: Set(case.id.as_uuid()),
        company_name: Set(case.client.company_name.clone()),
        hiring_manager_name: Set(case.client.hiring_manager.display_name.clone()),
        hiring_manager_email: Set(case.client.hiring_manager.email.as_str().to_owned()),
        contract_terms: Set(terms.encode_to_vec()),
        lapses_at: Set(case.offer.lapses_at.as_micros()),
        accepted_at: Set(contract.map(|contract| contract.accepted_at.as_micros())),
        contract_id: Set(contract.map(|contract| contract.id.as_uuid())),
        room_id: Set(contract.map(|contract| contract.room_id.as_uuid())),
        contract_started_at: Set(contract
            .and_then(|contract| contract.started_at)
            .map(Timestamp::as_micros)),
        declined_at: Set(decline.map(|decline| decline.declined_at.as_micros())),
        decline_reason: Set(decline.map(|decline| decline.reason.clone()).unwrap_or_default()),
    };
    (case_row, offer_row)
}

pub fn from_rows(case: case::Model, offer: offer::Model) -> Result<(Case, ContractTerms), StorageError> {
    let terms = ContractTerms::decode(offer.contract_terms.as_slice());
    let terms = terms.map_err(|error| unreadable("offer.contract_terms", error))?;
    let email = offer.hiring_manager_email.parse();
    let email = email.map_err(|error| unreadable("offer.hiring_manager_email", error))?;
    let state = state_from_row(&case.state, &offer)?;
    let case = Case {
        id: CaseId::from_uuid(case.id),
        person_id: PersonId::from_uuid(case.person_id),
        account_id: AccountId::from_uuid(case.account_id),
        invitation_id: InvitationId::from_uuid(case.invitation_id),
        client: Client {
            id: ClientId::from_uuid(case.client_id),
            company_name: offer.company_name,
            hiring_manager: HiringManager {
                display_name: offer.hiring_manager_name,
                email,
            },
        },
        offer: Offer {
            id: OfferId::from_uuid(offer.id),
            lapses_at: Timestamp::from_micros(offer.lapses_at),
        },
        opened_at: Timestamp::from_micros(case.opened_at),
        state,
    };
    Ok((case, terms))
}

const fn state_to_text(state: &State) -> &'static str {
    match state {
        State::ReviewContract => REVIEW_CONTRACT,
        State::AcceptOffer => ACCEPT_OFFER,
        State::Accepted(_) => ACCEPTED,
        State::Lapsed => LAPSED,
        State::Declined(_) => DECLINED,
    }
}

fn state_from_row(text: &str, offer: &offer::Model) -> Result<State, StorageError> {
    if let (DECLINED, Some(declined_at), None) = (text, offer.declined_at, offer.contract_id) {
        return Ok(State::Declined(Decline {
            declined_at: Timestamp::from_micros(declined_at),
            reason: offer.decline_reason.clone(),
        }));
    }
    match (text, offer.contract_id, offer.room_id, offer.accepted_at) {
        (REVIEW_CONTRACT, None, None, None) => Ok(State::ReviewContract),
        (ACCEPT_OFFER, None, None, None) => Ok(State::AcceptOffer),
        (LAPSED, None, None, None) => Ok(State::Lapsed),
        (ACCEPTED, Some(contract_id), Some(room_id), Some(accepted_at)) => Ok(State::Accepted(Contract {
            id: ContractId::from_uuid(contract_id),
            room_id: RoomId::from_uuid(room_id),
            accepted_at: Timestamp::from_micros(accepted_at),
            started_at: offer.contract_started_at.map(Timestamp::from_micros),
        })),
        _ => Err(unreadable(
            "onboarding_case.state",
            format!("{text} does not fit the offer"),
        )),
    }
}

const fn contract_of(state: &State) -> Option<&Contract> {
    match state {
        State::Accepted(contract) => Some(contract),
        State::ReviewContract | State::AcceptOffer | State::Lapsed | State::Declined(_) => None,
    }
}
