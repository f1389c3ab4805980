//! The members of talent clouds.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::Expr,
};
use vouch_primitives::{ClientId, InvitationId, PersonId, TalentCloudId, TalentCloudMemberId, Timestamp};
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use crate::{
    domain::{Member, MemberState},
    store::{ROWS, unreadable},
};

const STATES: [MemberState; 4] = [
    MemberState::Invited,
    MemberState::Onboarding,
    MemberState::Ready,
    MemberState::Removed,
];

/// Adds members.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, members: &[Member]) -> Result<(), StorageError> {
    for chunk in members.chunks(ROWS) {
        Entity::insert_many(chunk.iter().map(row))
            .exec_without_returning(txn)
            .await?;
    }
    Ok(())
}

/// Notes who a member is, how far they have come and how they rank.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, member: &Member) -> Result<(), StorageError> {
    row(member).update(txn).await?;
    Ok(())
}

/// Takes a member's row away, for whom there is another.
///
/// # Errors
/// When the database fails.
pub async fn delete(txn: &Txn, id: TalentCloudMemberId) -> Result<(), StorageError> {
    Entity::delete_by_id(id.as_uuid()).exec(txn).await?;
    Ok(())
}

/// A member of this talent cloud.
///
/// # Errors
/// When the database fails.
pub async fn find(txn: &Txn, cloud: TalentCloudId, id: TalentCloudMemberId) -> Result<Option<Member>, StorageError> {
    one(txn, of(cloud).filter(Column::Id.eq(id.as_uuid()))).await
}

/// The member that this person is in a talent cloud, or once was.
///
/// # Errors
/// When the database fails.
pub async fn find_person(txn: &Txn, cloud: TalentCloudId, person: PersonId) -> Result<Option<Member>, StorageError> {
    one(txn, of(cloud).filter(Column::PersonId.eq(person.as_uuid()))).await
}

/// The members, of all talent clouds, that these invitations brought, each with the client whose cloud it is.
///
/// # Errors
/// When the database fails.
pub async fn of_invitations(txn: &Txn, invitations: &[InvitationId]) -> Result<Vec<(Member, ClientId)>, StorageError> {
    let mut found = Vec::new();
    for chunk in invitations.chunks(ROWS) {
        let query = Entity::find().filter(Column::InvitationId.is_in(chunk.iter().map(|id| id.as_uuid())));
        let rows = query
            .find_also_related(super::Entity)
            .order_by_asc(Column::Id)
            .all(txn)
            .await?;
        for (row, cloud) in rows {
            let cloud = cloud.ok_or_else(|| unreadable("talent_cloud_member.talent_cloud_id", row.id))?;
            found.push((member(row)?, ClientId::from_uuid(cloud.client_id)));
        }
    }
    Ok(found)
}

/// Sets the state of members.
///
/// # Errors
/// When the database fails.
pub async fn set_state(
    txn: &Txn,
    ids: &[TalentCloudMemberId],
    state: MemberState,
    since: Timestamp,
) -> Result<(), StorageError> {
    for chunk in ids.chunks(ROWS) {
        Entity::update_many()
            .col_expr(Column::State, Expr::value(name_of(state)))
            .col_expr(Column::Since, Expr::value(since.as_micros()))
            .filter(Column::Id.is_in(chunk.iter().map(|id| id.as_uuid())))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// The members of a talent cloud in these states, in the order in which they came, from the one after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    cloud: TalentCloudId,
    states: &[MemberState],
    after: Option<TalentCloudMemberId>,
    limit: u64,
) -> Result<Vec<Member>, StorageError> {
    let mut query = of(cloud);
    if !states.is_empty() {
        query = query.filter(Column::State.is_in(states.iter().map(|state| name_of(*state))));
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after.as_uuid()));
    }
    all(conn, query.order_by_asc(Column::Id).limit(limit)).await
}

/// The first `limit` who are ready in a client's talent clouds that are in use, the highest priority first and among
/// equals who has been ready for longest. Who is in several clouds comes several times.
///
/// # Errors
/// When the database fails.
pub async fn ready(conn: &impl ConnectionTrait, client: ClientId, limit: u64) -> Result<Vec<Member>, StorageError> {
    let query = Entity::find()
        .inner_join(super::Entity)
        .filter(super::Column::ClientId.eq(client.as_uuid()))
        .filter(super::Column::ArchivedAt.is_null())
        .filter(Column::State.eq(name_of(MemberState::Ready)))
        .order_by_desc(Column::Priority)
        .order_by_asc(Column::Since)
        .order_by_asc(Column::Id);
    all(conn, query.limit(limit)).await
}

fn of(cloud: TalentCloudId) -> sea_orm::Select<Entity> {
    Entity::find().filter(Column::TalentCloudId.eq(cloud.as_uuid()))
}

async fn one(conn: &impl ConnectionTrait, query: sea_orm::Select<Entity>) -> Result<Option<Member>, StorageError> {
    query.one(conn).await?.map(member).transpose()
}

async fn all(conn: &impl ConnectionTrait, query: sea_orm::Select<Entity>) -> Result<Vec<Member>, StorageError> {
    query.all(conn).await?.into_iter().map(member).collect()
}

const fn name_of(state: MemberState) -> &'static str {
    match state {
        MemberState::Invited => "INVITED",
        MemberState::Onboarding => "ONBOARDING",
        MemberState::Ready => "READY",
        MemberState::Removed => "REMOVED",
    }
}

fn row(member: &Member) -> ActiveModel {
    ActiveModel {
        id: Set(member.id.as_uuid()),
        talent_cloud_id: Set(member.cloud_id.as_uuid()),
        invitation_id: Set(member.invitation_id.as_uuid()),
        person_id: Set(member.person_id.map(|person| person.as_uuid())),
        state: Set(name_of(member.state).to_owned()),
        priority: Set(member.priority),
        since: Set(member.since.as_micros()),
    }
}

fn member(row: Model) -> Result<Member, StorageError> {
    let state = STATES.into_iter().find(|state| name_of(*state) == row.state);
    Ok(Member {
        id: TalentCloudMemberId::from_uuid(row.id),
        cloud_id: TalentCloudId::from_uuid(row.talent_cloud_id),
        invitation_id: InvitationId::from_uuid(row.invitation_id),
        person_id: row.person_id.map(PersonId::from_uuid),
        state: state.ok_or_else(|| unreadable("talent_cloud_member.state", &row.state))?,
        priority: row.priority,
        since: Timestamp::from_micros(row.since),
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "talent_cloud_member")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub talent_cloud_id: Uuid,
        pub invitation_id: Uuid,
        pub person_id: Option<Uuid>,
        pub state: String,
        pub priority: i32,
        pub since: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::super::entity::Entity",
            from = "Column::TalentCloudId",
            to = "super::super::entity::Column::Id"
        )]
        TalentCloud,
    }

    impl Related<super::super::entity::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::TalentCloud.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}
