//! Project rooms and the notes in them, numbered from 1 in each room.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Set,
    sea_query::{Expr, LockType},
};
use vouch_primitives::{ClientId, NoteId, PersonId, RoomId, Timestamp};
use vouch_storage::{StorageError, Txn};

use super::unreadable;
use crate::domain::{Author, Note};

const ACCEPTANCE: &str = "ACCEPTANCE";
const MESSAGE: &str = "MESSAGE";

/// Opens a room with its first note, the message that accepted the offer [B28].
///
/// # Errors
/// When the database fails.
pub async fn open_room(txn: &Txn, id: RoomId, first: &Note) -> Result<(), StorageError> {
    let room = entity::ActiveModel {
        id: Set(id.as_uuid()),
        opened_at: Set(first.created_at.as_micros()),
        last_number: Set(1),
    };
    entity::Entity::insert(room).exec_without_returning(txn).await?;
    insert(txn, id, first, 1, ACCEPTANCE).await
}

/// Adds a note to a room, behind all others. `false` if there is no such room.
///
/// # Errors
/// When the database fails.
pub async fn add_note(txn: &Txn, room: RoomId, note: &Note) -> Result<bool, StorageError> {
    let found = entity::Entity::find_by_id(room.as_uuid()).lock(LockType::Update);
    let Some(found) = found.one(txn).await? else {
        return Ok(false);
    };
    let number = found.last_number.saturating_add(1);
    entity::Entity::update_many()
        .col_expr(entity::Column::LastNumber, Expr::value(number))
        .filter(entity::Column::Id.eq(room.as_uuid()))
        .exec(txn)
        .await?;
    insert(txn, room, note, number, MESSAGE).await?;
    Ok(true)
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
    let in_room = || note::Entity::find().filter(note::Column::RoomId.eq(room.as_uuid()));
    let mut page = in_room();
    if let Some(after) = after {
        let last = in_room().filter(note::Column::Id.eq(after.as_uuid())).one(conn).await?;
        page = page.filter(note::Column::Number.gt(last.map_or(i64::MAX, |note| note.number)));
    }
    let rows = page.order_by_asc(note::Column::Number).limit(limit).all(conn).await?;
    if rows.is_empty() && entity::Entity::find_by_id(room.as_uuid()).one(conn).await?.is_none() {
        return Ok(None);
    }
    rows.into_iter().map(note_of).collect::<Result<_, _>>().map(Some)
}

async fn insert(txn: &Txn, room: RoomId, note: &Note, number: i64, kind: &str) -> Result<(), StorageError> {
    let (person_id, client_id) = match note.author {
        Author::Talent(person) => (Some(person.as_uuid()), None),
        Author::Client(client) => (None, Some(client.as_uuid())),
    };
    let row = note::ActiveModel {
        id: Set(note.id.as_uuid()),
        room_id: Set(room.as_uuid()),
        number: Set(number),
        kind: Set(kind.to_owned()),
        person_id: Set(person_id),
        client_id: Set(client_id),
        text: Set(note.text.clone()),
        created_at: Set(note.created_at.as_micros()),
    };
    note::Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

fn note_of(row: note::Model) -> Result<Note, StorageError> {
    let author = match (row.person_id, row.client_id) {
        (Some(person), None) => Author::Talent(PersonId::from_uuid(person)),
        (None, Some(client)) => Author::Client(ClientId::from_uuid(client)),
        _ => return Err(unreadable("note", "it is not of one party")),
    };
    Ok(Note {
        id: NoteId::from_uuid(row.id),
        author,
        text: row.text,
        created_at: Timestamp::from_micros(row.created_at),
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "room")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub opened_at: i64,
        pub last_number: i64,
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
        pub number: i64,
        pub kind: String,
        pub person_id: Option<Uuid>,
        pub client_id: Option<Uuid>,
        pub text: String,
        pub created_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
