//! The four ways from an accepted invitation to the work, as one machine: total over who is invited, to what, and what is
//! already done. The page `docs/onboarding.md` draws it; a test draws it from this code and compares.

use std::fmt;

use super::{Brings, Talent};

/// Which of the four ways a case goes [B3].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// A freelancer is offered a contract [B17-B28].
    FreelancerToContract,
    /// An agency is offered a contract [B29-B39].
    AgencyToContract,
    /// A freelancer is invited to a talent cloud [B40-B46].
    FreelancerToCloud,
    /// An agency is invited to a talent cloud [B47-B53].
    AgencyToCloud,
}

/// Something that has to be done on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The person reads the contract and confirms it: scope, scheduling, payment [B19, B31].
    ReviewContract,
    /// The person builds a talent profile, or skips it [B42, B49].
    BuildProfile,
    /// All tasks are done and confirmed [B20-B25, B32].
    CompleteTasks,
    /// The person accepts the final agency invitation, by which the listing is confirmed [B34].
    ConfirmListing,
    /// The person shows that the account e-mail is theirs.
    VerifyEmail,
    /// The person accepts the offer with a message [B26, B38].
    AcceptOffer,
}

/// What holds of a case whichever step it is at. Steps that these facts leave nothing to do in are passed by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Every task is approved, or there are none [B23, B33].
    pub tasks_confirmed: bool,
    /// The agency's listing is public already.
    pub listing_public: bool,
    /// The account e-mail is known to be the person's.
    pub email_verified: bool,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::FreelancerToContract,
        Self::AgencyToContract,
        Self::FreelancerToCloud,
        Self::AgencyToCloud,
    ];

    /// The way of whom an invitation of this type brings there.
    #[must_use]
    pub const fn of(talent: Talent, brings: &Brings) -> Self {
        match (talent, brings) {
            (Talent::Freelancer, Brings::Contract(_)) => Self::FreelancerToContract,
            (Talent::Agency, Brings::Contract(_)) => Self::AgencyToContract,
            (Talent::Freelancer, Brings::TalentCloud(_)) => Self::FreelancerToCloud,
            (Talent::Agency, Brings::TalentCloud(_)) => Self::AgencyToCloud,
        }
    }

    /// Its steps, in order. Behind the last one of a way to a talent cloud the person is ready [B45, B52].
    #[must_use]
    pub const fn steps(self) -> &'static [Step] {
        use Step::{AcceptOffer, BuildProfile, CompleteTasks, ConfirmListing, ReviewContract, VerifyEmail};
        match self {
            Self::FreelancerToContract => &[ReviewContract, CompleteTasks, AcceptOffer],
            // The final agency invitation goes to an address that is known to be theirs.
            Self::AgencyToContract => &[ReviewContract, CompleteTasks, VerifyEmail, ConfirmListing, AcceptOffer],
            Self::FreelancerToCloud | Self::AgencyToCloud => &[BuildProfile, CompleteTasks, VerifyEmail],
        }
    }

    /// The step with which it begins.
    #[must_use]
    pub fn first(self) -> Step {
        self.steps()[0]
    }

    /// The step that comes after `done`; `None` when there is nothing left to do.
    #[must_use]
    pub fn after(self, done: Step, facts: Facts) -> Option<Step> {
        let later = self.steps().iter().skip_while(move |step| **step != done).skip(1);
        later.copied().find(|step| !step.is_passed(facts))
    }
}

impl Step {
    /// Whether these facts leave nothing to do in it.
    #[must_use]
    pub const fn is_passed(self, facts: Facts) -> bool {
        match self {
            Self::ReviewContract | Self::BuildProfile | Self::AcceptOffer => false,
            Self::CompleteTasks => facts.tasks_confirmed,
            Self::ConfirmListing => facts.listing_public,
            Self::VerifyEmail => facts.email_verified,
        }
    }

    /// Its name, as in the database and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReviewContract => "REVIEW_CONTRACT",
            Self::BuildProfile => "BUILD_PROFILE",
            Self::CompleteTasks => "COMPLETE_TASKS",
            Self::ConfirmListing => "CONFIRM_LISTING",
            Self::VerifyEmail => "VERIFY_EMAIL",
            Self::AcceptOffer => "ACCEPT_OFFER",
        }
    }

    /// What the person does to get on, in the words of the diagram.
    const fn deed(self) -> &'static str {
        match self {
            Self::ReviewContract => "the contract is reviewed",
            Self::BuildProfile => "the profile is built or skipped",
            Self::CompleteTasks => "the last task is confirmed",
            Self::ConfirmListing => "the final agency invitation is accepted",
            Self::VerifyEmail => "the address is verified",
            Self::AcceptOffer => "the offer is accepted with a message",
        }
    }

    /// When it is passed by, in the words of the diagram.
    const fn condition(self) -> Option<&'static str> {
        match self {
            Self::ReviewContract | Self::BuildProfile | Self::AcceptOffer => None,
            Self::CompleteTasks => Some("no task is open"),
            Self::ConfirmListing => Some("the listing is public"),
            Self::VerifyEmail => Some("the address is verified"),
        }
    }
}

