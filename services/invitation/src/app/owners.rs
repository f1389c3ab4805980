//! Whose things are.

use vouch_primitives::{ApplicationId, InvitationId, ProjectId, TalentCloudId, Uuid};
use vouch_runtime::access::{FindOwners, Owners};
use vouch_storage::StorageError;

use super::App;
use crate::store;

impl FindOwners for App {
    async fn find_owners(&self, field: &str, id: Uuid) -> Result<Option<Owners>, StorageError> {
        let conn = self.commands.db().reader();
        match field {
            "invitation_id" => {
                let client = store::invitations::client_of(conn, InvitationId::from_uuid(id)).await?;
                Ok(client.map(Owners::client))
            }
            "talent_cloud_id" => {
                let client = store::clouds::client_of(conn, TalentCloudId::from_uuid(id)).await?;
                Ok(client.map(Owners::client))
            }
            "project_id" => {
                let client = store::projects::client_of(conn, ProjectId::from_uuid(id)).await?;
                Ok(client.map(Owners::client))
            }
            "application_id" => {
                let found = store::applications::find(conn, ApplicationId::from_uuid(id)).await?;
                Ok(found.map(|application| Owners::both(application.client_id, application.person_id)))
            }
            _ => Ok(None),
        }
    }
}
