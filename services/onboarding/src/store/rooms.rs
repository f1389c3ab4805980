//! Project rooms and the notes in them.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use vouch_primitives::{NoteId, PersonId, RoomId, Timestamp};
use vouch_storage::{StorageError, Txn};

use crate::domain::Note;

/// Opens a room with its first note [B28].
///
/// # Errors
/// When the database fails.
pub async fn open_room(txn: &Txn, id: RoomId, first: &Note) -> Result<(), StorageError> {
    let room = entity::ActiveModel {
        id: Set(id.as_uuid()),
        opened_at: Set(first.created_at.as_micros()),
    };
    entity::Entity::insert(room).exec_without_returning(txn).await?;
    let note = note::ActiveModel {
        id: Set(first.id.as_uuid()),
        room_id: Set(id.as_uuid()),
        person_id: Set(first.person_id.as_uuid()),
        text: Set(first.text.clone()),
        created_at: Set(first.created_at.as_micros()),
    };
    note::Entity::insert(note).exec_without_returning(txn).await?;
    Ok(())
}

/// At most `limit` notes of a room that come after `after`, the oldest first; `None` if there is no such room.
///
/// # Errors
/// When the database fails.
pub async fn list_notes(
    conn: &impl ConnectionTrait,
    room: RoomId,
    after: Option<NoteId>,
    limit: u64,
) -> Result<Option<Vec<Note>>, StorageError> {
    let mut page = note::Entity::find().filter(note::Column::RoomId.eq(room.as_uuid()));
    if let Some(after) = after {
        page = page.filter(note::Column::Id.gt(after.as_uuid()));
    }
    let rows = page.order_by_asc(note::Column::Id).limit(limit).all(conn).await?;
    if rows.is_empty() && entity::Entity::find_by_id(room.as_uuid()).one(conn).await?.is_none() {
        return Ok(None);
    }
    let note = |row: note::Model| Note {
        id: NoteId::from_uuid(row.id),
        person_id: PersonId::from_uuid(row.person_id),
        text: row.text,
        created_at: Timestamp::from_micros(row.created_at),
    };
    Ok(Some(rows.into_iter().map(note).collect()))
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "room")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub opened_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

mod note {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "note")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub room_id: Uuid,
        pub person_id: Uuid,
        pub text: String,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
