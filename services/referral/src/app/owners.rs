//! Whose things are.

use vouch_primitives::{AccountId, ClientId, ClientProgrammeId, PersonId, ReferrerId, SignalId, Uuid};
use vouch_runtime::access::{FindOwners, Owners};
use vouch_storage::StorageError;

use super::App;
use crate::{domain::Party, store};

impl FindOwners for App {
    async fn find_owners(&self, field: &str, id: Uuid) -> Result<Option<Owners>, StorageError> {
        let conn = self.commands.db().reader();
        let referrer = match field {
            "account_id" => {
                let account = store::accounts::find(conn, AccountId::from_uuid(id)).await?;
                return Ok(account.map(|account| of(account.party, account.person)));
            }
            "person_id" => return Ok(Some(Owners::person(PersonId::from_uuid(id)))),
            "client_programme_id" => {
                let programme = store::client_programmes::find(conn, ClientProgrammeId::from_uuid(id)).await?;
                return Ok(programme.map(|programme| Owners::client(programme.client)));
            }
            "referrer_id" => Some(ReferrerId::from_uuid(id)),
            "attribution_id" => {
                let tie = store::ties::find(conn, id).await?;
                tie.map(|tie| tie.referrer)
            }
            "signal_id" => {
                let signal = store::signals::find(conn, SignalId::from_uuid(id)).await?;
                signal.map(|signal| signal.referrer)
            }
            _ => None,
        };
        let Some(referrer) = referrer else {
            return Ok(None);
        };
        let Some(found) = store::referrers::find(conn, referrer).await? else {
            return Ok(None);
        };
        let account = store::accounts::find(conn, found.account).await?;
        Ok(account.map(|account| of(account.party, found.person)))
    }
}

/// A client stands in the place of a person, under its own id.
fn of(party: Party, person: PersonId) -> Owners {
    match party {
        Party::Person | Party::Agency => Owners::person(person),
        Party::Client => Owners::client(ClientId::from_uuid(person.as_uuid())),
    }
}
