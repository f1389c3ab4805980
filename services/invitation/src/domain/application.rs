//! Applications: who asks for the work of a project, and what becomes of it [R19, R20].

use std::{error::Error, fmt, ops::RangeInclusive};

use vouch_primitives::{ApplicationId, ClientId, InvitationId, PersonId, ProjectId, Timestamp};

use super::Recipient;

/// How long an application may be, in characters.
pub const APPLICATION_LENGTH: RangeInclusive<usize> = 1..=5_000;

/// Somebody's wish to do a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Its id.
    pub id: ApplicationId,
    /// For which project.
    pub project_id: ProjectId,
    /// Whose project it is.
    pub client_id: ClientId,
    /// Who applies.
    pub person_id: PersonId,
    /// What they say.
    pub applicant: Applicant,
    /// Who recommended them: shared the link that they came by, or else vouched for them when they joined.
    pub recommended_by: Option<PersonId>,
    /// Where it stands.
    pub state: ApplicationState,
    /// When it was submitted.
    pub applied_at: Timestamp,
    /// Since when the state has been so.
    pub since: Timestamp,
}

/// What an applicant says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applicant {
    /// Their name, and the verified address of their account.
    pub contact: Recipient,
    /// Why they should do it.
    pub message: String,
}

/// The life of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationState {
    /// It waits for the client.
    Submitted,
    /// The client has made this offer.
    Offered(InvitationId),
    /// The offer was accepted.
    Hired(InvitationId),
    /// The client said no, for this reason.
    Declined(String),
    /// The applicant took it back.
    Withdrawn,
}

/// Where an application stands, without anything else that is known about that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApplicationStage {
    /// It waits for the client.
    Submitted,
    /// The client has made an offer.
    Offered,
    /// The offer was accepted.
    Hired,
    /// The client said no.
    Declined,
    /// The applicant took it back.
    Withdrawn,
}

/// Which applications are listed, by whom they concern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Those for this project.
    Project(ProjectId),
    /// Those of this person.
    Person(PersonId),
    /// Those of people whom this person recommended.
    RecommendedBy(PersonId),
}

/// The application does not wait any more: it has another answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answered;

impl Application {
    /// Applies again after the application was taken back; tells whether it was.
    pub fn renew(&mut self, applicant: Applicant, recommended_by: Option<PersonId>, now: Timestamp) -> bool {
        let withdrawn = self.state == ApplicationState::Withdrawn;
        if withdrawn {
            (self.applicant, self.recommended_by) = (applicant, recommended_by);
            (self.state, self.applied_at, self.since) = (ApplicationState::Submitted, now, now);
        }
        withdrawn
    }

    /// Takes it back; tells whether that changes anything.
    ///
    /// # Errors
    /// If the client has answered.
    pub fn withdraw(&mut self, now: Timestamp) -> Result<bool, Answered> {
        match self.state {
            ApplicationState::Submitted => Ok(self.become_of(ApplicationState::Withdrawn, now)),
            ApplicationState::Withdrawn => Ok(false),
            ApplicationState::Offered(_) | ApplicationState::Hired(_) | ApplicationState::Declined(_) => Err(Answered),
        }
    }

    /// Says no; tells whether that changes anything.
    ///
    /// # Errors
    /// If the client has made an offer, or the applicant took it back.
    pub fn decline(&mut self, reason: String, now: Timestamp) -> Result<bool, Answered> {
        match self.state {
            ApplicationState::Submitted => Ok(self.become_of(ApplicationState::Declined(reason), now)),
            ApplicationState::Declined(_) => Ok(false),
            ApplicationState::Offered(_) | ApplicationState::Hired(_) | ApplicationState::Withdrawn => Err(Answered),
        }
    }

    /// Answers it with an offer.
    ///
    /// # Errors
    /// If it does not wait.
    pub fn offer(&mut self, offer: InvitationId, now: Timestamp) -> Result<(), Answered> {
        match self.state {
            ApplicationState::Submitted => {
                self.become_of(ApplicationState::Offered(offer), now);
                Ok(())
            }
            _ => Err(Answered),
        }
    }

    /// The offer was accepted; tells whether that is new.
    pub fn hire(&mut self, now: Timestamp) -> bool {
        match self.state {
            ApplicationState::Offered(offer) => self.become_of(ApplicationState::Hired(offer), now),
            _ => false,
        }
    }

