//! Whose things are.

use vouch_primitives::{CaseId, DocumentId, RoomId, Uuid};
use vouch_runtime::access::{FindOwners, Owners};
use vouch_storage::StorageError;

use super::App;
use crate::store::{cases as store, documents};

impl FindOwners for App {
    async fn find_owners(&self, field: &str, id: Uuid) -> Result<Option<Owners>, StorageError> {
        let conn = self.db().reader();
        let parties = match field {
            "case_id" => store::parties_of_case(conn, CaseId::from_uuid(id)).await?,
            "room_id" => store::parties_of_room(conn, RoomId::from_uuid(id)).await?,
            "document_id" => return self.owners_of_document(DocumentId::from_uuid(id)).await,
            _ => None,
        };
        Ok(parties.map(|(client, person)| Owners::both(client, person)))
    }
}

impl App {
    /// A document is its person's alone. A client to whom it was handed in may have it once it is released, and not before:
    /// who they are belongs here, as soon as documents are handed in for tasks.
    async fn owners_of_document(&self, id: DocumentId) -> Result<Option<Owners>, StorageError> {
        let person = documents::person_of(self.db().reader(), id).await?;
        Ok(person.map(Owners::person))
    }
}
