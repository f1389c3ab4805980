//! Projects: work that clients have to give, which talent finds [F7, F15].

use std::{collections::BTreeSet, error::Error, fmt, ops::RangeInclusive};

use vouch_primitives::{ClientId, PersonId, ProjectId, TalentCloudId, Timestamp};

use super::{ContractTerms, Pay};

/// How many skills a project, or a search, may name.
pub const MOST_SKILLS: usize = 20;
/// How long the name of a skill may be, in characters.
pub const SKILL_LENGTH: RangeInclusive<usize> = 1..=50;
/// How long the words that are looked for may be, in characters.
pub const QUERY_LENGTH: RangeInclusive<usize> = 0..=200;

/// Work that a client has to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub client_id: ClientId,
    /// The company's name.
    pub company_name: String,
    /// What it says.
    pub says: Says,
    /// Where it stands.
    pub state: ProjectState,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was published.
    pub published_at: Option<Timestamp>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// What a project says, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Says {
    /// What is offered; the title is the project's name there, the description its scope of work.
    pub terms: ContractTerms,
    /// What one has to be able to do.
    pub skills: Skills,
    /// The talent cloud whose members alone see it; `None` for all.
    pub cloud_id: Option<TalentCloudId>,
}

/// What one has to be able to do: names in lower case, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skills(BTreeSet<String>);

/// The life of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProjectState {
    /// Nobody but its client sees it.
    Draft,
    /// It can be found and applied to.
    Published,
    /// Nobody applies to it any more.
    Closed,
}

/// How work is paid that somebody looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayKind {
    /// By the hour.
    Hourly,
    /// By agreed amounts.
    Fixed,
}

/// What somebody looks for who looks for work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkQuery {
    /// Who.
    pub person_id: PersonId,
    /// Words, in lower case, that all have to stand there.
    pub words: Vec<String>,
    /// Skills that all have to be asked for.
    pub skills: Skills,
    /// How it has to be paid, if that matters.
    pub pay: Option<PayKind>,
}

/// A project is closed and stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectClosed;

impl Project {
    /// Publishes it; tells whether it was not published before.
    ///
    /// # Errors
    /// If it is closed.
    pub fn publish(&mut self, now: Timestamp) -> Result<bool, ProjectClosed> {
        match self.state {
            ProjectState::Draft => {
                (self.state, self.published_at) = (ProjectState::Published, Some(now));
                Ok(true)
            }
            ProjectState::Published => Ok(false),
            ProjectState::Closed => Err(ProjectClosed),
        }
    }

    /// Closes it; tells whether it was open before.
    pub fn close(&mut self, now: Timestamp) -> bool {
        let open = self.state != ProjectState::Closed;
        if open {
            (self.state, self.closed_at) = (ProjectState::Closed, Some(now));
        }
        open
    }

    /// Says something else from now on.
    ///
    /// # Errors
    /// If it is closed.
    pub fn say(&mut self, says: Says) -> Result<(), ProjectClosed> {
        if self.state == ProjectState::Closed {
            return Err(ProjectClosed);
        }
        self.says = says;
        Ok(())
    }

    /// Whether everybody may see it.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.state == ProjectState::Published && self.says.cloud_id.is_none()
    }
}

impl Says {
    /// How the work is paid.
    #[must_use]
    pub const fn pay_kind(&self) -> PayKind {
        match self.terms.pay {
            Pay::Hourly(_) => PayKind::Hourly,
            Pay::Fixed(_) | Pay::Recurring(_) => PayKind::Fixed,
        }
    }

    /// All the words that it can be found by, in lower case.
    #[must_use]
    pub fn words(&self) -> String {
        let skills: Vec<_> = self.skills.names().collect();
        let terms = &self.terms;
        format!("{}\n{}\n{}", terms.project_name, terms.scope_of_work, skills.join("\n")).to_lowercase()
    }
}

impl Skills {
    /// These skills, in lower case and each once.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().map(|name| name.to_lowercase()).collect())
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ProjectClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the project is closed")
    }
}

impl Error for ProjectClosed {}

#[cfg(test)]
mod tests {
    use vouch_primitives::Money;

    use super::*;
    use crate::domain::{HourlyPay, Schedule};

    fn says(title: &str) -> Says {
        Says {
            terms: ContractTerms {
                project_name: title.to_owned(),
                pay: Pay::Hourly(HourlyPay {
                    rate: Money::new(5_000, "USD".parse().expect("a currency")),
                    weekly_limit_minutes: 600,
                }),
                scope_of_work: "Draw Ships".to_owned(),
                schedule: Schedule {
                    start: Timestamp::EPOCH,
                    expected_weekly_hours: None,
                },
                payment_terms: String::new(),
            },
            skills: Skills::new(["Ink".to_owned(), "ink".to_owned(), "CAD".to_owned()]),
            cloud_id: None,
        }
    }

    fn project(state: ProjectState) -> Project {
        Project {
            id: ProjectId::new(),
            client_id: ClientId::new(),
            company_name: "Acme".to_owned(),
            says: says("Logo"),
            state,
            created_at: Timestamp::EPOCH,
            published_at: None,
            closed_at: None,
        }
    }

    // F15
    #[test]
    fn the_life_of_a_project() {
        use ProjectState::{Closed, Draft, Published};
        let now = Timestamp::EPOCH.add_days(1);
        for (state, published, closed, said) in [
            (Draft, Ok(true), true, Ok(())),
            (Published, Ok(false), true, Ok(())),
            (Closed, Err(ProjectClosed), false, Err(ProjectClosed)),
        ] {
            assert_eq!(project(state).publish(now), published, "{state:?}");
            assert_eq!(project(state).close(now), closed, "{state:?}");
            assert_eq!(project(state).say(says("Poster")), said, "{state:?}");
        }
        let mut logo = project(Draft);
        assert!(!logo.is_public());
        assert_eq!(logo.publish(now), Ok(true));
        assert!(logo.is_public());
        logo.says.cloud_id = Some(TalentCloudId::new());
        assert!(!logo.is_public(), "the members of the cloud alone see it");
    }

    #[test]
    fn words_and_skills_are_lower_case() {
        assert_eq!(says("Logo").words(), "logo\ndraw ships\ncad\nink");
    }
}
