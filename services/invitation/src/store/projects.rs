//! Projects, and the links by which people share them.

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{CaseStatement, Expr, ExprTrait, OnConflict, Query},
};
use vouch_primitives::{ClientId, PersonId, ProjectId, ProjectShareId, TalentCloudId, Timestamp, Uuid};
use vouch_storage::{StorageError, Txn, containing};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, clients, read_terms, unreadable, write_terms};
use crate::domain::{PayKind, Project, ProjectState, Share, Skills, WorkQuery, project::Says};

const STATES: [ProjectState; 3] = [ProjectState::Draft, ProjectState::Published, ProjectState::Closed];

/// Adds a project.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, project: &Project) -> Result<(), StorageError> {
    Entity::insert(row(project)).exec_without_returning(txn).await?;
    Ok(())
}

/// Notes what a project says and where it stands.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, project: &Project) -> Result<(), StorageError> {
    row(project).update(txn).await?;
    Ok(())
}

/// Reads a project.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: ProjectId) -> Result<Option<Project>, StorageError> {
    one(conn, Entity::find_by_id(id.as_uuid())).await
}

/// Reads a project that the transaction is going to change, or that must not be closed before it ends.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: ProjectId) -> Result<Option<Project>, StorageError> {
    Entity::find_by_id(id.as_uuid()).lock_exclusive().one(txn).await?;
    find(txn, id).await
}

/// Reads a project that this person can find.
///
/// # Errors
/// When the database fails.
pub async fn find_for(
    conn: &impl ConnectionTrait,
    id: ProjectId,
    person: PersonId,
) -> Result<Option<Project>, StorageError> {
    let query = Entity::find_by_id(id.as_uuid()).filter(open_to(person));
    one(conn, query).await
}

/// A client's projects in these states, the newest first, from the one after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    client: ClientId,
    states: &[ProjectState],
    after: Option<ProjectId>,
    limit: u64,
) -> Result<Vec<Project>, StorageError> {
    let mut query = Entity::find().filter(Column::ClientId.eq(client.as_uuid()));
    if !states.is_empty() {
        query = query.filter(Column::State.is_in(states.iter().map(|state| name_of(*state))));
    }
    newest_first(conn, query, after, limit).await
}

/// The projects that somebody who looks for work can find, the newest first, from the one after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn find_work(
    conn: &impl ConnectionTrait,
    wanted: &WorkQuery,
    after: Option<ProjectId>,
    limit: u64,
) -> Result<Vec<Project>, StorageError> {
    let mut query = Entity::find().filter(open_to(wanted.person_id));
    for word in &wanted.words {
        query = query.filter(Column::Words.like(containing(word)));
    }
    for skill in wanted.skills.names() {
        query = query.filter(Column::Skills.like(containing(&format!("\n{skill}\n"))));
    }
    if let Some(pay) = wanted.pay {
        query = query.filter(Column::PayKind.eq(pay_name_of(pay)));
    }
    newest_first(conn, query, after, limit).await
}

/// Whose a project is.
///
/// # Errors
/// When the database fails.
pub async fn client_of(conn: &impl ConnectionTrait, id: ProjectId) -> Result<Option<ClientId>, StorageError> {
    let row = Entity::find_by_id(id.as_uuid()).one(conn).await?;
    Ok(row.map(|row| ClientId::from_uuid(row.client_id)))
}

/// The link by which somebody shares a project from one source: `new`, or the one that there is.
///
/// # Errors
/// When the database fails.
pub async fn share(txn: &Txn, new: Share) -> Result<Share, StorageError> {
    let same = OnConflict::columns([share::Column::ProjectId, share::Column::PersonId, share::Column::Source])
        .do_nothing()
        .to_owned();
    let row = share::ActiveModel {
        id: Set(new.id.as_uuid()),
        project_id: Set(new.project_id.as_uuid()),
        person_id: Set(new.person_id.as_uuid()),
        source: Set(new.source.clone()),
        code: Set(new.code.clone()),
    };
    let added = share::Entity::insert(row)
        .on_conflict(same)
        .exec_without_returning(txn)
        .await?;
    if added == 1 {
        return Ok(new);
    }
    let there = share::Entity::find()
        .filter(share::Column::ProjectId.eq(new.project_id.as_uuid()))
        .filter(share::Column::PersonId.eq(new.person_id.as_uuid()))
        .filter(share::Column::Source.eq(&new.source))
        .one(txn)
        .await?;
    Ok(there.map_or(new, shared))
}

/// Forgets where these people have shared projects: a link keeps its id, which then stands for where.
///
/// # Errors
/// When the database fails.
pub async fn erase_shares(txn: &Txn, people: &[PersonId]) -> Result<(), StorageError> {
    for chunk in people.chunks(ROWS) {
        let said = share::Column::PersonId
            .is_in(chunk.iter().map(|person| person.as_uuid()))
            .and(share::Column::Source.ne(""));
        let ids: Vec<Uuid> = share::Entity::find()
            .select_only()
            .column(share::Column::Id)
            .filter(said)
            .into_tuple()
            .all(txn)
            .await?;
        for ids in ids.chunks(ROWS) {
            let anywhere = ids.iter().fold(CaseStatement::new(), |cases, id| {
                cases.case(Expr::col(share::Column::Id).eq(*id), id.to_string())
            });
            share::Entity::update_many()
                .col_expr(share::Column::Source, anywhere.into())
                .filter(share::Column::Id.is_in(ids.iter().copied()))
                .exec(txn)
                .await?;
        }
    }
    Ok(())
}

