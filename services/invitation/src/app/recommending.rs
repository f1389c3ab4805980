//! Who brings whom: links to projects that people share [R10, R30], who vouched for whom [R20], and talent that recommends
//! somebody instead of themselves [R31].

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{ClientId, PersonId, ProjectId, ProjectShareId, RecommendationId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, clients::expect_client, erasing::expect_known, projects};
use crate::{
    domain::{Invitation, Occasion, Project, Recommendation, RecommendedTalent, Referee, Referrer, Share, State},
    error::Error,
    store::{self, recommendations, suppressions::hash_of},
};

/// Shares a project.
#[derive(Clone, Debug)]
pub struct ShareProject {
    /// Which.
    pub project_id: ProjectId,
    /// Who shares it.
    pub person_id: PersonId,
    /// Where; may be empty.
    pub source: String,
}

/// Recommends somebody for a project.
#[derive(Clone, Debug)]
pub struct RecommendTalent {
    /// For which project or offer.
    pub occasion: Occasion,
    /// Who recommends.
    pub person_id: PersonId,
    /// Whom.
    pub talent: RecommendedTalent,
}

/// Asks for one page of those who were recommended to a client.
#[derive(Clone, Debug)]
pub struct ListRecommendations {
    /// To whom.
    pub client_id: ClientId,
    /// Which part.
    pub page: Page<RecommendationId>,
}

impl App {
    /// Makes a link to a project, which carries the sharer's referral code.
    ///
    /// # Errors
    /// If there is no such project that is published to all, or the sharer is not enrolled; if the database fails.
    pub async fn share_project(
        &self,
        key: &RequestKey,
        command: &ShareProject,
    ) -> Result<pb::ShareProjectResponse, Error> {
        self.commands
            .once(key, |txn, _| async move {
                expect_known(&txn, command.person_id).await?;
                let found = store::projects::find(&*txn, command.project_id).await?;
                let project = found.filter(Project::is_public);
                let project = project.ok_or_else(|| projects::no_project(command.project_id))?;
                let referrer = recommendations::referrer_of(&*txn, command.person_id).await?;
                let new = Share {
                    id: ProjectShareId::new(),
                    project_id: project.id,
                    person_id: command.person_id,
                    source: command.source.clone(),
                    code: referrer.ok_or(Error::NotEnrolled)?.code,
                };
                let share = store::projects::share(&txn, new).await?;
                Ok(pb::ShareProjectResponse {
                    share: Some(self.link(share)),
                })
            })
            .await
    }

    fn link(&self, share: Share) -> pb::ProjectShare {
        let Share {
            id, project_id, code, ..
        } = &share;
        pb::ProjectShare {
            link: format!("{}/projects/{project_id}?share={id}&code={code}", self.public_url),
            id: id.to_string(),
            project_id: project_id.to_string(),
            person_id: share.person_id.to_string(),
            source: share.source,
        }
    }

    /// Recommends somebody for a project or an offer.
    ///
    /// # Errors
    /// If the person can find no such project, or has no such offer; if the database fails.
    pub async fn recommend_talent(
        &self,
        key: &RequestKey,
        command: &RecommendTalent,
    ) -> Result<pb::RecommendTalentResponse, Error> {
        let RecommendTalent {
            occasion,
            person_id,
            talent,
        } = command;
        self.commands
            .once(key, |txn, now| async move {
                expect_known(&txn, *person_id).await?;
                let recommendation = Recommendation {
                    id: RecommendationId::new(),
                    client_id: client_of(&txn, *occasion, *person_id).await?,
                    occasion: *occasion,
                    person_id: Some(*person_id),
                    talent: talent.clone(),
                    recommended_at: now,
                };
                // Said again, it is what was said first.
                let said = match note(&txn, now, &recommendation).await? {
                    true => None,
                    false => recommendations::find_same(&txn, &recommendation).await?,
                };
                let recommendation = Some(said.unwrap_or(recommendation).into());
                Ok(pb::RecommendTalentResponse { recommendation })
            })
            .await
    }

    /// Reads one page of those who were recommended to a client, the newest first.
    ///
    /// # Errors
    /// If there is no such client, or the database fails.
    pub async fn list_recommendations(
        &self,
        query: &ListRecommendations,
    ) -> Result<Listed<Recommendation, RecommendationId>, Error> {
        let ListRecommendations { client_id, page } = query;
        let conn = self.commands.db().reader();
        expect_client(conn, *client_id).await?;
        let found = recommendations::list(conn, *client_id, page.after, page.limit()).await?;
        Ok(page.cut(found, |recommendation| recommendation.id))
    }

    /// Notes who vouches for others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_referrers(&self, txn: &Txn, referrers: &[Referrer]) -> Result<(), Error> {
        Ok(recommendations::save_referrers(txn, referrers).await?)
    }

    /// Notes who vouched for whom.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_referees(&self, txn: &Txn, referees: &[Referee]) -> Result<(), Error> {
        Ok(recommendations::save_referees(txn, referees).await?)
    }
}

/// Whose project or offer it is, if the person can find the one, or has the other.
async fn client_of(txn: &Txn, occasion: Occasion, person: PersonId) -> Result<ClientId, Error> {
    match occasion {
        Occasion::Project(id) => {
            let found = store::projects::find_for(txn, id, person).await?;
            Ok(found.ok_or_else(|| projects::no_project(id))?.client_id)
        }
        Occasion::Invitation(id) => {
            let theirs =
                |it: &Invitation| matches!(it.state, State::Accepted(acceptance) if acceptance.person_id == person);
            let found = store::invitations::find(txn, id).await?.filter(theirs);
            Ok(found.ok_or_else(|| Error::not_found("invitation", id))?.client_id)
        }
    }
}

/// Writes a recommendation down; tells whether it is new.
pub(super) async fn note(txn: &Txn, now: Timestamp, recommendation: &Recommendation) -> Result<bool, Error> {
    if !recommendations::insert(txn, recommendation).await? {
        return Ok(false);
    }
    let event = pb::TalentRecommended {
        recommendation_id: recommendation.id.to_string(),
        client_id: recommendation.client_id.to_string(),
        person_id: recommendation
            .person_id
            .map(|person| person.to_string())
            .unwrap_or_default(),
        email_sha256: hash_of(&recommendation.talent.contact.email).0.to_vec(),
        recommend_time: Some(to_wire_time(now)),
    };
    outbox::append(txn, now, &[NewEvent::new(recommendation.id.as_uuid(), &event)]).await?;
    Ok(true)
}

/// Who recommended an applicant: whose link they came by, or else who vouched for them when they joined. Nobody
/// recommends themselves.
pub(super) async fn who_brought(
    txn: &Txn,
    project: ProjectId,
    applicant: PersonId,
    share: Option<ProjectShareId>,
) -> Result<Option<PersonId>, Error> {
    let sharer = match share {
        Some(id) => {
            let found = store::projects::find_share(txn, project, id).await?;
            Some(found.ok_or_else(|| Error::not_found("share", id))?.person_id)
        }
        None => None,
    };
    match sharer.filter(|sharer| *sharer != applicant) {
        Some(sharer) => Ok(Some(sharer)),
        None => Ok(recommendations::vouched_for(txn, &[applicant])
            .await?
            .remove(&applicant)),
    }
}
