//! Templates of tasks: what clients and the platform require of cases that open from now on [B4, F16].

use std::sync::Arc;

use vouch_primitives::{ClientId, TaskTemplateId, Timestamp};
use vouch_proto::{Listed, Page, onboarding::v1 as pb};
use vouch_storage::idempotency::RequestKey;

use super::{App, count};
use crate::{
    domain::{
        Counted, Form, Owner, Selector, TaskTemplate,
        template::{Situation, TemplateVersion},
    },
    error::Error,
    store::task_templates as store,
};

/// What a template says, in a version.
#[derive(Clone, Debug)]
pub struct Content {
    /// The cases that it is for, but for the client.
    pub applies_to: Selector,
    /// Who has to do it.
    pub owner: Owner,
    /// What it is called.
    pub title: String,
    /// Why it is asked for.
    pub why: String,
    /// What it asks for.
    pub form: Form,
    /// Whether somebody looks at what is handed in.
    pub reviewed: bool,
    /// For how many days an answer is good for later cases.
    pub valid_days: u32,
}

/// Writes a template.
#[derive(Clone, Debug)]
pub struct CreateTaskTemplate {
    /// Whose it is to be; `None` for the platform's.
    pub client_id: Option<ClientId>,
    /// What it says.
    pub content: Content,
}

/// Writes a new version of a template.
#[derive(Clone, Debug)]
pub struct UpdateTaskTemplate {
    /// Which.
    pub task_template_id: TaskTemplateId,
    /// What it says from now on.
    pub content: Content,
}

/// Takes a template out of use.
#[derive(Clone, Copy, Debug)]
pub struct RetireTaskTemplate {
    /// Which.
    pub task_template_id: TaskTemplateId,
}

/// Lists templates.
#[derive(Clone, Debug)]
pub struct ListTaskTemplates {
    /// Whose; `None` for the platform's.
    pub client_id: Option<ClientId>,
    /// Whether those out of use are told, too.
    pub include_retired: bool,
    /// Which page.
    pub page: Page<TaskTemplateId>,
}

/// Lists the templates of the tasks that a case would get.
#[derive(Clone, Debug)]
pub struct PreviewTasks {
    /// What is known of the case.
    pub case: Situation,
    /// Which page.
    pub page: Page<TaskTemplateId>,
}

impl App {
    /// Writes a template, in its first version.
    ///
    /// # Errors
    /// If the client has as many in use as it may, or has written too many today; if the database fails.
    pub async fn create_task_template(
        &self,
        key: &RequestKey,
        command: &CreateTaskTemplate,
    ) -> Result<pb::CreateTaskTemplateResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                count(&txn, now, Counted::TemplatesOf(command.client_id)).await?;
                if !store::count_in(&txn, command.client_id).await? {
                    return Err(Error::TooManyTemplates);
                }
                let version = TemplateVersion {
                    id: TaskTemplateId::new(),
                    version: 1,
                };
                let template = command.content.template(version, command.client_id, now);
                store::insert(&txn, &template).await?;
                let template = Some(template.into());
                Ok(pb::CreateTaskTemplateResponse { template })
            })
            .await
    }

    /// Writes a new version of a template.
    ///
    /// # Errors
    /// If there is no such template, it is out of use, or its client has written too many today; if the database fails.
    pub async fn update_task_template(
        &self,
        key: &RequestKey,
        command: &UpdateTaskTemplate,
    ) -> Result<pb::UpdateTaskTemplateResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let id = command.task_template_id;
                let found = store::lock_newest(&txn, id).await?;
                let current = found.ok_or_else(|| Error::not_found("task_template", id))?;
                if current.retired_at.is_some() {
                    return Err(Error::TemplateRetired);
                }
                count(&txn, now, Counted::TemplatesOf(current.applies_to.client_id)).await?;
                let version = TemplateVersion {
                    id,
                    version: current.version.version.saturating_add(1),
                };
                let template = command.content.template(version, current.applies_to.client_id, now);
                store::insert(&txn, &template).await?;
                let template = Some(template.into());
                Ok(pb::UpdateTaskTemplateResponse { template })
            })
            .await
    }

    /// Takes a template out of use. Doing so again is a normal outcome.
    ///
    /// # Errors
    /// If there is no such template, or the database fails.
    pub async fn retire_task_template(
        &self,
        key: &RequestKey,
        command: &RetireTaskTemplate,
    ) -> Result<pb::RetireTaskTemplateResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let id = command.task_template_id;
                let found = store::lock_newest(&txn, id).await?;
                let mut template = found.ok_or_else(|| Error::not_found("task_template", id))?;
                if template.retired_at.is_none() {
                    template.retired_at = Some(now);
                    store::save_retired(&txn, &template).await?;
                    store::count_out(&txn, template.applies_to.client_id).await?;
                }
                let template = Some(template.into());
                Ok(pb::RetireTaskTemplateResponse { template })
            })
            .await
    }

    /// Lists templates in their newest version, the oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_task_templates(
        &self,
        query: &ListTaskTemplates,
    ) -> Result<Listed<TaskTemplate, TaskTemplateId>, Error> {
        let ListTaskTemplates {
            client_id,
            include_retired,
            page,
        } = query;
        let conn = self.db().reader();
        let templates = store::list(conn, *client_id, *include_retired, page.after, page.limit()).await?;
        Ok(page.cut(templates, |template| template.version.id))
    }

    /// Lists the templates of the tasks that a case in this situation would get now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn preview_tasks(&self, query: &PreviewTasks) -> Result<Listed<TaskTemplate, TaskTemplateId>, Error> {
        let conn = self.db().reader();
        let mut templates = store::matching(conn, &query.case).await?;
        // The last one of the page before may be out of use by now; where it stood, it still tells.
        if let Some(last) = query.page.after {
            let client = store::client_of(conn, last).await?;
            let last = client.map(|client| (client.is_some(), last));
            let place = |template: &TaskTemplate| (template.applies_to.client_id.is_some(), template.version.id);
            templates.retain(|template| last.is_some_and(|last| place(template) > last));
        }
        Ok(query.page.cut(templates, |template| template.version.id))
    }
}

impl Content {
    fn template(&self, version: TemplateVersion, client_id: Option<ClientId>, now: Timestamp) -> TaskTemplate {
        TaskTemplate {
            version,
            applies_to: Selector {
                client_id,
                ..self.applies_to
            },
            owner: self.owner,
            title: self.title.clone(),
            why: self.why.clone(),
            form: Arc::new(self.form.clone()),
            reviewed: self.reviewed,
            valid_days: self.valid_days,
            created_at: now,
            retired_at: None,
        }
    }
}
