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
            // Clients name the task for which it was handed in.
            "document_id" => {
                let person = documents::person_of(conn, DocumentId::from_uuid(id)).await?;
                return Ok(person.map(Owners::person));
            }
            _ => None,
        };
        Ok(parties.map(|(client, person)| Owners::both(client, person)))
    }
}
