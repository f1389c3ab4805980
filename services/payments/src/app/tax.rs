//! Tax forms: kept, and shown by their last four characters alone.

use std::sync::Arc;

use vouch_primitives::AccountId;
use vouch_proto::{common::v1 as common, payments::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::App;
use crate::{domain::TaxForm, error::Error, store};

/// Keeps a tax form.
#[derive(Clone, Debug)]
pub struct RecordTaxForm {
    /// What is shown of it.
    pub form: TaxForm,
    /// What it says.
    pub said: common::TaxForm,
}

impl App {
    /// Keeps a tax form; one that is kept is left as it is. The account need not have been heard of yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_tax_form(
        &self,
        key: &RequestKey,
        command: &RecordTaxForm,
    ) -> Result<pb::RecordTaxFormResponse, Error> {
        let work = |txn: Arc<Txn>, _now| async move {
            store::tax_forms::insert(&txn, &command.form, &command.said).await?;
            Ok(pb::RecordTaxFormResponse {})
        };
        self.commands.once(key, work).await
    }

    /// The tax form of an account that counts, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_tax_status(&self, account: AccountId) -> Result<Option<TaxForm>, Error> {
        Ok(store::tax_forms::newest_of(self.commands.db().reader(), account).await?)
    }
}
