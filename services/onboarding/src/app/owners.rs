//! Whose things are.

use vouch_primitives::{AccountId, CaseId, DocumentId, RoomId, TaskId, TaskTemplateId, Uuid};
use vouch_runtime::access::{FindOwners, Owners};
use vouch_storage::StorageError;

use super::App;
use crate::store::{cases as store, documents, profiles, task_templates, tasks};

impl FindOwners for App {
    async fn find_owners(&self, field: &str, id: Uuid) -> Result<Option<Owners>, StorageError> {
        let conn = self.db().reader();
        let parties = match field {
            "case_id" => store::parties_of_case(conn, CaseId::from_uuid(id)).await?,
            "task_id" => match tasks::case_of(conn, TaskId::from_uuid(id)).await? {
                Some(case) => store::parties_of_case(conn, case).await?,
                None => None,
            },
            "task_template_id" => {
                let found = task_templates::client_of(conn, TaskTemplateId::from_uuid(id)).await?;
                // The platform's are nobody's but its own.
                return Ok(found.map(|client| client.map(Owners::client).unwrap_or_default()));
            }
            "room_id" => store::parties_of_room(conn, RoomId::from_uuid(id)).await?,
            "account_id" => {
                let owner = profiles::owner_of(conn, AccountId::from_uuid(id)).await?;
                return Ok(owner.map(Owners::person));
            }
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
