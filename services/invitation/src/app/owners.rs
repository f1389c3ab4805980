//! Whose things are.

use vouch_primitives::{InvitationId, TalentCloudId, Uuid};
use vouch_runtime::access::{FindOwners, Owners};
use vouch_storage::StorageError;

use super::App;
use crate::store;

impl FindOwners for App {
    async fn find_owners(&self, field: &str, id: Uuid) -> Result<Option<Owners>, StorageError> {
        match field {
            "invitation_id" => {
                let client =
                    store::invitations::client_of(self.commands.db().reader(), InvitationId::from_uuid(id)).await?;
                Ok(client.map(Owners::client))
            }
            "talent_cloud_id" => {
                let client =
                    store::clouds::client_of(self.commands.db().reader(), TalentCloudId::from_uuid(id)).await?;
                Ok(client.map(Owners::client))
            }
            _ => Ok(None),
        }
    }
}
