//! Screening: rules pass clear cases, operators decide the others [R21].

use std::collections::BTreeSet;

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{PersonId, Timestamp};
use vouch_proto::{convert::to_wire_time, referral::v1 as pb};
use vouch_storage::Txn;

use crate::{
    domain::{Screening, ScreeningCase, ScreeningState},
    error::Error,
    store::{self, ties::Loaded},
};

/// Who decides when a rule does.
const BY_RULE: &str = "rule";

/// Passes the cases that a rule finds clear, of those for whom it is `time` to look: who were just attributed, or hired. Their
/// people are locked.
pub(super) async fn pass_clear(
    txn: &Txn,
    now: Timestamp,
    ties: &mut [Loaded],
    time: impl Fn(&Loaded) -> bool + Send,
) -> Result<(), Error> {
    let candidates: BTreeSet<PersonId> = ties
        .iter()
        .filter(|loaded| time(loaded) && loaded.tie.screening == Screening::Open)
        .map(|loaded| loaded.tie.payee)
        .collect();
    if candidates.is_empty() {
        return Ok(());
    }
    let rules = store::screening::rules(txn).await?;
    let mut passed = Vec::new();
    for mut case in store::screening::cases(txn, &candidates).await? {
        let of_case = || ties.iter().filter(|loaded| loaded.tie.payee == case.person);
        let related = of_case().any(|loaded| !loaded.tie.related.is_empty());
        let hired = of_case().any(|loaded| loaded.tie.is_hired());
        if !case.waits_for_rule() {
            continue;
        }
        if let Some(rule) = rules.iter().find(|rule| rule.passes(hired, related)) {
            case.decide(BY_RULE, true, &rule.name, now)?;
            passed.push(case);
        }
    }
    for loaded in ties.iter_mut() {
        if let Some(case) = passed.iter().find(|case| case.person == loaded.tie.payee) {
            loaded.tie.screening = case.screening();
        }
    }
    store::screening::save(txn, &passed).await?;
    tell(txn, now, &passed).await
}

/// Tells of decided cases.
pub(super) async fn tell(txn: &Txn, now: Timestamp, cases: &[ScreeningCase]) -> Result<(), Error> {
    let events: Vec<_> = cases
        .iter()
        .map(|case| {
            let event = pb::ScreeningDecided {
                person_id: case.person.to_string(),
                passed: case.state == ScreeningState::Passed,
                decide_time: Some(to_wire_time(now)),
            };
            NewEvent::new(case.person.as_uuid(), &event)
        })
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    Ok(outbox::append(txn, now, &events).await?)
}