/// Draws a way in the language of Mermaid, from the same functions that cases go by.
impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "stateDiagram-v2")?;
        writeln!(f, "    [*] --> {}", self.first().as_str())?;
        let to_contract = self.steps().contains(&Step::AcceptOffer);
        let end = if to_contract { "ACCEPTED" } else { "READY" };
        for step in self.steps() {
            // Of the steps behind, each may be the next: those between are passed by.
            let mut passed = Vec::new();
            for facts in combinations() {
                let next = self.after(*step, facts);
                let name = next.map_or(end, Step::as_str);
                if passed.contains(&name) {
                    continue;
                }
                passed.push(name);
                let skipped = self.steps().iter().skip_while(|other| *other != step).skip(1);
                let skipped: Vec<_> = skipped
                    .take_while(|other| Some(**other) != next)
                    .filter_map(|other| other.condition())
                    .collect();
                let mut label = step.deed().to_owned();
                if !skipped.is_empty() {
                    label = format!("{label}, {}", skipped.join(", "));
                }
                writeln!(f, "    {} --> {name}: {label}", step.as_str())?;
            }
            if to_contract {
                writeln!(f, "    {} --> DECLINED: the offer is declined", step.as_str())?;
                writeln!(f, "    {} --> LAPSED: thirty days have passed", step.as_str())?;
                if *step != Step::ReviewContract {
                    let again = Step::ReviewContract.as_str();
                    writeln!(f, "    {} --> {again}: the client changes the offer", step.as_str())?;
                }
            }
        }
        Ok(())
    }
}

/// All facts that can hold, those first that leave the most to do.
fn combinations() -> impl Iterator<Item = Facts> {
    (0..8_u8).map(|bits| Facts {
        tasks_confirmed: bits & 1 != 0,
        listing_public: bits & 2 != 0,
        email_verified: bits & 4 != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // B17, B23, B29, B33, B34, B40, B47
    #[test]
    fn each_way_leads_through_its_steps_and_past_those_with_nothing_to_do() {
        use Step::{AcceptOffer, CompleteTasks, ConfirmListing, ReviewContract, VerifyEmail};
        for way in Way::ALL {
            for facts in combinations() {
                let mut walked = vec![way.first()];
                while let Some(next) = way.after(walked[walked.len() - 1], facts) {
                    walked.push(next);
                }
                let expected: Vec<_> = way
                    .steps()
                    .iter()
                    .copied()
                    .filter(|step| !step.is_passed(facts))
                    .collect();
                assert_eq!(walked, expected, "{way:?} {facts:?}");
            }
        }
        let nothing_done = Facts::default();
        let no_tasks = Facts {
            tasks_confirmed: true,
            ..nothing_done
        };
        for (way, done, facts, next) in [
            (
                Way::FreelancerToContract,
                ReviewContract,
                nothing_done,
                Some(CompleteTasks),
            ),
            (Way::FreelancerToContract, ReviewContract, no_tasks, Some(AcceptOffer)),
            (Way::AgencyToContract, ReviewContract, no_tasks, Some(VerifyEmail)),
            (Way::AgencyToContract, ConfirmListing, no_tasks, Some(AcceptOffer)),
            (Way::FreelancerToCloud, CompleteTasks, no_tasks, Some(VerifyEmail)),
            (Way::AgencyToCloud, VerifyEmail, no_tasks, None),
        ] {
            assert_eq!(way.after(done, facts), next, "{way:?} after {done:?}");
        }
    }

    #[test]
    fn the_page_draws_what_the_code_does() {
        let page = include_str!("../../../../docs/onboarding.md");
        let drawn = Way::ALL.map(|way| format!("```mermaid\n{way}```\n"));
        let missing: Vec<_> = drawn.iter().filter(|drawn| !page.contains(*drawn)).collect();
        let told: String = missing.iter().map(|drawn| drawn.as_str()).collect();
        assert!(missing.is_empty(), "docs/onboarding.md should hold:\n{told}");
    }
}
