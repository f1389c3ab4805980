//! Templates of tasks, one row for each version.

use std::{collections::HashMap, sync::Arc};

use prost::Message;
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, ExprTrait, LockType, OnConflict},
};
use vouch_primitives::{ClientId, TaskTemplateId, Timestamp, Uuid};
use vouch_proto::onboarding::v1 as pb;
use vouch_storage::{StorageError, Txn};

use super::{
    cases::{plan_from_text, talent_from_text},
    unreadable,
};
use crate::domain::{
    Form, Owner, Selector, TaskTemplate,
    template::{MAX_TEMPLATES, Situation, TemplateVersion, Work},
};

/// How many alternatives one query asks for: SQLite takes no more than a thousand.
const ALTERNATIVES: usize = 500;

/// Adds a version of a template, which is the newest from now on.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, template: &TaskTemplate) -> Result<(), StorageError> {
    entity::Entity::update_many()
        .col_expr(entity::Column::Newest, Expr::value(false))
        .filter(entity::Column::Id.eq(template.version.id.as_uuid()))
        .filter(entity::Column::Newest.eq(true))
        .exec(txn)
        .await?;
    let Selector {
        client_id,
        plan,
        talent,
        work,
        country,
    } = template.applies_to;
    let row = entity::ActiveModel {
        id: Set(template.version.id.as_uuid()),
        version: Set(version_to_row(template.version.version)),
        newest: Set(true),
        client_id: Set(client_id.map(ClientId::as_uuid)),
        plan: Set(plan.map(|plan| plan.as_str().to_owned())),
        talent: Set(talent.map(|talent| talent.as_str().to_owned())),
        work: Set(work.map(|work| work.as_str().to_owned())),
        country_code: Set(country.map(|country| country.as_str().to_owned())),
        owner: Set(template.owner.as_str().to_owned()),
        title: Set(template.title.clone()),
        why: Set(template.why.clone()),
        kind: Set(template.form.kind().to_owned()),
        form: Set(pb::TaskForm::from(Form::clone(&template.form)).encode_to_vec()),
        reviewed: Set(template.reviewed),
        valid_days: Set(version_to_row(template.valid_days)),
        created_at: Set(template.created_at.as_micros()),
        retired_at: Set(template.retired_at.map(Timestamp::as_micros)),
    };
    entity::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// Reads the newest version of a template and locks it.
///
/// # Errors
/// When the database fails.
pub async fn lock_newest(txn: &Txn, id: TaskTemplateId) -> Result<Option<TaskTemplate>, StorageError> {
    let row = entity::Entity::find()
        .filter(entity::Column::Id.eq(id.as_uuid()))
        .filter(entity::Column::Newest.eq(true))
        .lock(LockType::Update)
        .one(txn)
        .await?;
    row.map(template).transpose()
}

/// Whose template it is: `None` if there is none, `Some(None)` if it is the platform's.
///
/// # Errors
/// When the database fails.
pub async fn client_of(
    conn: &impl ConnectionTrait,
    id: TaskTemplateId,
) -> Result<Option<Option<ClientId>>, StorageError> {
    let found: Option<Option<Uuid>> = entity::Entity::find()
        .select_only()
        .column(entity::Column::ClientId)
        .filter(entity::Column::Id.eq(id.as_uuid()))
        .filter(entity::Column::Newest.eq(true))
        .into_tuple()
        .one(conn)
        .await?;
    Ok(found.map(|client| client.map(ClientId::from_uuid)))
}

/// Saves since when a template is out of use.
///
/// # Errors
/// When the database fails.
pub async fn save_retired(txn: &Txn, template: &TaskTemplate) -> Result<(), StorageError> {
    entity::Entity::update_many()
        .col_expr(
            entity::Column::RetiredAt,
            Expr::value(template.retired_at.map(Timestamp::as_micros)),
        )
        .filter(entity::Column::Id.eq(template.version.id.as_uuid()))
        .filter(entity::Column::Newest.eq(true))
        .exec(txn)
        .await?;
    Ok(())
}

/// At most `limit` templates of a client, or of all clients if none is named, in their newest version, that come after
/// `after`, the oldest first.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    client: Option<ClientId>,
    include_retired: bool,
    after: Option<TaskTemplateId>,
    limit: u64,
) -> Result<Vec<TaskTemplate>, StorageError> {
    let of_client = match client {
        Some(client) => entity::Column::ClientId.eq(client.as_uuid()),
        None => entity::Column::ClientId.is_null(),
    };
    let mut wanted = entity::Entity::find()
        .filter(of_client)
        .filter(entity::Column::Newest.eq(true));
    if !include_retired {
        wanted = wanted.filter(entity::Column::RetiredAt.is_null());
    }
    if let Some(after) = after {
        wanted = wanted.filter(entity::Column::Id.gt(after.as_uuid()));
    }
    let rows = wanted.order_by_asc(entity::Column::Id).limit(limit).all(conn).await?;
    rows.into_iter().map(template).collect()
}

/// The templates that a case in this situation gets its tasks from: the platform's first, then the client's, the oldest
/// first.
///
/// # Errors
/// When the database fails.
pub async fn matching(conn: &impl ConnectionTrait, case: &Situation) -> Result<Vec<TaskTemplate>, StorageError> {
    let of_client = Condition::any()
        .add(entity::Column::ClientId.is_null())
        .add(entity::Column::ClientId.eq(case.client_id.as_uuid()));
    let rows = entity::Entity::find()
        .filter(of_client)
        .filter(entity::Column::Newest.eq(true))
        .filter(entity::Column::RetiredAt.is_null())
        .order_by_asc(entity::Column::Id)
        .all(conn)
        .await?;
    let templates: Result<Vec<_>, _> = rows.into_iter().map(template).collect();
    let mut templates = templates?;
    templates.retain(|template| template.applies_to.is_for(case));
    templates.sort_by_key(|template| template.applies_to.client_id.is_some());
    Ok(templates)
}

