//! From an invitation to its row and back.

use sea_orm::{NotSet, Set};
use vouch_primitives::{ClientId, InvitationId, PersonId, TalentCloudId, Timestamp};
use vouch_storage::StorageError;

use super::{
    super::{read_terms, suppressions::hash_of, unreadable, write_terms},
    entity::{ActiveModel, Model},
};
use crate::{
    domain::{Acceptance, Branch, Content, Decline, Invitation, InvitedCloud, Recipient, Stage, State, TalentType},
    store::{clients, clouds},
};

const STAGES: [Stage; 5] = [
    Stage::Pending,
    Stage::Accepted,
    Stage::Declined,
    Stage::Withdrawn,
    Stage::Expired,
];

const FREELANCER: &str = "FREELANCER";
const AGENCY: &str = "AGENCY";

const INVITE: &str = "INVITE";
const HIRE: &str = "HIRE";

/// An invitation with its client and its hiring manager, which the foreign keys guarantee, and its talent cloud if it is
/// to one.
type Joined = (
    Model,
    Option<clients::entity::Model>,
    Option<clients::manager::Model>,
    Option<clouds::entity::Model>,
);

/// How a stage is called in the table.
pub(super) const fn name_of(stage: Stage) -> &'static str {
    match stage {
        Stage::Pending => "PENDING",
        Stage::Accepted => "ACCEPTED",
        Stage::Declined => "DECLINED",
        Stage::Withdrawn => "WITHDRAWN",
        Stage::Expired => "EXPIRED",
    }
}

/// The stage of that name.
pub(super) fn stage_of(name: &str) -> Result<Stage, StorageError> {
    let found = STAGES.into_iter().find(|stage| name_of(*stage) == name);
    found.ok_or_else(|| unreadable("invitation.state", name))
}

pub(super) fn to_row(invitation: &Invitation) -> ActiveModel {
    let acceptance = match invitation.state {
        State::Accepted(acceptance) => Some(acceptance),
        _ => None,
    };
    let decline = match &invitation.state {
        State::Declined(decline) => Some(decline),
        _ => None,
    };
    let withdrawn_at = match invitation.state {
        State::Withdrawn(moment) => Some(moment.as_micros()),
        _ => None,
    };
    let talent_type = match invitation.talent_type {
        TalentType::Freelancer => FREELANCER,
        TalentType::Agency => AGENCY,
    };
    let branch = match invitation.branch {
        Branch::Invite => INVITE,
        Branch::Hire => HIRE,
    };
    let (terms, cloud) = match &invitation.content {
        Content::Contract(terms) => (Some(write_terms(terms)), None),
        Content::Cloud(cloud) => (None, Some(cloud.id.as_uuid())),
    };
    ActiveModel {
        id: Set(invitation.id.as_uuid()),
        client_id: Set(invitation.client_id.as_uuid()),
        hiring_manager_id: Set(invitation.hiring_manager.id.as_uuid()),
        talent_type: Set(talent_type.to_owned()),
        recipient_email: Set(invitation.recipient.email.as_str().to_owned()),
        recipient_sha256: Set(hash_of(&invitation.recipient.email).0.to_vec()),
        recipient_name: Set(invitation.recipient.name.clone()),
        contract_terms: Set(terms),
        talent_cloud_id: Set(cloud),
        personal_message: Set(invitation.personal_message.clone()),
        branch: Set(branch.to_owned()),
        state: Set(name_of(invitation.state.stage()).to_owned()),
        sent_at: Set(invitation.sent_at.as_micros()),
        expires_at: Set(invitation.expires_at.as_micros()),
        accepted_at: Set(acceptance.map(|acceptance| acceptance.accepted_at.as_micros())),
        person_id: Set(acceptance.map(|acceptance| acceptance.person_id.as_uuid())),
        hired_at: Set(acceptance
            .and_then(|acceptance| acceptance.hired_at)
            .map(Timestamp::as_micros)),
        offer_ended_at: Set(acceptance
            .and_then(|acceptance| acceptance.ended_at)
            .map(Timestamp::as_micros)),
        declined_at: Set(decline.map(|decline| decline.declined_at.as_micros())),
        decline_reason: Set(decline.map(|decline| decline.reason.clone()).unwrap_or_default()),
        withdrawn_at: Set(withdrawn_at),
        // Numbered by itself, last of all.
        change: NotSet,
    }
}

pub(super) fn from_row((row, client, manager, cloud): Joined) -> Result<Invitation, StorageError> {
    let state = state(&row)?;
    let talent_type = match row.talent_type.as_str() {
        FREELANCER => TalentType::Freelancer,
        AGENCY => TalentType::Agency,
        other => return Err(unreadable("invitation.talent_type", other)),
    };
    let branch = match row.branch.as_str() {
        INVITE => Branch::Invite,
        HIRE => Branch::Hire,
        other => return Err(unreadable("invitation.branch", other)),
    };
    let content = match (&row.contract_terms, cloud) {
        (Some(terms), None) => Content::Contract(read_terms("invitation.contract_terms", terms)?),
        (None, Some(cloud)) => Content::Cloud(InvitedCloud {
            id: TalentCloudId::from_uuid(cloud.id),
            name: cloud.name,
        }),
        _ => return Err(unreadable("invitation.talent_cloud_id", row.id)),
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
        content,
        personal_message: row.personal_message,
        branch,
        sent_at: Timestamp::from_micros(row.sent_at),
        expires_at: Timestamp::from_micros(row.expires_at),
        state,
    })
}

fn state(row: &Model) -> Result<State, StorageError> {
    let moment = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    let read = match stage_of(&row.state)? {
        Stage::Pending => Some(State::Pending),
        Stage::Expired => Some(State::Expired),
        Stage::Accepted => moment(row.accepted_at).zip(row.person_id).map(|(accepted_at, person)| {
            State::Accepted(Acceptance {
                person_id: PersonId::from_uuid(person),
                accepted_at,
                hired_at: moment(row.hired_at),
                ended_at: moment(row.offer_ended_at),
            })
        }),
        Stage::Declined => moment(row.declined_at).map(|declined_at| {
            State::Declined(Decline {
                declined_at,
                reason: row.decline_reason.clone(),
            })
        }),
        Stage::Withdrawn => moment(row.withdrawn_at).map(State::Withdrawn),
    };
    read.ok_or_else(|| unreadable("invitation.state", &row.state))
}
