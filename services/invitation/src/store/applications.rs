//! Applications for projects.

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, OnConflict},
};
use vouch_primitives::{ApplicationId, ClientId, InvitationId, PersonId, ProjectId, Timestamp};
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{ROWS, unreadable};
use crate::domain::{
    Applicant, Application, ApplicationStage, ApplicationState, Recipient, Whose, invitation::ERASED_ADDRESS,
};

const STAGES: [ApplicationStage; 5] = [
    ApplicationStage::Submitted,
    ApplicationStage::Offered,
    ApplicationStage::Hired,
    ApplicationStage::Declined,
    ApplicationStage::Withdrawn,
];

/// Adds an application, unless the person has applied for the project before; tells whether it was added.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, application: &Application) -> Result<bool, StorageError> {
    let once = OnConflict::columns([Column::ProjectId, Column::PersonId])
        .do_nothing()
        .to_owned();
    let added = Entity::insert(row(application))
        .on_conflict(once)
        .exec_without_returning(txn)
        .await?;
    Ok(added == 1)
}

/// Notes where an application stands.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, application: &Application) -> Result<(), StorageError> {
    row(application).update(txn).await?;
    Ok(())
}

/// Reads an application.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: ApplicationId) -> Result<Option<Application>, StorageError> {
    one(conn, Entity::find_by_id(id.as_uuid())).await
}

/// Reads an application that the transaction is going to change.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: ApplicationId) -> Result<Option<Application>, StorageError> {
    one(txn, Entity::find_by_id(id.as_uuid()).lock_exclusive()).await
}

/// The application of a person for a project, which the transaction is going to change.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_person(
    txn: &Txn,
    project: ProjectId,
    person: PersonId,
) -> Result<Option<Application>, StorageError> {
    let query = Entity::find()
        .filter(Column::ProjectId.eq(project.as_uuid()))
        .filter(Column::PersonId.eq(person.as_uuid()));
    one(txn, query.lock_exclusive()).await
}

/// The applications that were answered with these offers, which the transaction is going to change.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_offers(txn: &Txn, offers: &[InvitationId]) -> Result<Vec<Application>, StorageError> {
    let mut found = Vec::new();
    for chunk in offers.chunks(ROWS) {
        let query = Entity::find()
            .filter(Column::InvitationId.is_in(chunk.iter().map(|id| id.as_uuid())))
            .order_by_asc(Column::Id);
        found.extend(all(txn, query.lock_exclusive()).await?);
    }
    Ok(found)
}

/// The applications of these people that are not erased yet, which the transaction is going to change.
///
/// # Errors
/// When the database fails.
pub async fn lock_of_people(txn: &Txn, people: &[PersonId]) -> Result<Vec<Application>, StorageError> {
    let mut found = Vec::new();
    for chunk in people.chunks(ROWS) {
        let query = Entity::find()
            .filter(of_people(chunk))
            .filter(Column::ContactEmail.ne(ERASED_ADDRESS))
            .order_by_asc(Column::Id);
        found.extend(all(txn, query.lock_exclusive()).await?);
    }
    Ok(found)
}

/// Forgets what these people have said of themselves, and what they were told.
///
/// # Errors
/// When the database fails.
pub async fn erase(txn: &Txn, people: &[PersonId]) -> Result<(), StorageError> {
    for chunk in people.chunks(ROWS) {
        Entity::update_many()
            .set(ActiveModel {
                applicant_name: Set(String::new()),
                contact_email: Set(ERASED_ADDRESS.to_owned()),
                message: Set(String::new()),
                decline_reason: Set(String::new()),
                ..Default::default()
            })
            .filter(of_people(chunk))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Applications, the newest first, from the one after `after` on; in these states only, and only recommended ones, if that
/// is said.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    whose: Whose,
    stages: &[ApplicationStage],
    recommended: bool,
    after: Option<ApplicationId>,
    limit: u64,
) -> Result<Vec<Application>, StorageError> {
    let mut query = Entity::find().filter(match whose {
        Whose::Project(project) => Column::ProjectId.eq(project.as_uuid()),
        Whose::Person(person) => Column::PersonId.eq(person.as_uuid()),
        Whose::RecommendedBy(person) => Column::RecommendedBy.eq(person.as_uuid()),
    });
    if !stages.is_empty() {
        query = query.filter(Column::State.is_in(stages.iter().map(|stage| name_of(*stage))));
    }
    if recommended {
        query = query.filter(Column::RecommendedBy.is_not_null());
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.lt(after.as_uuid()));
    }
    all(conn, query.order_by_desc(Column::Id).limit(limit)).await
}

