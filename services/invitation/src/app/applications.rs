//! Applications: talent asks for work, clients answer, and those who recommended somebody see how it goes [R19, R20].

use std::collections::HashMap;

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{ApplicationId, HiringManagerId, InvitationId, PersonId, ProjectId, ProjectShareId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, erasing::expect_known, invitations::follow, projects, recommending, sending::Inviter};
use crate::{
    domain::{
        Applicant, Application, ApplicationStage, ApplicationState, ContractTerms, Draft, DraftContent, OfferEnd,
        Project, TalentType, Whose,
    },
    error::Error,
    store,
};

/// Applies for a project.
#[derive(Clone, Debug)]
pub struct Apply {
    /// For which.
    pub project_id: ProjectId,
    /// Who applies.
    pub person_id: PersonId,
    /// What they say.
    pub applicant: Applicant,
    /// The link that they came by, if by any.
    pub share_id: Option<ProjectShareId>,
}

/// Says no to an application.
#[derive(Clone, Debug)]
pub struct DeclineApplication {
    /// To which.
    pub id: ApplicationId,
    /// Why; may be empty.
    pub reason: String,
}

/// Makes an offer to an applicant.
#[derive(Clone, Debug)]
pub struct OfferToApplicant {
    /// Who has applied.
    pub id: ApplicationId,
    /// In whose name; `None` for the client's first hiring manager.
    pub hiring_manager_id: Option<HiringManagerId>,
    /// What is offered; `None` for what the project says.
    pub terms: Option<ContractTerms>,
    /// The client's own words; may be empty.
    pub personal_message: String,
}

/// Asks for one page of applications.
#[derive(Clone, Debug)]
pub struct ListApplications {
    /// Whom they concern.
    pub whose: Whose,
    /// Those that stand here; empty for all.
    pub stages: Vec<ApplicationStage>,
    /// Whether those count alone whom somebody recommended.
    pub recommended_only: bool,
    /// Which part.
    pub page: Page<ApplicationId>,
}

impl App {
    /// Applies for a project.
    ///
    /// # Errors
    /// If the person can find no such project, the address is not that of their account, there is no such share of the
    /// project, or they have applied before; if the database fails.
    pub async fn apply(&self, key: &RequestKey, command: &Apply) -> Result<pb::ApplyResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let application = apply(&txn, now, command).await?;
                tell(&txn, now, &application).await?;
                let application = Some(application.into());
                Ok(pb::ApplyResponse { application })
            })
            .await
    }

    /// Reads an application.
    ///
    /// # Errors
    /// If there is none, or the database fails.
    pub async fn get_application(&self, id: ApplicationId) -> Result<Application, Error> {
        let found = store::applications::find(self.commands.db().reader(), id).await?;
        found.ok_or_else(|| Error::not_found("application", id))
    }

    /// Takes an application back.
    ///
    /// # Errors
    /// If there is none, or the client has answered; if the database fails.
    pub async fn withdraw_application(
        &self,
        key: &RequestKey,
        id: ApplicationId,
    ) -> Result<pb::WithdrawApplicationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut application = locked(&txn, id).await?;
                let news = application.withdraw(now)?;
                save(&txn, now, &application, news).await?;
                let application = Some(application.into());
                Ok(pb::WithdrawApplicationResponse { application })
            })
            .await
    }

    /// Says no to an application.
    ///
    /// # Errors
    /// If there is none, or it has another answer or was taken back; if the database fails.
    pub async fn decline_application(
        &self,
        key: &RequestKey,
        command: &DeclineApplication,
    ) -> Result<pb::DeclineApplicationResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut application = locked(&txn, command.id).await?;
                let news = application.decline(command.reason.clone(), now)?;
                save(&txn, now, &application, news).await?;
                let application = Some(application.into());
                Ok(pb::DeclineApplicationResponse { application })
            })
            .await
    }

    /// Makes an offer to an applicant, which goes straight into their account [R37].
    ///
    /// # Errors
    /// If there is no such application or hiring manager, or the application does not wait; if the database fails.
    pub async fn offer_to_applicant(
        &self,
        key: &RequestKey,
        command: &OfferToApplicant,
    ) -> Result<pb::OfferToApplicantResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut application = locked(&txn, command.id).await?;
                let terms = match &command.terms {
                    Some(terms) => terms.clone(),
                    None => project_of(&txn, &application).await?.says.terms,
                };
                let inviter = Inviter {
                    client_id: application.client_id,
                    hiring_manager_id: command.hiring_manager_id,
                };
                let draft = Draft {
                    talent_type: TalentType::Freelancer,
                    recipient: application.applicant.contact.clone(),
                    content: DraftContent::Contract(terms),
                    personal_message: command.personal_message.clone(),
                };
                let offer = self.offer(&txn, now, inviter, &draft, application.person_id).await?;
                application.offer(offer.id, now)?;
                save(&txn, now, &application, true).await?;
                Ok(pb::OfferToApplicantResponse {
                    application: Some(application.into()),
                    invitation: Some(follow(&*txn, offer).await?.into()),
                })
            })
            .await
    }

    /// Reads one page of applications, the newest first.
    ///
    /// # Errors
    /// If they are to be for a project that does not exist, or the database fails.
    pub async fn list_applications(
        &self,
        query: &ListApplications,
    ) -> Result<Listed<Application, ApplicationId>, Error> {
        let ListApplications {
            whose,
            stages,
            recommended_only,
            page,
        } = query;
        if let Whose::Project(project) = whose {
            self.get_project(*project).await?;
        }
        let conn = self.commands.db().reader();
        let found =
            store::applications::list(conn, *whose, stages, *recommended_only, page.after, page.limit()).await?;
        Ok(page.cut(found, |application| application.id))
    }
}

