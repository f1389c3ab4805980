//! What operators and referrers do with screening cases [R21].

use std::collections::BTreeSet;

use vouch_primitives::{PersonId, Timestamp, Uuid};
use vouch_proto::{Listed, Page, convert::to_wire_time, referral::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, books, screening};
use crate::{
    domain::{ScreeningCase, ScreeningError, ScreeningRule, ScreeningState},
    error::Error,
    store,
};

impl App {
    /// A person's case.
    ///
    /// # Errors
    /// If nobody has vouched for the person.
    pub async fn screening(&self, person: PersonId) -> Result<ScreeningCase, Error> {
        let found = store::screening::cases(self.commands.db().reader(), &BTreeSet::from([person])).await?;
        let case = found.into_iter().next();
        case.ok_or_else(|| Error::not_found("screening case", person))
    }

    /// One page of the cases in some states, the oldest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn screening_cases(
        &self,
        states: &[ScreeningState],
        page: &Page<PersonId>,
    ) -> Result<Listed<ScreeningCase, PersonId>, Error> {
        let reader = self.commands.db().reader();
        let cases = store::screening::page(reader, states, page.after, page.limit()).await?;
        Ok(page.cut(cases, |case| case.person))
    }

    /// An operator takes a case from the queue.
    ///
    /// # Errors
    /// If there is none, another one has, or it is decided.
    pub async fn claim_case(
        &self,
        key: RequestKey,
        person: PersonId,
        operator: &str,
    ) -> Result<pb::ClaimScreeningCaseResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let case = change(&txn, now, person, |case| case.claim(operator)).await?;
                Ok(pb::ClaimScreeningCaseResponse {
                    case: Some(to_wire(&case)),
                })
            })
            .await
    }

    /// An operator passes a case.
    ///
    /// # Errors
    /// If there is none, another one has claimed it, or it is decided.
    pub async fn pass_case(
        &self,
        key: RequestKey,
        person: PersonId,
        (operator, reason): (&str, &str),
    ) -> Result<pb::PassScreeningCaseResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let case = change(&txn, now, person, |case| case.decide(operator, true, reason, now)).await?;
                Ok(pb::PassScreeningCaseResponse {
                    case: Some(to_wire(&case)),
                })
            })
            .await
    }

    /// An operator rejects a case: the rewards for the person are void.
    ///
    /// # Errors
    /// If there is none, another one has claimed it, or it is decided.
    pub async fn reject_case(
        &self,
        key: RequestKey,
        person: PersonId,
        (operator, reason): (&str, &str),
    ) -> Result<pb::RejectScreeningCaseResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let case = change(&txn, now, person, |case| case.decide(operator, false, reason, now)).await?;
                Ok(pb::RejectScreeningCaseResponse {
                    case: Some(to_wire(&case)),
                })
            })
            .await
    }

    /// A referrer says why the rejection of somebody is wrong.
    ///
    /// # Errors
    /// If there is no such tie, or nothing to appeal against.
    pub async fn appeal_screening(
        &self,
        key: RequestKey,
        tie: Uuid,
        words: &str,
    ) -> Result<pb::AppealScreeningResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let found = store::ties::find(&*txn, tie).await?;
                let found = found.ok_or_else(|| Error::not_found("attribution", tie))?;
                change(&txn, now, found.payee, |case| case.appeal(words)).await?;
                Ok(pb::AppealScreeningResponse {})
            })
            .await
    }

    /// All rules, by name.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn screening_rules(&self) -> Result<Vec<ScreeningRule>, Error> {
        Ok(store::screening::rules(self.commands.db().reader()).await?)
    }

    /// Sets a rule.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn set_screening_rule(
        &self,
        key: RequestKey,
        rule: ScreeningRule,
    ) -> Result<pb::SetScreeningRuleResponse, Error> {
        let rule = &rule;
        self.commands
            .once(&key, |txn, _| async move {
                store::screening::save_rule(&txn, rule).await?;
                Ok(pb::SetScreeningRuleResponse {
                    rule: Some(rule_to_wire(rule)),
                })
            })
            .await
    }
}

/// Changes a case; what that means for the rewards happens in the same transaction.
async fn change(
    txn: &Txn,
    now: Timestamp,
    person: PersonId,
    what: impl FnOnce(&mut ScreeningCase) -> Result<(), ScreeningError> + Send,
) -> Result<ScreeningCase, Error> {
    let people = BTreeSet::from([person]);
    store::people::lock(txn, &people).await?;
    let found = store::screening::cases(txn, &people).await?.into_iter().next();
    let mut case = found.ok_or_else(|| Error::not_found("screening case", person))?;
    what(&mut case)?;
    let is_decided = matches!(case.state, ScreeningState::Passed | ScreeningState::Rejected);
    // Read before the case is stored, so that what changes with it is seen.
    let mut ties = if is_decided {
        store::ties::of_people(txn, &people).await?
    } else {
        Vec::new()
    };
    let cases = [case];
    store::screening::save(txn, &cases).await?;
    let [case] = cases;
    if is_decided {
        screening::tell(txn, now, std::slice::from_ref(&case)).await?;
        for loaded in &mut ties {
            loaded.tie.screening = case.screening();
        }
        books::finish(txn, now, &mut ties).await?;
    }
    Ok(case)
}

/// A case on the wire.
#[must_use]
pub fn to_wire(case: &ScreeningCase) -> pb::ScreeningCase {
    pb::ScreeningCase {
        person_id: case.person.to_string(),
        state: i32::from(state_to_wire(case.state)),
        claimed_by: case.claimed_by.clone(),
        reason: case.reason.clone(),
        decided_by: case.decided_by.clone(),
        appeal: case.appeal.clone(),
        open_time: Some(to_wire_time(case.opened_at)),
        decide_time: case.decided_at.map(to_wire_time),
    }
}

/// A state on the wire.
#[must_use]
pub fn state_to_wire(state: ScreeningState) -> pb::ScreeningState {
    match state {
        ScreeningState::Queued => pb::ScreeningState::Queued,
        ScreeningState::Claimed => pb::ScreeningState::Claimed,
        ScreeningState::Passed => pb::ScreeningState::Passed,
        ScreeningState::Rejected => pb::ScreeningState::Rejected,
        ScreeningState::Appealed => pb::ScreeningState::Appealed,
    }
}

/// A rule on the wire.
#[must_use]
pub fn rule_to_wire(rule: &ScreeningRule) -> pb::ScreeningRule {
    pb::ScreeningRule {
        name: rule.name.clone(),
        hired: rule.hired,
        unrelated: rule.unrelated,
        enabled: rule.enabled,
    }
}
