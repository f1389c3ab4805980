//! From an invitation to its row and back.

use prost::Message;
use sea_orm::Set;
use vouch_primitives::{ClientId, InvitationId, PersonId, Timestamp};
use vouch_proto::common::v1 as common;
use vouch_storage::StorageError;

use super::{
    super::unreadable,
    entity::{ActiveModel, Model},
};
use crate::{
    domain::{Acceptance, ContractTerms, Invitation, Recipient, State, TalentType, TokenHash},
    store::clients,
};

pub(super) const PENDING: &str = "PENDING";
pub(super) const ACCEPTED: &str = "ACCEPTED";
pub(super) const EXPIRED: &str = "EXPIRED";

const FREELANCER: &str = "FREELANCER";

/// An invitation with its client and its hiring manager, which the foreign keys guarantee.
type Joined = (Model, Option<clients::entity::Model>, Option<clients::manager::Model>);

pub(super) fn to_row(invitation: &Invitation) -> ActiveModel {
    let (state, acceptance) = match invitation.state {
        State::Pending => (PENDING, None),
        State::Accepted(acceptance) => (ACCEPTED, Some(acceptance)),
        State::Expired => (EXPIRED, None),
    };
    let talent_type = match invitation.talent_type {
        TalentType::Freelancer => FREELANCER,
    };
    ActiveModel {
        id: Set(invitation.id.as_uuid()),
        client_id: Set(invitation.client_id.as_uuid()),
        hiring_manager_id: Set(invitation.hiring_manager.id.as_uuid()),
        talent_type: Set(talent_type.to_owned()),
        recipient_email: Set(invitation.recipient.email.as_str().to_owned()),
        recipient_name: Set(invitation.recipient.name.clone()),
        contract_terms: Set(common::ContractTerms::from(&invitation.contract_terms).encode_to_vec()),
        personal_message: Set(invitation.personal_message.clone()),
        token_hash: Set(invitation.token_hash.0.to_vec()),
        state: Set(state.to_owned()),
        sent_at: Set(invitation.sent_at.as_micros()),
        expires_at: Set(invitation.expires_at.as_micros()),
        accepted_at: Set(acceptance.map(|acceptance| acceptance.accepted_at.as_micros())),
        person_id: Set(acceptance.map(|acceptance| acceptance.person_id.as_uuid())),
        hired_at: Set(acceptance
            .and_then(|acceptance| acceptance.hired_at)
            .map(Timestamp::as_micros)),
    }
}

pub(super) fn from_row((row, client, manager): Joined) -> Result<Invitation, StorageError> {
    let state = state(&row)?;
    let talent_type = match row.talent_type.as_str() {
        FREELANCER => TalentType::Freelancer,
        other => return Err(unreadable("invitation.talent_type", other)),
    };
    let client = client.ok_or_else(|| unreadable("invitation.client_id", row.client_id))?;
    let manager = manager.ok_or_else(|| unreadable("invitation.hiring_manager_id", row.hiring_manager_id))?;
    let recipient = Recipient {
        email: row
            .recipient_email
            .parse()
            .map_err(|error| unreadable("invitation.recipient_email", error))?,
        name: row.recipient_name,
    };
    Ok(Invitation {
        id: InvitationId::from_uuid(row.id),
        client_id: ClientId::from_uuid(row.client_id),
        company_name: client.company_name,
        hiring_manager: clients::hiring_manager(manager)?,
        talent_type,
        recipient,
        contract_terms: contract_terms(&row.contract_terms)?,
        personal_message: row.personal_message,
        token_hash: TokenHash(
            row.token_hash
                .try_into()
                .map_err(|_| unreadable("invitation.token_hash", "not 32 bytes"))?,
        ),
        sent_at: Timestamp::from_micros(row.sent_at),
        expires_at: Timestamp::from_micros(row.expires_at),
        state,
    })
}

fn state(row: &Model) -> Result<State, StorageError> {
    match (row.state.as_str(), row.accepted_at, row.person_id) {
        (PENDING, None, None) => Ok(State::Pending),
        (EXPIRED, None, None) => Ok(State::Expired),
        (ACCEPTED, Some(accepted_at), Some(person_id)) => Ok(State::Accepted(Acceptance {
            person_id: PersonId::from_uuid(person_id),
            accepted_at: Timestamp::from_micros(accepted_at),
            hired_at: row.hired_at.map(Timestamp::from_micros),
        })),
        (other, ..) => Err(unreadable("invitation.state", other)),
    }
}

fn contract_terms(bytes: &[u8]) -> Result<ContractTerms, StorageError> {
    let wire = common::ContractTerms::decode(bytes).map_err(|error| unreadable("invitation.contract_terms", error))?;
    ContractTerms::try_from(wire).map_err(|error| unreadable("invitation.contract_terms", error))
}