/// Erases what these people have said in their applications, and what was said to them; those that wait are withdrawn. Tells
/// which there are.
pub(super) async fn erase(txn: &Txn, now: Timestamp, people: &[PersonId]) -> Result<Vec<ApplicationId>, Error> {
    let found = store::applications::lock_of_people(txn, people).await?;
    let ids: Vec<_> = found.iter().map(|application| application.id).collect();
    for mut application in found {
        if application.state == ApplicationState::Submitted {
            let news = application.withdraw(now)?;
            save(txn, now, &application, news).await?;
        }
    }
    store::applications::erase(txn, people).await?;
    Ok(ids)
}

/// The offers that these invitations brought were accepted: whoever had applied for them is hired.
pub(super) async fn hire(txn: &Txn, now: Timestamp, offers: &[InvitationId]) -> Result<(), Error> {
    for mut application in store::applications::lock_of_offers(txn, offers).await? {
        let news = application.hire(now);
        save(txn, now, &application, news).await?;
    }
    Ok(())
}

/// The offers that these invitations brought came to nothing.
pub(super) async fn end_offers(txn: &Txn, now: Timestamp, ends: &[OfferEnd]) -> Result<(), Error> {
    let declined: HashMap<_, _> = ends.iter().map(|end| (end.invitation_id, end.declined)).collect();
    let offers: Vec<_> = declined.keys().copied().collect();
    for mut application in store::applications::lock_of_offers(txn, &offers).await? {
        let declined = application.state.offer().and_then(|offer| declined.get(&offer));
        let news = declined.is_some_and(|declined| application.end_offer(*declined, now));
        save(txn, now, &application, news).await?;
    }
    Ok(())
}

async fn apply(txn: &Txn, now: Timestamp, command: &Apply) -> Result<Application, Error> {
    let Apply {
        project_id,
        person_id,
        applicant,
        share_id,
    } = command;
    expect_known(txn, *person_id).await?;
    // Locked, so that nobody closes it meanwhile.
    projects::locked(txn, *project_id).await?;
    let found = store::projects::find_for(txn, *project_id, *person_id).await?;
    let project = found.ok_or_else(|| projects::no_project(*project_id))?;
    let address = store::suppressions::hash_of(&applicant.contact.email);
    let owners = store::accounts::owners(txn, &[address]).await?;
    if owners.get(&address) != Some(person_id) {
        return Err(Error::AddressNotVerified);
    }
    let recommended_by = recommending::who_brought(txn, *project_id, *person_id, *share_id).await?;
    if let Some(mut earlier) = store::applications::lock_of_person(txn, *project_id, *person_id).await? {
        if !earlier.renew(applicant.clone(), recommended_by, now) {
            return Err(Error::AppliedBefore);
        }
        store::applications::save(txn, &earlier).await?;
        return Ok(earlier);
    }
    let application = Application {
        id: ApplicationId::new(),
        project_id: project.id,
        client_id: project.client_id,
        person_id: *person_id,
        applicant: applicant.clone(),
        recommended_by,
        state: ApplicationState::Submitted,
        applied_at: now,
        since: now,
    };
    if !store::applications::insert(txn, &application).await? {
        return Err(Error::AppliedBefore);
    }
    Ok(application)
}

/// Not locked: who applies locks the project first, and then the application.
async fn project_of(txn: &Txn, application: &Application) -> Result<Project, Error> {
    let id = application.project_id;
    let found = store::projects::find(txn, id).await?;
    found.ok_or_else(|| projects::no_project(id))
}

async fn locked(txn: &Txn, id: ApplicationId) -> Result<Application, Error> {
    let found = store::applications::lock(txn, id).await?;
    found.ok_or_else(|| Error::not_found("application", id))
}

async fn save(txn: &Txn, now: Timestamp, application: &Application, news: bool) -> Result<(), Error> {
    if news {
        store::applications::save(txn, application).await?;
        tell(txn, now, application).await?;
    }
    Ok(())
}

async fn tell(txn: &Txn, now: Timestamp, application: &Application) -> Result<(), Error> {
    let event = pb::ApplicationChanged {
        application_id: application.id.to_string(),
        project_id: application.project_id.to_string(),
        client_id: application.client_id.to_string(),
        person_id: application.person_id.to_string(),
        recommended_by_person_id: application
            .recommended_by
            .map(|person| person.to_string())
            .unwrap_or_default(),
        state: pb::application::State::from(application.state.stage()).into(),
        invitation_id: application
            .state
            .offer()
            .map(|offer| offer.to_string())
            .unwrap_or_default(),
        change_time: Some(to_wire_time(now)),
    };
    Ok(outbox::append(txn, now, &[NewEvent::new(application.id.as_uuid(), &event)]).await?)
}
