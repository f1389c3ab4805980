//! Opening the case of an accepted invitation: the agency that it names, the offer, and the tasks that follow from the
//! client's requirements [B4, B30, F16].

use vouch_primitives::{AccountId, CaseId, InvitationId, OfferId, Timestamp};
use vouch_proto::{
    common::v1::{ContractTerms, contract_terms::Pay},
    convert::to_wire_time,
    onboarding::v1::AgencyRegistered,
};
use vouch_storage::{
    Txn,
    timers::{self, NewTimer},
};

use super::{
    App, LAPSE_OFFER,
    agencies::publish,
    cases::CaseFile,
    invitations::{AcceptedInvitation, Content},
    record,
};
use crate::{
    domain::{
        Agency, Brings, Case, Listing, Offer, Person, State, Talent, Task, TaskTemplate, Way,
        case::lapse_of,
        template::{Situation, Work},
    },
    error::Error,
    store::{agencies, cases, search, task_templates, tasks},
};

/// Opens the case of an invitation that this person has accepted. One that is open already is a normal outcome.
///
/// # Errors
/// If it is somebody else's; when the database fails.
pub(super) async fn open(
    app: &App,
    txn: &Txn,
    now: Timestamp,
    person: &Person,
    invitation: &AcceptedInvitation,
    agency_name: Option<&str>,
) -> Result<CaseFile, Error> {
    let id = CaseId::derived(invitation.id.as_uuid(), "case");
    let opened = cases::lock_case(txn, id).await?;
    if let Some((case, terms)) = opened {
        // The same person has opened it by another request.
        if case.person_id != person.id {
            return Err(Error::NoOpenInvitation);
        }
        let tasks = tasks::of_case(txn, id).await?;
        return Ok(CaseFile { case, terms, tasks });
    }
    let agency = match (invitation.talent, agency_name) {
        (Talent::Freelancer, _) => None,
        (Talent::Agency, Some(name)) => Some(agency(app, txn, now, person, invitation, name).await?),
        (Talent::Agency, None) => return Err(Error::AgencyNameRequired),
    };
    let file = file(now, id, person, invitation, agency.as_ref());
    if !cases::insert_case(txn, &file.case, file.terms.as_ref(), agency.as_ref()).await? {
        // Somebody has opened it at this very moment.
        return Err(Error::NoOpenInvitation);
    }
    let tasks = make_tasks(txn, now, person, &file).await?;
    tasks::insert(txn, person.id, &tasks).await?;
    if let Some(offer) = file.case.offer() {
        let timer = NewTimer {
            kind: LAPSE_OFFER,
            key: id.as_uuid(),
            due: offer.lapses_at,
        };
        timers::schedule(txn, &[timer]).await?;
    }
    Ok(CaseFile { tasks, ..file })
}

fn file(
    now: Timestamp,
    id: CaseId,
    person: &Person,
    invitation: &AcceptedInvitation,
    agency: Option<&Agency>,
) -> CaseFile {
    let (brings, terms) = match &invitation.content {
        Content::Contract(terms) => {
            let offer = Offer {
                id: OfferId::derived(invitation.id.as_uuid(), "offer"),
                version: 1,
                lapses_at: lapse_of(invitation.accepted_at),
            };
            (Brings::Contract(offer), Some(terms.clone()))
        }
        Content::TalentCloud(cloud) => (Brings::TalentCloud(cloud.clone()), None),
    };
    let way = Way::of(invitation.talent, &brings);
    let case = Case {
        id,
        person_id: person.id,
        account_id: agency.map_or(person.account_id, |agency| agency.id),
        invitation_id: invitation.id,
        talent: invitation.talent,
        client: invitation.client.clone(),
        brings,
        opened_at: now,
        state: State::At(way.first()),
        since: now,
        left_at: None,
    };
    let tasks = vec![];
    CaseFile { case, terms, tasks }
}

/// The agency that accepts: one that the person has already, or a new one. Its listing waits for the final agency invitation
/// where the invitation is to a contract [B34], and is public at once where it is to a talent cloud [B48].
async fn agency(
    app: &App,
    txn: &Txn,
    now: Timestamp,
    person: &Person,
    invitation: &AcceptedInvitation,
    name: &str,
) -> Result<Agency, Error> {
    let to_cloud = matches!(invitation.content, Content::TalentCloud(_));
    let listing = if to_cloud {
        Listing::Public(now)
    } else {
        Listing::Provisional
    };
    let new = Agency {
        id: account_of(invitation.id),
        owner: person.id,
        name: name.to_owned(),
        listing,
        created_at: now,
    };
    if agencies::insert(txn, &new).await? {
        search::reindex(txn, new.id).await?;
        let event = AgencyRegistered {
            account_id: new.id.to_string(),
            person_id: new.owner.to_string(),
            register_time: Some(to_wire_time(now)),
        };
        record(txn, now, new.id.as_uuid(), &event).await?;
        return Ok(new);
    }
    let found = agencies::lock_named(txn, person.id, name).await?;
    let mut agency = found.ok_or_else(|| Error::not_found("agency", name))?;
    if to_cloud {
        publish(app, txn, now, person, &mut agency).await?;
    }
    Ok(agency)
}

/// The account of the agency that an invitation makes.
fn account_of(invitation: InvitationId) -> AccountId {
    AccountId::derived(invitation.as_uuid(), "agency")
}

/// The tasks of a new case, with the answers that are there already.
async fn make_tasks(txn: &Txn, now: Timestamp, person: &Person, file: &CaseFile) -> Result<Vec<Task>, Error> {
    let situation = Situation {
        client_id: file.case.client.id,
        plan: file.case.client.plan,
        talent: file.case.talent,
        work: work_of(file.terms.as_ref()),
        country: person.information.country,
    };
    let templates = task_templates::matching(txn, &situation).await?;
    if templates.is_empty() {
        return Ok(vec![]);
    }
    let earlier = tasks::confirmed_of_person(txn, person.id, &templates).await?;
    let not_before = tasks::next_classification(txn, person.id, now).await?;
    let task = |template: &TaskTemplate| {
        let mut task = template.task(file.case.id, now);
        if task.form.is_classification() {
            task.not_before = not_before;
        }
        for earlier in &earlier {
            if task.reuse(earlier, template.valid_days, now) {
                break;
            }
        }
        task
    };
    Ok(templates.iter().map(task).collect())
}

/// What kind of work these terms are about; without any it is a talent cloud.
fn work_of(terms: Option<&ContractTerms>) -> Work {
    match terms.and_then(|terms| terms.pay.as_ref()) {
        Some(Pay::Hourly(_)) => Work::Hourly,
        Some(Pay::Fixed(_) | Pay::Recurring(_)) => Work::Fixed,
        None => Work::TalentCloud,
    }
}
