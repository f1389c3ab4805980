//! Templates of tasks, and what they ask for.

use std::sync::Arc;

use prost::Message;
use vouch_primitives::TaskTemplateId;
use vouch_proto::{Fields, Violations, convert::to_wire_time, invitation::v1 as invitation, onboarding::v1 as pb};

use super::{all_unless, forms::form, known};
use crate::{
    app::task_templates::{
        Content, CreateTaskTemplate, ListTaskTemplates, PreviewTasks, RetireTaskTemplate, UpdateTaskTemplate,
    },
    domain::{
        Form, Owner, Plan, Selector, Talent, TaskTemplate,
        form::MAX_FORM_BYTES,
        template::{MAX_VALID_DAYS, Situation, TITLE_LENGTH, WHY_LENGTH, Work},
    },
};

impl TryFrom<pb::CreateTaskTemplateRequest> for CreateTaskTemplate {
    type Error = Violations;

    fn try_from(request: pb::CreateTaskTemplateRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id_if_set("client_id", &request.client_id);
        let content = content(&mut fields, request.content);
        let (Some(client_id), Some(content)) = (client_id, content) else {
            return Err(fields.into());
        };
        fields.finish(Self { client_id, content })
    }
}

impl TryFrom<pb::UpdateTaskTemplateRequest> for UpdateTaskTemplate {
    type Error = Violations;

    fn try_from(request: pb::UpdateTaskTemplateRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id: Option<TaskTemplateId> = fields.id("task_template_id", &request.task_template_id);
        let content = content(&mut fields, request.content);
        let (Some(task_template_id), Some(content)) = (id, content) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            task_template_id,
            content,
        })
    }
}

impl TryFrom<pb::RetireTaskTemplateRequest> for RetireTaskTemplate {
    type Error = Violations;

    fn try_from(request: pb::RetireTaskTemplateRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("task_template_id", &request.task_template_id);
        let Some(task_template_id) = id else {
            return Err(fields.into());
        };
        fields.finish(Self { task_template_id })
    }
}

impl TryFrom<pb::ListTaskTemplatesRequest> for ListTaskTemplates {
    type Error = Violations;

    fn try_from(request: pb::ListTaskTemplatesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id_if_set("client_id", &request.client_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(client_id), Some(page)) = (client_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            client_id,
            include_retired: request.include_retired,
            page,
        })
    }
}

impl TryFrom<pb::PreviewTasksRequest> for PreviewTasks {
    type Error = Violations;

    fn try_from(request: pb::PreviewTasksRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let plan = said(&mut fields, "plan", plan(&mut Fields::new(), request.plan).flatten());
        let talent = said(
            &mut fields,
            "talent_type",
            talent(&mut Fields::new(), request.talent_type).flatten(),
        );
        let work = said(&mut fields, "work", work(&mut Fields::new(), request.work).flatten());
        let country = known(&mut fields, "country_code", &request.country_code);
        let page = fields.page(all_unless(request.page_size), &request.page_token);
        let (Some(client_id), Some(plan), Some(talent)) = (client_id, plan, talent) else {
            return Err(fields.into());
        };
        let (Some(work), Some(country), Some(page)) = (work, country, page) else {
            return Err(fields.into());
        };
        let case = Situation {
            client_id,
            plan,
            talent,
            work,
            country,
        };
        fields.finish(Self { case, page })
    }
}

impl From<TaskTemplate> for pb::TaskTemplate {
    fn from(template: TaskTemplate) -> Self {
        let Selector {
            client_id,
            plan,
            talent,
            work,
            country,
        } = template.applies_to;
        let mut content = pb::TaskTemplateContent {
            country_code: country.map(|code| code.as_str().to_owned()).unwrap_or_default(),
            title: template.title,
            why: template.why,
            form: Some(Arc::unwrap_or_clone(template.form).into()),
            without_review: !template.reviewed,
            valid_days: template.valid_days,
            ..pb::TaskTemplateContent::default()
        };
        content.set_plan(plan.map_or(invitation::Plan::Unspecified, Into::into));
        content.set_talent_type(talent.map_or(invitation::TalentType::Unspecified, Into::into));
        content.set_work(work.map_or(pb::WorkKind::Unspecified, Into::into));
        content.set_owner(template.owner.into());
        Self {
            id: template.version.id.to_string(),
            version: template.version.version,
            client_id: client_id.map(|id| id.to_string()).unwrap_or_default(),
            content: Some(content),
            create_time: Some(to_wire_time(template.created_at)),
            retire_time: template.retired_at.map(to_wire_time),
        }
    }
}

impl From<Plan> for invitation::Plan {
    fn from(plan: Plan) -> Self {
        match plan {
            Plan::Basic => Self::Basic,
            Plan::BusinessPlus => Self::BusinessPlus,
            Plan::Enterprise => Self::Enterprise,
        }
    }
}

impl From<Talent> for invitation::TalentType {
    fn from(talent: Talent) -> Self {
        match talent {
            Talent::Freelancer => Self::Freelancer,
            Talent::Agency => Self::Agency,
        }
    }
}

impl From<Work> for pb::WorkKind {
    fn from(work: Work) -> Self {
        match work {
            Work::Hourly => Self::Hourly,
            Work::Fixed => Self::Fixed,
            Work::TalentCloud => Self::TalentCloud,
        }
    }
}