/// These versions of templates, however many.
///
/// # Errors
/// When the database fails.
pub async fn find_versions(
    conn: &impl ConnectionTrait,
    versions: impl IntoIterator<Item = TemplateVersion>,
) -> Result<HashMap<TemplateVersion, TaskTemplate>, StorageError> {
    let versions: Vec<_> = versions.into_iter().collect();
    let mut found = HashMap::new();
    for chunk in versions.chunks(ALTERNATIVES) {
        let wanted = chunk.iter().fold(Condition::any(), |wanted, version| {
            let same = entity::Column::Id.eq(version.id.as_uuid());
            wanted.add(same.and(entity::Column::Version.eq(version_to_row(version.version))))
        });
        for row in entity::Entity::find().filter(wanted).all(conn).await? {
            let template = template(row)?;
            found.insert(template.version, template);
        }
    }
    Ok(found)
}

/// Counts one more template of a client, or of the platform, into use; `false` if there are as many as there may be. Others
/// who write one for the same client wait until the transaction ends.
///
/// # Errors
/// When the database fails.
pub async fn count_in(txn: &Txn, client: Option<ClientId>) -> Result<bool, StorageError> {
    let row = in_use::ActiveModel {
        client_id: Set(holder(client)),
        templates: Set(1),
    };
    let templates = || Expr::col((in_use::Entity, in_use::Column::Templates));
    let one_more = OnConflict::column(in_use::Column::ClientId)
        .value(in_use::Column::Templates, templates().add(1))
        .action_and_where(templates().lt(i64::from(MAX_TEMPLATES)))
        .to_owned();
    let counted = in_use::Entity::insert_many([row])
        .on_conflict(one_more)
        .exec_with_returning(txn)
        .await?;
    Ok(!counted.is_empty())
}

/// Counts a template out of use.
///
/// # Errors
/// When the database fails.
pub async fn count_out(txn: &Txn, client: Option<ClientId>) -> Result<(), StorageError> {
    in_use::Entity::update_many()
        .col_expr(in_use::Column::Templates, Expr::col(in_use::Column::Templates).sub(1))
        .filter(in_use::Column::ClientId.eq(holder(client)))
        .exec(txn)
        .await?;
    Ok(())
}

/// Under which id a client's templates are counted, and the platform's.
fn holder(client: Option<ClientId>) -> Uuid {
    client.map_or(Uuid::nil(), ClientId::as_uuid)
}

/// The owner of this name.
fn owner_from_text(text: &str) -> Result<Owner, StorageError> {
    let owners = [Owner::Talent, Owner::Client, Owner::Platform];
    let found = owners.into_iter().find(|owner| owner.as_str() == text);
    found.ok_or_else(|| unreadable("task_template.owner", text))
}

fn work_from_text(text: &str) -> Result<Work, StorageError> {
    let kinds = [Work::Hourly, Work::Fixed, Work::TalentCloud];
    let found = kinds.into_iter().find(|work| work.as_str() == text);
    found.ok_or_else(|| unreadable("task_template.work", text))
}

fn template(row: entity::Model) -> Result<TaskTemplate, StorageError> {
    let form = pb::TaskForm::decode(row.form.as_slice());
    let form = form.map_err(|error| unreadable("task_template.form", error))?;
    let form = Form::try_from(form).map_err(|error| unreadable("task_template.form", error))?;
    let country = row.country_code.map(|code| code.parse()).transpose();
    let applies_to = Selector {
        client_id: row.client_id.map(ClientId::from_uuid),
        plan: row.plan.as_deref().map(plan_from_text).transpose()?,
        talent: row.talent.as_deref().map(talent_from_text).transpose()?,
        work: row.work.as_deref().map(work_from_text).transpose()?,
        country: country.map_err(|error| unreadable("task_template.country_code", error))?,
    };
    Ok(TaskTemplate {
        version: version_from_row(row.id, row.version)?,
        applies_to,
        owner: owner_from_text(&row.owner)?,
        title: row.title,
        why: row.why,
        form: Arc::new(form),
        reviewed: row.reviewed,
        valid_days: u32::try_from(row.valid_days).map_err(|error| unreadable("task_template.valid_days", error))?,
        created_at: Timestamp::from_micros(row.created_at),
        retired_at: row.retired_at.map(Timestamp::from_micros),
    })
}

/// A version as a row names it.
pub fn version_from_row(id: Uuid, version: i32) -> Result<TemplateVersion, StorageError> {
    Ok(TemplateVersion {
        id: TaskTemplateId::from_uuid(id),
        version: u32::try_from(version).map_err(|error| unreadable("task_template.version", error))?,
    })
}

/// A small number as a row holds it.
pub fn version_to_row(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "task_template")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub version: i32,
        pub newest: bool,
        pub client_id: Option<Uuid>,
        pub plan: Option<String>,
        pub talent: Option<String>,
        pub work: Option<String>,
        pub country_code: Option<String>,
        pub owner: String,
        pub title: String,
        pub why: String,
        pub kind: String,
        pub form: Vec<u8>,
        pub reviewed: bool,
        pub valid_days: i32,
        pub created_at: i64,
        pub retired_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod in_use {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "task_template_in_use")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub client_id: Uuid,
        pub templates: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
