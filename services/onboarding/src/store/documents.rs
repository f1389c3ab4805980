//! Documents, and uploads that are under way, whom nobody sees yet.

use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Set,
};
use vouch_primitives::{DocumentId, PersonId, StoredFileId, Timestamp};
use vouch_storage::{StorageError, Txn};

use self::entity::{ActiveModel, Column, Entity, Model};
use super::{tasks, unreadable};
use crate::domain::{Document, DocumentState};

const UPLOADING: &str = "UPLOADING";
const QUARANTINED: &str = "QUARANTINED";
const RELEASED: &str = "RELEASED";
const REJECTED: &str = "REJECTED";

/// Adds a document, or an upload.
///
/// # Errors
/// When the database fails.
pub async fn insert(txn: &Txn, document: &Document) -> Result<(), StorageError> {
    Entity::insert(row(document)?).exec_without_returning(txn).await?;
    Ok(())
}

/// Notes where a document stands.
///
/// # Errors
/// When the database fails.
pub async fn save(txn: &Txn, document: &Document) -> Result<(), StorageError> {
    row(document)?.update(txn).await?;
    Ok(())
}

/// Reads a document; `None` for an upload.
///
/// # Errors
/// When the database fails.
pub async fn find(conn: &impl ConnectionTrait, id: DocumentId) -> Result<Option<Document>, StorageError> {
    let there = Entity::find_by_id(id.as_uuid()).filter(Column::State.ne(UPLOADING));
    there.one(conn).await?.map(read).transpose()
}

/// Reads a document and locks its row; `None` for an upload.
///
/// # Errors
/// When the database fails.
pub async fn lock(txn: &Txn, id: DocumentId) -> Result<Option<Document>, StorageError> {
    let there = Entity::find_by_id(id.as_uuid()).filter(Column::State.ne(UPLOADING));
    there.lock_exclusive().one(txn).await?.map(read).transpose()
}

/// Reads an upload and locks its row; `None` for a document.
///
/// # Errors
/// When the database fails.
pub async fn lock_upload(txn: &Txn, id: DocumentId) -> Result<Option<Document>, StorageError> {
    let under_way = Entity::find_by_id(id.as_uuid()).filter(Column::State.eq(UPLOADING));
    under_way.lock_exclusive().one(txn).await?.map(read).transpose()
}

/// A person's documents, the newest first, from the one after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn list(
    conn: &impl ConnectionTrait,
    person: PersonId,
    after: Option<DocumentId>,
    limit: u64,
) -> Result<Vec<Document>, StorageError> {
    let mut page = Entity::find()
        .filter(Column::PersonId.eq(person.as_uuid()))
        .filter(Column::State.ne(UPLOADING));
    if let Some(after) = after {
        page = page.filter(Column::Id.lt(after.as_uuid()));
    }
    let rows = page.order_by_desc(Column::Id).limit(limit).all(conn).await?;
    rows.into_iter().map(read).collect()
}

/// How many documents a person has, and how many are on their way.
///
/// # Errors
/// When the database fails.
pub async fn count(conn: &impl ConnectionTrait, person: PersonId) -> Result<u64, StorageError> {
    let of_person = Entity::find().filter(Column::PersonId.eq(person.as_uuid()));
    Ok(of_person.count(conn).await?)
}

/// Whose a document is.
///
/// # Errors
/// When the database fails.
pub async fn person_of(conn: &impl ConnectionTrait, id: DocumentId) -> Result<Option<PersonId>, StorageError> {
    let there = Entity::find_by_id(id.as_uuid()).filter(Column::State.ne(UPLOADING));
    Ok(there.one(conn).await?.map(|row| PersonId::from_uuid(row.person_id)))
}

/// Whether something rests on a document: it was handed in for a task, or somebody has decided about it.
///
/// # Errors
/// When the database fails.
pub async fn is_used(conn: &impl ConnectionTrait, id: DocumentId) -> Result<bool, StorageError> {
    let decided = Entity::find_by_id(id.as_uuid()).filter(Column::State.is_in([RELEASED, REJECTED]));
    Ok(decided.count(conn).await? > 0 || tasks::rest_on(conn, id).await?)
}

