//! Whom a case waits for, and since when [B25].

use vouch_primitives::Timestamp;

use super::{Case, Owner, State, Step, Task};

/// Somebody for whom a case waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Who.
    pub owner: Owner,
    /// Since when.
    pub since: Timestamp,
}

/// All for whom a case waits: for its tasks each of their owners and reviewers, at any other step the talent.
#[must_use]
pub fn waiting(case: &Case, tasks: &[Task]) -> Vec<Waiting> {
    let State::At(step) = case.state else {
        return vec![];
    };
    if case.left_at.is_some() {
        return vec![];
    }
    if step != Step::CompleteTasks {
        let (owner, since) = (Owner::Talent, case.since);
        return vec![Waiting { owner, since }];
    }
    let waits = |owner| {
        let of_owner = tasks.iter().filter(|task| task.waits_for() == Some(owner));
        // A task could be begun only when the case had come to it.
        let since = of_owner.map(|task| task.since.max(case.since)).min()?;
        Some(Waiting { owner, since })
    };
    let owners = [Owner::Talent, Owner::Client, Owner::Platform];
    owners.into_iter().filter_map(waits).collect()
}
