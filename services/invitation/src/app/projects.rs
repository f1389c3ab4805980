//! Projects: what clients make of them, and who finds them.

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{ClientId, ProjectId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, invitation::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, clients::expect_client, clouds};
use crate::{
    domain::{Project, ProjectState, WorkQuery, project::Says},
    error::Error,
    store::projects as store,
};

/// Creates a project.
#[derive(Clone, Debug)]
pub struct CreateProject {
    /// Whose it is.
    pub client_id: ClientId,
    /// What it says.
    pub says: Says,
}

/// Replaces what a project says.
#[derive(Clone, Debug)]
pub struct UpdateProject {
    /// Which.
    pub id: ProjectId,
    /// What it says from now on.
    pub says: Says,
}

/// Asks for one page of a client's projects.
#[derive(Clone, Debug)]
pub struct ListProjects {
    /// Whose.
    pub client_id: ClientId,
    /// Those in these states; empty for all.
    pub states: Vec<ProjectState>,
    /// Which part.
    pub page: Page<ProjectId>,
}

/// Asks for one page of the work that somebody can find.
#[derive(Clone, Debug)]
pub struct FindWork {
    /// What they look for.
    pub wanted: WorkQuery,
    /// Which part.
    pub page: Page<ProjectId>,
}

impl App {
    /// Creates a project, as a draft.
    ///
    /// # Errors
    /// If there is no such client or talent cloud of it, or the cloud is archived; if the database fails.
    pub async fn create_project(
        &self,
        key: &RequestKey,
        command: &CreateProject,
    ) -> Result<pb::CreateProjectResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let client = expect_client(&*txn, command.client_id).await?;
                expect_audience(&txn, client.id, &command.says).await?;
                let project = Project {
                    id: ProjectId::new(),
                    client_id: client.id,
                    company_name: client.company_name,
                    says: command.says.clone(),
                    state: ProjectState::Draft,
                    created_at: now,
                    published_at: None,
                    closed_at: None,
                };
                store::insert(&txn, &project).await?;
                tell(&txn, now, &project).await?;
                let project = Some(project.into());
                Ok(pb::CreateProjectResponse { project })
            })
            .await
    }

    /// Replaces what a project says.
    ///
    /// # Errors
    /// If there is no such project or talent cloud of its client, the cloud is archived or the project closed; if the
    /// database fails.
    pub async fn update_project(
        &self,
        key: &RequestKey,
        command: &UpdateProject,
    ) -> Result<pb::UpdateProjectResponse, Error> {
        self.commands
            .once(key, |txn, _| async move {
                let mut project = locked(&txn, command.id).await?;
                if command.says.cloud_id != project.says.cloud_id {
                    expect_audience(&txn, project.client_id, &command.says).await?;
                }
                project.say(command.says.clone())?;
                store::save(&txn, &project).await?;
                let project = Some(project.into());
                Ok(pb::UpdateProjectResponse { project })
            })
            .await
    }

    /// Publishes a project.
    ///
    /// # Errors
    /// If there is no such project, it is closed, or its talent cloud is archived; if the database fails.
    pub async fn publish_project(&self, key: &RequestKey, id: ProjectId) -> Result<pb::PublishProjectResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut project = locked(&txn, id).await?;
                if project.publish(now)? {
                    expect_audience(&txn, project.client_id, &project.says).await?;
                    store::save(&txn, &project).await?;
                    tell(&txn, now, &project).await?;
                }
                let project = Some(project.into());
                Ok(pb::PublishProjectResponse { project })
            })
            .await
    }

    /// Closes a project.
    ///
    /// # Errors
    /// If there is no such project, or the database fails.
    pub async fn close_project(&self, key: &RequestKey, id: ProjectId) -> Result<pb::CloseProjectResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut project = locked(&txn, id).await?;
                if project.close(now) {
                    store::save(&txn, &project).await?;
                    tell(&txn, now, &project).await?;
                }
                let project = Some(project.into());
                Ok(pb::CloseProjectResponse { project })
            })
            .await
    }

    /// Reads a project.
    ///
    /// # Errors
    /// If there is none, or the database fails.
    pub async fn get_project(&self, id: ProjectId) -> Result<Project, Error> {
        let found = store::find(self.commands.db().reader(), id).await?;
        found.ok_or_else(|| no_project(id))
    }

    /// Reads a project that is published to all.
    ///
    /// # Errors
    /// If there is none, or it is not published to all, which look alike; if the database fails.
    pub async fn view_project(&self, id: ProjectId) -> Result<Project, Error> {
        let found = store::find(self.commands.db().reader(), id).await?;
        found.filter(Project::is_public).ok_or_else(|| no_project(id))
    }

    /// Reads one page of a client's projects, the newest first.
    ///
    /// # Errors
    /// If there is no such client, or the database fails.
    pub async fn list_projects(&self, query: &ListProjects) -> Result<Listed<Project, ProjectId>, Error> {
        let ListProjects {
            client_id,
            states,
            page,
        } = query;
        let conn = self.commands.db().reader();
        expect_client(conn, *client_id).await?;
        let found = store::list(conn, *client_id, states, page.after, page.limit()).await?;
        Ok(page.cut(found, |project| project.id))
    }

    /// Reads one page of the work that somebody can find, the newest first [F15].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find_work(&self, query: &FindWork) -> Result<Listed<Project, ProjectId>, Error> {
        let FindWork { wanted, page } = query;
        let found = store::find_work(self.commands.db().reader(), wanted, page.after, page.limit()).await?;
        Ok(page.cut(found, |project| project.id))
    }
}

pub(super) fn no_project(id: ProjectId) -> Error {
    Error::not_found("project", id)
}

/// The project, which nobody else changes until the transaction ends.
pub(super) async fn locked(txn: &Txn, id: ProjectId) -> Result<Project, Error> {
    store::lock(txn, id).await?.ok_or_else(|| no_project(id))
}

/// The talent cloud that alone is to see the project is the client's, and in use.
async fn expect_audience(txn: &Txn, client: ClientId, says: &Says) -> Result<(), Error> {
    let Some(id) = says.cloud_id else { return Ok(()) };
    let cloud = clouds::locked(txn, id).await?;
    // Of another client's cloud not even this is told, whether it is archived.
    if cloud.client_id != client {
        return Err(Error::not_found("talent cloud", id));
    }
    clouds::in_use(cloud).map(drop)
}

async fn tell(txn: &Txn, now: Timestamp, project: &Project) -> Result<(), Error> {
    let event = pb::ProjectChanged {
        project_id: project.id.to_string(),
        client_id: project.client_id.to_string(),
        state: pb::project::State::from(project.state).into(),
        change_time: Some(to_wire_time(now)),
    };
    Ok(outbox::append(txn, now, &[NewEvent::new(project.id.as_uuid(), &event)]).await?)
}