    /// The offer came to nothing. Where nobody accepted it in time the application waits again; whoever says no to the offer
    /// takes the application back by that. Tells whether it is news.
    pub fn end_offer(&mut self, declined: bool, now: Timestamp) -> bool {
        let after = if declined {
            ApplicationState::Withdrawn
        } else {
            ApplicationState::Submitted
        };
        match self.state {
            ApplicationState::Offered(_) => self.become_of(after, now),
            _ => false,
        }
    }

    /// A replica whose clock is behind changes nothing before it was submitted.
    fn become_of(&mut self, state: ApplicationState, now: Timestamp) -> bool {
        (self.state, self.since) = (state, now.max(self.applied_at));
        true
    }
}

impl ApplicationState {
    /// Where that is.
    #[must_use]
    pub const fn stage(&self) -> ApplicationStage {
        match self {
            Self::Submitted => ApplicationStage::Submitted,
            Self::Offered(_) => ApplicationStage::Offered,
            Self::Hired(_) => ApplicationStage::Hired,
            Self::Declined(_) => ApplicationStage::Declined,
            Self::Withdrawn => ApplicationStage::Withdrawn,
        }
    }

    /// The offer, if there is one.
    #[must_use]
    pub const fn offer(&self) -> Option<InvitationId> {
        match self {
            Self::Offered(offer) | Self::Hired(offer) => Some(*offer),
            Self::Submitted | Self::Declined(_) | Self::Withdrawn => None,
        }
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the application was answered or taken back")
    }
}

impl Error for Answered {}

#[cfg(test)]
mod tests {
    use super::*;

    fn application(state: ApplicationState) -> Application {
        Application {
            id: ApplicationId::new(),
            project_id: ProjectId::new(),
            client_id: ClientId::new(),
            person_id: PersonId::new(),
            applicant: applicant("Me"),
            recommended_by: None,
            state,
            applied_at: Timestamp::EPOCH,
            since: Timestamp::EPOCH,
        }
    }

    fn applicant(message: &str) -> Applicant {
        Applicant {
            contact: Recipient {
                email: "ada@example.com".parse().expect("an address"),
                name: "Ada".to_owned(),
            },
            message: message.to_owned(),
        }
    }

    // R19
    #[test]
    fn an_application_is_answered_once() {
        let (offer, now) = (InvitationId::new(), Timestamp::EPOCH.add_days(1));
        let no = || String::from("too late");
        for (state, withdrawn, declined, offered, hired) in [
            (ApplicationState::Submitted, Ok(true), Ok(true), Ok(()), false),
            (
                ApplicationState::Offered(offer),
                Err(Answered),
                Err(Answered),
                Err(Answered),
                true,
            ),
            (
                ApplicationState::Hired(offer),
                Err(Answered),
                Err(Answered),
                Err(Answered),
                false,
            ),
            (
                ApplicationState::Declined(no()),
                Err(Answered),
                Ok(false),
                Err(Answered),
                false,
            ),
            (
                ApplicationState::Withdrawn,
                Ok(false),
                Err(Answered),
                Err(Answered),
                false,
            ),
        ] {
            let asked = || application(state.clone());
            assert_eq!(asked().withdraw(now), withdrawn, "{state:?}");
            assert_eq!(asked().decline(no(), now), declined, "{state:?}");
            assert_eq!(asked().offer(offer, now), offered, "{state:?}");
            assert_eq!(asked().hire(now), hired, "{state:?}");
            for (declined, after) in [
                (false, ApplicationState::Submitted),
                (true, ApplicationState::Withdrawn),
            ] {
                let mut ended = asked();
                let news = ended.end_offer(declined, now);
                assert_eq!(news, state == ApplicationState::Offered(offer), "{state:?}");
                assert_eq!(ended.state, if news { after } else { state.clone() });
            }
            let renewed = asked().renew(applicant("Again"), None, now);
            assert_eq!(renewed, state == ApplicationState::Withdrawn, "{state:?}");
        }
    }

    #[test]
    fn what_changes_changes_its_moment() {
        let now = Timestamp::EPOCH.add_days(2);
        let mut ada = application(ApplicationState::Submitted);
        assert_eq!(ada.withdraw(now), Ok(true));
        assert_eq!((ada.applied_at, ada.since), (Timestamp::EPOCH, now));
        let later = now.add_days(1);
        assert!(ada.renew(applicant("Again"), Some(PersonId::new()), later));
        assert_eq!((ada.applied_at, ada.since), (later, later));
        assert_eq!(ada.applicant.message, "Again");
        assert_eq!(ada.withdraw(now), Ok(true));
        assert_eq!(ada.since, later, "by a clock that is behind");
    }
}
