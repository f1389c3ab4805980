//! Clients: the companies that hire.

use sea_orm::ConnectionTrait;
use vouch_primitives::{ClientId, EmailAddress, HiringManagerId};
use vouch_proto::invitation::v1 as pb;
use vouch_storage::idempotency::RequestKey;

use super::App;
use crate::{
    domain::{Client, HiringManager, Plan},
    error::Error,
    store::clients as store,
};

/// Registers a client.
#[derive(Clone, Debug)]
pub struct CreateClient {
    /// The company's name.
    pub company_name: String,
    /// Its membership plan.
    pub plan: Plan,
    /// The people who hire for it; at least one, no address twice.
    pub hiring_managers: Vec<NewHiringManager>,
}

/// A hiring manager who has no id yet.
#[derive(Clone, Debug)]
pub struct NewHiringManager {
    /// The name that talent sees.
    pub display_name: String,
    /// Where messages from talent go.
    pub email: EmailAddress,
}

impl App {
    /// Registers a client with its hiring managers.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create_client(
        &self,
        key: &RequestKey,
        command: &CreateClient,
    ) -> Result<pb::CreateClientResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let hiring_managers = command.hiring_managers.iter().map(with_id).collect();
                let client = Client {
                    id: ClientId::new(),
                    company_name: command.company_name.clone(),
                    plan: command.plan,
                    hiring_managers,
                    created_at: now,
                };
                store::insert_client(&txn, &client).await?;
                Ok(pb::CreateClientResponse {
                    client: Some(client.into()),
                })
            })
            .await
    }

    /// Reads a client.
    ///
    /// # Errors
    /// If there is none, or the database fails.
    pub async fn get_client(&self, id: ClientId) -> Result<Client, Error> {
        expect_client(self.commands.db().reader(), id).await
    }
}

/// The client, which there has to be.
pub(super) async fn expect_client(conn: &impl ConnectionTrait, id: ClientId) -> Result<Client, Error> {
    let found = store::find_client(conn, id).await?;
    found.ok_or_else(|| Error::not_found("client", id))
}

fn with_id(manager: &NewHiringManager) -> HiringManager {
    HiringManager {
        id: HiringManagerId::new(),
        display_name: manager.display_name.clone(),
        email: manager.email.clone(),
    }
}