fn of_people(people: &[PersonId]) -> Expr {
    Column::PersonId.is_in(people.iter().map(|person| person.as_uuid()))
}

async fn one(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Option<Application>, StorageError> {
    query.one(conn).await?.map(application).transpose()
}

async fn all(conn: &impl ConnectionTrait, query: Select<Entity>) -> Result<Vec<Application>, StorageError> {
    query.all(conn).await?.into_iter().map(application).collect()
}

const fn name_of(stage: ApplicationStage) -> &'static str {
    match stage {
        ApplicationStage::Submitted => "SUBMITTED",
        ApplicationStage::Offered => "OFFERED",
        ApplicationStage::Hired => "HIRED",
        ApplicationStage::Declined => "DECLINED",
        ApplicationStage::Withdrawn => "WITHDRAWN",
    }
}

fn row(application: &Application) -> ActiveModel {
    let Applicant { contact, message } = &application.applicant;
    let reason = match &application.state {
        ApplicationState::Declined(reason) => reason.as_str(),
        _ => "",
    };
    ActiveModel {
        id: Set(application.id.as_uuid()),
        project_id: Set(application.project_id.as_uuid()),
        client_id: Set(application.client_id.as_uuid()),
        person_id: Set(application.person_id.as_uuid()),
        applicant_name: Set(contact.name.clone()),
        contact_email: Set(contact.email.to_string()),
        message: Set(message.clone()),
        recommended_by: Set(application.recommended_by.map(|person| person.as_uuid())),
        state: Set(name_of(application.state.stage()).to_owned()),
        invitation_id: Set(application.state.offer().map(|offer| offer.as_uuid())),
        decline_reason: Set(reason.to_owned()),
        applied_at: Set(application.applied_at.as_micros()),
        since: Set(application.since.as_micros()),
    }
}

fn application(row: Model) -> Result<Application, StorageError> {
    let offer = row.invitation_id.map(InvitationId::from_uuid);
    let stage = STAGES.into_iter().find(|stage| name_of(*stage) == row.state);
    let state = match (stage, offer) {
        (Some(ApplicationStage::Submitted), None) => ApplicationState::Submitted,
        (Some(ApplicationStage::Offered), Some(offer)) => ApplicationState::Offered(offer),
        (Some(ApplicationStage::Hired), Some(offer)) => ApplicationState::Hired(offer),
        (Some(ApplicationStage::Declined), None) => ApplicationState::Declined(row.decline_reason),
        (Some(ApplicationStage::Withdrawn), None) => ApplicationState::Withdrawn,
        _ => return Err(unreadable("application.state", row.state)),
    };
    let email = row.contact_email.parse();
    Ok(Application {
        id: ApplicationId::from_uuid(row.id),
        project_id: ProjectId::from_uuid(row.project_id),
        client_id: ClientId::from_uuid(row.client_id),
        person_id: PersonId::from_uuid(row.person_id),
        applicant: Applicant {
            contact: Recipient {
                email: email.map_err(|error| unreadable("application.contact_email", error))?,
                name: row.applicant_name,
            },
            message: row.message,
        },
        recommended_by: row.recommended_by.map(PersonId::from_uuid),
        state,
        applied_at: Timestamp::from_micros(row.applied_at),
        since: Timestamp::from_micros(row.since),
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "application")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub project_id: Uuid,
        pub client_id: Uuid,
        pub person_id: Uuid,
        pub applicant_name: String,
        pub contact_email: String,
        pub message: String,
        pub recommended_by: Option<Uuid>,
        pub state: String,
        pub invitation_id: Option<Uuid>,
        pub decline_reason: String,
        pub applied_at: i64,
        pub since: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
