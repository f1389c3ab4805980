//! Facts in: which function takes which event of another service.

use vouch_messaging::{Fact, Router};
use vouch_proto::{
    Fields, Violations,
    invitation::v1::{InvitationAccepted, TalentCloudArchived, TalentCloudMemberChanged, talent_cloud_member},
    payments::v1::{ContractEnded, ContractStarted},
    referral::v1::MatchSignalChanged,
};

use crate::{
    app::{App, acceptances::OpenCase},
    domain::{CloudEnd, ContractEnd, ContractStart, MatchSignal, Membership},
    error::Error,
};

/// The table.
#[must_use]
pub fn router() -> Router<App, Error> {
    Router::<App, Error>::new("onboarding")
        .on::<ContractStarted>(|app, txn, facts| {
            Box::pin(async move {
                let starts = facts.iter().map(start).collect::<Result<Vec<_>, _>>()?;
                app.record_contract_starts(txn, &starts).await
            })
        })
        .on::<ContractEnded>(|app, txn, facts| {
            Box::pin(async move {
                let ends = facts.iter().map(end).collect::<Result<Vec<_>, _>>()?;
                app.record_contract_ends(txn, &ends).await
            })
        })
        .on::<InvitationAccepted>(|app, txn, facts| {
            Box::pin(async move {
                // Of all others it is onboarding itself that has accepted them.
                let hires = facts.iter().filter(|fact| fact.body.hire);
                let hires = hires.map(hire).collect::<Result<Vec<_>, _>>()?;
                app.take_hires(txn, &hires).await
            })
        })
        .on::<TalentCloudMemberChanged>(|app, txn, facts| {
            Box::pin(async move {
                // Who has only been invited is nobody yet.
                let known = facts.iter().filter(|fact| !fact.body.person_id.is_empty());
                let changes = known.map(membership).collect::<Result<Vec<_>, _>>()?;
                app.record_memberships(txn, &changes).await
            })
        })
        .on::<TalentCloudArchived>(|app, txn, facts| {
            Box::pin(async move {
                let ends = facts.iter().map(archived).collect::<Result<Vec<_>, _>>()?;
                app.record_cloud_ends(txn, &ends).await
            })
        })
        .on::<MatchSignalChanged>(|app, txn, facts| {
            Box::pin(async move {
                let signals = facts.iter().map(signal).collect::<Result<Vec<_>, _>>()?;
                app.record_match_signals(txn, &signals).await
            })
        })
}

fn signal(fact: &Fact<MatchSignalChanged>) -> Result<MatchSignal, Violations> {
    let mut fields = Fields::new();
    let person_id = fields.id("person_id", &fact.body.person_id);
    if fact.body.signal > MatchSignal::HIGHEST {
        fields.refuse("signal", "OUT_OF_RANGE", "must be at most 10,000 basis points");
    }
    let changed_at = fields.time("change_time", fact.body.change_time.as_ref());
    let (Some(person_id), Some(changed_at)) = (person_id, changed_at) else {
        return Err(fields.into());
    };
    fields.finish(MatchSignal {
        person_id,
        signal: fact.body.signal,
        changed_at,
    })
}

fn membership(fact: &Fact<TalentCloudMemberChanged>) -> Result<Membership, Violations> {
    let mut fields = Fields::new();
    let cloud_id = fields.id("talent_cloud_id", &fact.body.talent_cloud_id);
    let person_id = fields.id("person_id", &fact.body.person_id);
    let changed_at = fields.time("change_time", fact.body.change_time.as_ref());
    let (Some(cloud_id), Some(person_id), Some(changed_at)) = (cloud_id, person_id, changed_at) else {
        return Err(fields.into());
    };
    fields.finish(Membership {
        cloud_id,
        person_id,
        is_removed: fact.body.state() == talent_cloud_member::State::Removed,
        changed_at,
    })
}

fn archived(fact: &Fact<TalentCloudArchived>) -> Result<CloudEnd, Violations> {
    let mut fields = Fields::new();
    let cloud_id = fields.id("talent_cloud_id", &fact.body.talent_cloud_id);
    let archived_at = fields.time("archive_time", fact.body.archive_time.as_ref());
    let (Some(cloud_id), Some(archived_at)) = (cloud_id, archived_at) else {
        return Err(fields.into());
    };
    fields.finish(CloudEnd { cloud_id, archived_at })
}

fn hire(fact: &Fact<InvitationAccepted>) -> Result<OpenCase, Violations> {
    let mut fields = Fields::new();
    let invitation_id = fields.id("invitation_id", &fact.body.invitation_id);
    let person_id = fields.id("person_id", &fact.body.person_id);
    let (Some(invitation_id), Some(person_id)) = (invitation_id, person_id) else {
        return Err(fields.into());
    };
    fields.finish(OpenCase {
        person_id,
        invitation_id,
        agency_name: None,
    })
}

fn start(fact: &Fact<ContractStarted>) -> Result<ContractStart, Violations> {
    let mut fields = Fields::new();
    let contract_id = fields.id("contract_id", &fact.body.contract_id);
    let started_at = fields.time("begin_time", fact.body.begin_time.as_ref());
    let (Some(contract_id), Some(started_at)) = (contract_id, started_at) else {
        return Err(fields.into());
    };
    fields.finish(ContractStart {
        contract_id,
        started_at,
    })
}

fn end(fact: &Fact<ContractEnded>) -> Result<ContractEnd, Violations> {
    let mut fields = Fields::new();
    let contract_id = fields.id("contract_id", &fact.body.contract_id);
    let ended_at = fields.time("end_time", fact.body.end_time.as_ref());
    let (Some(contract_id), Some(ended_at)) = (contract_id, ended_at) else {
        return Err(fields.into());
    };
    fields.finish(ContractEnd { contract_id, ended_at })
}
