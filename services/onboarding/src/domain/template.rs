//! Where the tasks of a case come from: templates, each with the cases that it is for [B4, F16]. What a case has to do is
//! bound when it opens; a template that changes later changes nothing in it.

use std::{ops::RangeInclusive, sync::Arc};

use vouch_primitives::{CaseId, ClientId, TaskId, TaskTemplateId, Timestamp};

use super::{CountryCode, Form, Owner, Plan, Talent, Task, TaskState};

/// How long the title of a task may be, in characters.
pub const TITLE_LENGTH: RangeInclusive<usize> = 1..=200;
/// How long the reason may be for which a case has a task, in characters.
pub const WHY_LENGTH: RangeInclusive<usize> = 1..=1_000;
/// How many days an answer may stay valid at most.
pub const MAX_VALID_DAYS: u32 = 3_650;
/// How many templates a client may have in use, and as many the platform: a case gets a hundred tasks at most, from all that
/// are for it.
pub const MAX_TEMPLATES: u32 = 50;

/// A requirement, of a client or of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskTemplate {
    /// Which, and in which version: a change makes a new version.
    pub version: TemplateVersion,
    /// The cases that it is for.
    pub applies_to: Selector,
    /// Who has to do it.
    pub owner: Owner,
    /// What it is called.
    pub title: String,
    /// Why it is asked for.
    pub why: String,
    /// What it asks for; its tasks share it, as there are many.
    pub form: Arc<Form>,
    /// Whether somebody looks at what is handed in.
    pub reviewed: bool,
    /// For how many days an answer is good for later cases; 0 for none.
    pub valid_days: u32,
    /// When this version was written.
    pub created_at: Timestamp,
    /// Since when cases do not get it any more.
    pub retired_at: Option<Timestamp>,
}

/// One version of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TemplateVersion {
    /// The template.
    pub id: TaskTemplateId,
    /// Its version, from 1.
    pub version: u32,
}

/// Which cases a template is for: those that have all that is said here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Cases of this client; of all clients if it is not said.
    pub client_id: Option<ClientId>,
    /// Cases of clients with this plan.
    pub plan: Option<Plan>,
    /// Cases of freelancers or of agencies.
    pub talent: Option<Talent>,
    /// Cases of this kind of work.
    pub work: Option<Work>,
    /// Cases of people in this country.
    pub country: Option<CountryCode>,
}

/// What kind of work a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// A contract that is paid by the hour.
    Hourly,
    /// A contract that is paid by agreed amounts.
    Fixed,
    /// A place in a talent cloud.
    TalentCloud,
}

/// What of a case says which templates are for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The client.
    pub client_id: ClientId,
    /// The client's plan.
    pub plan: Plan,
    /// Whom it invites.
    pub talent: Talent,
    /// To what kind of work.
    pub work: Work,
    /// Where the person is.
    pub country: CountryCode,
}

impl Selector {
    /// Whether a case in this situation is meant.
    #[must_use]
    pub fn is_for(&self, case: &Situation) -> bool {
        self.client_id.is_none_or(|client| client == case.client_id)
            && self.plan.is_none_or(|plan| plan == case.plan)
            && self.talent.is_none_or(|talent| talent == case.talent)
            && self.work.is_none_or(|work| work == case.work)
            && self.country.is_none_or(|country| country == case.country)
    }
}

impl TaskTemplate {
    /// The task that a case gets from it.
    #[must_use]
    pub fn task(&self, case_id: CaseId, now: Timestamp) -> Task {
        Task {
            // A case that is opened again after a crash gets the same tasks.
            id: TaskId::derived(case_id.as_uuid(), &self.version.id.to_string()),
            case_id,
            template: self.version,
            owner: self.owner,
            title: self.title.clone(),
            why: self.why.clone(),
            form: self.form.clone(),
            reviewed: self.reviewed,
            not_before: None,
            state: TaskState::Todo,
            since: now,
            submission: None,
            submitted_at: None,
        }
    }
}

impl Work {
    /// Its name, as in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "HOURLY",
            Self::Fixed => "FIXED",
            Self::TalentCloud => "TALENT_CLOUD",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // B4, F16
    #[test]
    fn a_template_is_for_the_cases_that_have_all_that_it_says() {
        let (client_id, other) = (ClientId::new(), ClientId::new());
        let country = |code: &str| code.parse::<CountryCode>().ok();
        let situation = Situation {
            client_id,
            plan: Plan::Enterprise,
            talent: Talent::Freelancer,
            work: Work::Hourly,
            country: country("US").expect("a country"),
        };
        let nothing = Selector::default();
        let all = Selector {
            client_id: Some(client_id),
            plan: Some(Plan::Enterprise),
            talent: Some(Talent::Freelancer),
            work: Some(Work::Hourly),
            country: country("US"),
        };
        assert!(nothing.is_for(&situation) && all.is_for(&situation));
        for unlike in [
            Selector {
                client_id: Some(other),
                ..all
            },
            Selector {
                plan: Some(Plan::Basic),
                ..all
            },
            Selector {
                talent: Some(Talent::Agency),
                ..all
            },
            Selector {
                work: Some(Work::Fixed),
                ..all
            },
            Selector {
                country: country("PT"),
                ..all
            },
        ] {
            assert!(!unlike.is_for(&situation), "{unlike:?}");
        }
    }
}