/// The link of this id to this project.
///
/// # Errors
/// When the database fails.
pub async fn find_share(
    conn: &impl ConnectionTrait,
    project: ProjectId,
    id: ProjectShareId,
) -> Result<Option<Share>, StorageError> {
    let query = share::Entity::find_by_id(id.as_uuid()).filter(share::Column::ProjectId.eq(project.as_uuid()));
    Ok(query.one(conn).await?.map(shared))
}

/// Published to all, or to a talent cloud that the person is in.
fn open_to(person: PersonId) -> Condition {
    let clouds_of_theirs = Query::select()
        .column("talent_cloud_id")
        .from("talent_cloud_member")
        .and_where(Expr::col("person_id").eq(person.as_uuid()))
        .and_where(Expr::col("state").is_in(["ONBOARDING", "READY"]))
        .to_owned();
    Condition::all()
        .add(Column::State.eq(name_of(ProjectState::Published)))
        .add(
            Condition::any()
                .add(Column::TalentCloudId.is_null())
                .add(Column::TalentCloudId.in_subquery(clouds_of_theirs)),
        )
}

async fn newest_first(
    conn: &impl ConnectionTrait,
    mut query: Select<Entity>,
    after: Option<ProjectId>,
    limit: u64,
) -> Result<Vec<Project>, StorageError> {
    if let Some(after) = after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    all(conn, query.order_by_desc(Column::Id).limit(limit)).await
}

async fn one(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Option<Project>, StorageError> {
    Ok(all(conn, query.limit(1)).await?.pop())
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Project>, StorageError> {
    let rows = query.find_also_related(clients::entity::Entity).all(conn).await?;
    rows.into_iter().map(project).collect()
}

const fn name_of(state: ProjectState) -> &'static str {
    match state {
        ProjectState::Draft => "DRAFT",
        ProjectState::Published => "PUBLISHED",
        ProjectState::Closed => "CLOSED",
    }
}

const fn pay_name_of(pay: PayKind) -> &'static str {
    match pay {
        PayKind::Hourly => "HOURLY",
        PayKind::Fixed => "FIXED",
    }
}

fn row(project: &Project) -> ActiveModel {
    let Says {
        terms,
        skills,
        cloud_id,
    } = &project.says;
    let mut between = String::from("\n");
    for skill in skills.names() {
        between.push_str(skill);
        between.push('\n');
    }
    ActiveModel {
        id: Set(project.id.as_uuid()),
        client_id: Set(project.client_id.as_uuid()),
        talent_cloud_id: Set(cloud_id.map(|cloud| cloud.as_uuid())),
        contract_terms: Set(write_terms(terms)),
        pay_kind: Set(pay_name_of(project.says.pay_kind()).to_owned()),
        skills: Set(between),
        words: Set(project.says.words()),
        state: Set(name_of(project.state).to_owned()),
        created_at: Set(project.created_at.as_micros()),
        published_at: Set(project.published_at.map(Timestamp::as_micros)),
        closed_at: Set(project.closed_at.map(Timestamp::as_micros)),
    }
}

fn project((row, client): (Model, Option<clients::entity::Model>)) -> Result<Project, StorageError> {
    let client = client.ok_or_else(|| unreadable("project.client_id", row.client_id))?;
    let state = STATES.into_iter().find(|state| name_of(*state) == row.state);
    let names = row.skills.split('\n').filter(|name| !name.is_empty());
    Ok(Project {
        id: ProjectId::from_uuid(row.id),
        client_id: ClientId::from_uuid(row.client_id),
        company_name: client.company_name,
        says: Says {
            terms: read_terms("project.contract_terms", &row.contract_terms)?,
            skills: Skills::new(names.map(str::to_owned)),
            cloud_id: row.talent_cloud_id.map(TalentCloudId::from_uuid),
        },
        state: state.ok_or_else(|| unreadable("project.state", &row.state))?,
        created_at: Timestamp::from_micros(row.created_at),
        published_at: row.published_at.map(Timestamp::from_micros),
        closed_at: row.closed_at.map(Timestamp::from_micros),
    })
}

fn shared(row: share::Model) -> Share {
    Share {
        id: ProjectShareId::from_uuid(row.id),
        project_id: ProjectId::from_uuid(row.project_id),
        person_id: PersonId::from_uuid(row.person_id),
        source: row.source,
        code: row.code,
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    use super::super::clients;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "project")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub client_id: Uuid,
        pub talent_cloud_id: Option<Uuid>,
        pub contract_terms: Vec<u8>,
        pub pay_kind: String,
        pub skills: String,
        pub words: String,
        pub state: String,
        pub created_at: i64,
        pub published_at: Option<i64>,
        pub closed_at: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "clients::entity::Entity",
            from = "Column::ClientId",
            to = "clients::entity::Column::Id"
        )]
        Client,
    }

    impl Related<clients::entity::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Client.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod share {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "project_share")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub project_id: Uuid,
        pub person_id: Uuid,
        pub source: String,
        pub code: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
