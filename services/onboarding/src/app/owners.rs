//! Whose things are.

use vouch_primitives::{AccountId, CaseId, RoomId, Uuid};
use vouch_runtime::access::{FindOwners, Owners};
use vouch_storage::StorageError;

use super::App;
use crate::store::{cases as store, profiles};

impl FindOwners for App {
    async fn find_owners(&self, field: &str, id: Uuid) -> Result<Option<Owners>, StorageError> {
        let conn = self.db().reader();
        let parties = match field {
            "case_id" => store::parties_of_case(conn, CaseId::from_uuid(id)).await?,
            "room_id" => store::parties_of_room(conn, RoomId::from_uuid(id)).await?,
            "account_id" => {
                let owner = profiles::owner_of(conn, AccountId::from_uuid(id)).await?;
                return Ok(owner.map(Owners::person));
            }
            _ => None,
        };
        Ok(parties.map(|(client, person)| Owners::both(client, person)))
    }
}
