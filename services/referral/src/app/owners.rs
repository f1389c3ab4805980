//! Whose things are.

use vouch_primitives::{AccountId, AttributionId, ReferrerId, Uuid};
use vouch_runtime::access::{FindOwners, Owners};
use vouch_storage::StorageError;

use super::App;
use crate::store;

impl FindOwners for App {
    async fn find_owners(&self, field: &str, id: Uuid) -> Result<Option<Owners>, StorageError> {
        let conn = self.commands.db().reader();
        let referrer = match field {
            "account_id" => {
                let account = store::accounts::find(conn, AccountId::from_uuid(id)).await?;
                return Ok(account.map(|account| Owners::person(account.person)));
            }
            "referrer_id" => Some(ReferrerId::from_uuid(id)),
            "attribution_id" => {
                let tie = store::ties::find(conn, AttributionId::from_uuid(id)).await?;
                tie.map(|tie| tie.referrer)
            }
            _ => None,
        };
        let Some(referrer) = referrer else {
            return Ok(None);
        };
        let found = store::referrers::find(conn, referrer).await?;
        Ok(found.map(|referrer| Owners::person(referrer.person)))
    }
}