fn content(fields: &mut Fields, content: Option<pb::TaskTemplateContent>) -> Option<Content> {
    let Some(wire) = content else {
        fields.refuse("content", "REQUIRED", "is required");
        return None;
    };
    fields.within("content", |fields| {
        let applies_to = selector(fields, &wire);
        let owner = owner(fields, wire.owner);
        let title = fields.line("title", &wire.title, TITLE_LENGTH);
        let why = fields.text("why", &wire.why, WHY_LENGTH);
        let form = match wire.form {
            Some(wire) if wire.encoded_len() > MAX_FORM_BYTES => {
                let told = format!("must be encoded in at most {MAX_FORM_BYTES} bytes");
                fields.refuse("form", "TOO_LONG", told);
                None
            }
            Some(wire) => fields.within("form", |fields| form(fields, wire)),
            None => {
                fields.refuse("form", "REQUIRED", "is required");
                None
            }
        };
        if wire.valid_days > MAX_VALID_DAYS {
            fields.refuse(
                "valid_days",
                "OUT_OF_RANGE",
                format!("must be at most {MAX_VALID_DAYS}"),
            );
        }
        let (owner, form) = owner.zip(form)?;
        expect_consistent(fields, owner, &form, wire.valid_days);
        Some(Content {
            applies_to: applies_to?,
            owner,
            title: title?,
            why: why?,
            form,
            reviewed: !wire.without_review,
            valid_days: wire.valid_days,
        })
    })
}

/// Documents are the talent's to bring, answers of others are theirs alone, and each contract is classified anew.
fn expect_consistent(fields: &mut Fields, owner: Owner, form: &Form, valid_days: u32) {
    let of_words = matches!(form, Form::Agreement(_) | Form::Questionnaire(_));
    if owner != Owner::Talent && !of_words {
        fields.refuse(
            "owner",
            "OUT_OF_RANGE",
            "must be the talent, who alone brings documents",
        );
    }
    if valid_days > 0 && (form.is_classification() || owner != Owner::Talent) {
        fields.refuse(
            "valid_days",
            "OUT_OF_RANGE",
            "must be 0 for classifications, and for tasks that are not the talent's",
        );
    }
}

fn selector(fields: &mut Fields, wire: &pb::TaskTemplateContent) -> Option<Selector> {
    let plan = plan(fields, wire.plan);
    let talent = talent(fields, wire.talent_type);
    let work = work(fields, wire.work);
    let country = match wire.country_code.as_str() {
        "" => Some(None),
        code => known(fields, "country_code", code).map(Some),
    };
    Some(Selector {
        client_id: None,
        plan: plan?,
        talent: talent?,
        work: work?,
        country: country?,
    })
}

fn owner(fields: &mut Fields, wire: i32) -> Option<Owner> {
    let owner = match pb::TaskOwner::try_from(wire) {
        Ok(pb::TaskOwner::Talent) => Some(Owner::Talent),
        Ok(pb::TaskOwner::Client) => Some(Owner::Client),
        Ok(pb::TaskOwner::Platform) => Some(Owner::Platform),
        Ok(pb::TaskOwner::Unspecified) | Err(_) => None,
    };
    said(fields, "owner", owner)
}

fn plan(fields: &mut Fields, wire: i32) -> Option<Option<Plan>> {
    match invitation::Plan::try_from(wire) {
        Ok(invitation::Plan::Unspecified) => Some(None),
        Ok(invitation::Plan::Basic) => Some(Some(Plan::Basic)),
        Ok(invitation::Plan::BusinessPlus) => Some(Some(Plan::BusinessPlus)),
        Ok(invitation::Plan::Enterprise) => Some(Some(Plan::Enterprise)),
        Err(_) => unknown(fields, "plan"),
    }
}

fn talent(fields: &mut Fields, wire: i32) -> Option<Option<Talent>> {
    match invitation::TalentType::try_from(wire) {
        Ok(invitation::TalentType::Unspecified) => Some(None),
        Ok(invitation::TalentType::Freelancer) => Some(Some(Talent::Freelancer)),
        Ok(invitation::TalentType::Agency) => Some(Some(Talent::Agency)),
        Err(_) => unknown(fields, "talent_type"),
    }
}

fn work(fields: &mut Fields, wire: i32) -> Option<Option<Work>> {
    match pb::WorkKind::try_from(wire) {
        Ok(pb::WorkKind::Unspecified) => Some(None),
        Ok(pb::WorkKind::Hourly) => Some(Some(Work::Hourly)),
        Ok(pb::WorkKind::Fixed) => Some(Some(Work::Fixed)),
        Ok(pb::WorkKind::TalentCloud) => Some(Some(Work::TalentCloud)),
        Err(_) => unknown(fields, "work"),
    }
}

fn unknown<T>(fields: &mut Fields, field: &str) -> Option<T> {
    fields.refuse(field, "OUT_OF_RANGE", "must be one that there is");
    None
}

/// A value that must be said.
fn said<T>(fields: &mut Fields, field: &str, value: Option<T>) -> Option<T> {
    if value.is_none() {
        fields.refuse(field, "REQUIRED", "is required");
    }
    value
}