/// Deletes all documents and uploads of a person, and returns under which names their files are kept.
///
/// # Errors
/// When the database fails, or something rests on one.
pub async fn delete_of(txn: &Txn, person: PersonId) -> Result<Vec<StoredFileId>, StorageError> {
    let of_person = Column::PersonId.eq(person.as_uuid());
    let rows = Entity::find().filter(of_person.clone()).all(txn).await?;
    Entity::delete_many().filter(of_person).exec(txn).await?;
    Ok(rows
        .into_iter()
        .map(|row| StoredFileId::from_uuid(row.stored_as))
        .collect())
}

/// Deletes a document.
///
/// # Errors
/// When the database fails, or something rests on it.
pub async fn delete(txn: &Txn, id: DocumentId) -> Result<(), StorageError> {
    Entity::delete_by_id(id.as_uuid()).exec(txn).await?;
    Ok(())
}

/// Deletes the upload with this file, if there is one, and tells whether the file belongs to no document.
///
/// # Errors
/// When the database fails.
pub async fn delete_upload(txn: &Txn, file: StoredFileId) -> Result<bool, StorageError> {
    let with_file = Column::StoredAs.eq(file.as_uuid());
    Entity::delete_many()
        .filter(with_file.clone())
        .filter(Column::State.eq(UPLOADING))
        .exec(txn)
        .await?;
    Ok(Entity::find().filter(with_file).count(txn).await? == 0)
}

fn row(document: &Document) -> Result<ActiveModel, StorageError> {
    let (state, decided_at, reason) = match &document.state {
        DocumentState::Uploading => (UPLOADING, None, ""),
        DocumentState::Quarantined => (QUARANTINED, None, ""),
        DocumentState::Released { at } => (RELEASED, Some(at), ""),
        DocumentState::Rejected { at, reason } => (REJECTED, Some(at), reason.as_str()),
    };
    Ok(ActiveModel {
        id: Set(document.id.as_uuid()),
        person_id: Set(document.person_id.as_uuid()),
        stored_as: Set(document.stored_as.as_uuid()),
        file_name: Set(document.file_name.as_str().to_owned()),
        purpose: Set(document.purpose.clone()),
        content_type: Set(document.content_type().to_string()),
        size_bytes: Set(i64::try_from(document.size).map_err(|error| unreadable("document.size_bytes", error))?),
        sha256: Set(document.sha256.to_vec()),
        state: Set(state.to_owned()),
        created_at: Set(document.created_at.as_micros()),
        decided_at: Set(decided_at.map(|at| at.as_micros())),
        reject_reason: Set(reason.to_owned()),
    })
}

fn read(row: Model) -> Result<Document, StorageError> {
    let decided = || {
        let at = row.decided_at.map(Timestamp::from_micros);
        at.ok_or_else(|| unreadable("document.decided_at", "is missing"))
    };
    let state = match row.state.as_str() {
        UPLOADING => DocumentState::Uploading,
        QUARANTINED => DocumentState::Quarantined,
        RELEASED => DocumentState::Released { at: decided()? },
        REJECTED => DocumentState::Rejected {
            at: decided()?,
            reason: row.reject_reason,
        },
        unknown => return Err(unreadable("document.state", unknown)),
    };
    Ok(Document {
        id: DocumentId::from_uuid(row.id),
        person_id: PersonId::from_uuid(row.person_id),
        stored_as: StoredFileId::from_uuid(row.stored_as),
        file_name: row
            .file_name
            .parse()
            .map_err(|error| unreadable("document.file_name", error))?,
        purpose: row.purpose,
        size: u64::try_from(row.size_bytes).map_err(|error| unreadable("document.size_bytes", error))?,
        sha256: row
            .sha256
            .try_into()
            .map_err(|_| unreadable("document.sha256", "has not 32 bytes"))?,
        state,
        created_at: Timestamp::from_micros(row.created_at),
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "document")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: Uuid,
        pub person_id: Uuid,
        pub stored_as: Uuid,
        pub file_name: String,
        pub purpose: String,
        pub content_type: String,
        pub size_bytes: i64,
        pub sha256: Vec<u8>,
        pub state: String,
        pub created_at: i64,
        pub decided_at: Option<i64>,
        pub reject_reason: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
