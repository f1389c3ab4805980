//! In what ways clients pay: tokens of the payment provider, of which one is charged.

use std::sync::Arc;

use vouch_primitives::{BillingMethodId, ClientId};
use vouch_proto::payments::v1 as pb;
use vouch_storage::{Txn, idempotency::RequestKey};

use super::App;
use crate::{
    domain::{BillingError, BillingMethod, billing::MOST_METHODS},
    error::Error,
    store,
};

/// Adds a way of billing.
#[derive(Clone, Debug)]
pub struct AddBillingMethod {
    /// Whose.
    pub client_id: ClientId,
    /// The provider's token.
    pub instrument: String,
    /// What people call it.
    pub label: String,
    /// Whether it is charged from now on, also if there are others.
    pub make_default: bool,
}

/// Has a way of billing charged from now on.
#[derive(Clone, Copy, Debug)]
pub struct MakeBillingMethodDefault {
    /// Which one.
    pub billing_method_id: BillingMethodId,
}

/// Removes a way of billing.
#[derive(Clone, Copy, Debug)]
pub struct RemoveBillingMethod {
    /// Which one.
    pub billing_method_id: BillingMethodId,
}

impl App {
    /// Adds a way of billing, once the provider has said what it knows of it; the first one is charged from now on.
    ///
    /// # Errors
    /// [`Error::Billing`].
    pub async fn add_billing_method(
        &self,
        key: &RequestKey,
        command: &AddBillingMethod,
    ) -> Result<pb::AddBillingMethodResponse, Error> {
        if let Some(answer) = self.commands.answered(key).await? {
            return Ok(answer);
        }
        let client = command.client_id;
        let known = self.gateway().find_instrument(client, &command.instrument).await;
        let known = known.map_err(|_| BillingError::ProviderUnavailable)?;
        let verified = known.ok_or(BillingError::UnknownInstrument)?.verified;
        let work = |txn: Arc<Txn>, now| async move {
            store::billing_methods::lock(&txn, client).await?;
            let others = store::billing_methods::of_client(&*txn, client).await?;
            if others.iter().any(|other| other.instrument == command.instrument) {
                return Err(BillingError::Exists.into());
            }
            if others.len() >= MOST_METHODS {
                return Err(BillingError::TooMany.into());
            }
            let mut method = BillingMethod {
                id: BillingMethodId::new(),
                client_id: client,
                instrument: command.instrument.clone(),
                label: command.label.clone(),
                verified,
                is_default: false,
                added_at: now,
            };
            store::billing_methods::insert(&txn, &method).await?;
            if command.make_default || others.is_empty() {
                store::billing_methods::make_default(&txn, client, Some(method.id)).await?;
                method.is_default = true;
            }
            Ok(pb::AddBillingMethodResponse {
                billing_method: Some(method.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// A client's ways of billing, in the order in which they were added.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_billing_methods(&self, client: ClientId) -> Result<Vec<BillingMethod>, Error> {
        Ok(store::billing_methods::of_client(self.commands.db().reader(), client).await?)
    }

    /// Has a way of billing charged from now on.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn make_billing_method_default(
        &self,
        key: &RequestKey,
        command: MakeBillingMethodDefault,
    ) -> Result<pb::MakeBillingMethodDefaultResponse, Error> {
        let work = |txn: Arc<Txn>, _now| async move {
            let mut method = locked(&txn, command.billing_method_id).await?;
            store::billing_methods::make_default(&txn, method.client_id, Some(method.id)).await?;
            method.is_default = true;
            Ok(pb::MakeBillingMethodDefaultResponse {
                billing_method: Some(method.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Removes a way of billing. If it was charged, that of the others is from now on which was added first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_billing_method(
        &self,
        key: &RequestKey,
        command: RemoveBillingMethod,
    ) -> Result<pb::RemoveBillingMethodResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let method = locked(&txn, command.billing_method_id).await?;
            if method.is_default {
                let others = store::billing_methods::of_client(&*txn, method.client_id).await?;
                let next = others.iter().find(|other| other.id != method.id);
                store::billing_methods::make_default(&txn, method.client_id, next.map(|other| other.id)).await?;
            }
            store::billing_methods::remove(&txn, method.id, now).await?;
            Ok(pb::RemoveBillingMethodResponse {})
        };
        self.commands.once(key, work).await
    }
}

/// Locks the billing methods of a client, and reads the one that has to be there.
async fn locked(txn: &Txn, id: BillingMethodId) -> Result<BillingMethod, Error> {
    let not_found = || Error::not_found("billing_method", id.as_uuid());
    let seen = store::billing_methods::find(txn, id).await?.ok_or_else(not_found)?;
    store::billing_methods::lock(txn, seen.client_id).await?;
    store::billing_methods::find(txn, id).await?.ok_or_else(not_found)
}
