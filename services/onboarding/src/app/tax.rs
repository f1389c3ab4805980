//! Tax information: taken here, kept by payments [B46, B53].
//!
//! A form holds secrets, so that it travels by a call and not as an event. It waits in the database until payments has it,
//! which a timer sees to, however often one of the two is away; then it is forgotten here.

use vouch_primitives::{AccountId, TaxFormId};
use vouch_proto::{onboarding::v1 as pb, tax::CheckedTaxForm};
use vouch_storage::{
    idempotency::RequestKey,
    timers::{self, NewTimer},
};

use super::{App, PASS_TAX_FORM_ON, count};
use crate::{
    domain::{Counted, TaxInformation},
    error::Error,
    store::{people, profiles, tax_forms as store},
};

/// Hands a tax form in.
#[derive(Clone, Debug)]
pub struct SubmitTaxInformation {
    /// The account that it is about.
    pub account_id: AccountId,
    /// The form.
    pub form: CheckedTaxForm,
}

impl App {
    /// Takes a tax form, which is passed on to payments.
    ///
    /// # Errors
    /// If there is no such account, it is closed, its person has handed in too many forms today, or the database fails.
    pub async fn submit_tax_information(
        &self,
        key: &RequestKey,
        command: &SubmitTaxInformation,
    ) -> Result<pb::SubmitTaxInformationResponse, Error> {
        let SubmitTaxInformation { account_id, form } = command;
        let not_found = || Error::not_found("account", account_id);
        self.commands
            .once(key, |txn, now| async move {
                let owner = profiles::owner_of(&*txn, *account_id).await?.ok_or_else(not_found)?;
                let person = people::lock_person(&txn, owner).await?.ok_or_else(not_found)?;
                person.expect_open()?;
                count(&txn, now, Counted::TaxFormsOf(person.id)).await?;
                let information = TaxInformation {
                    id: TaxFormId::new(),
                    account_id: *account_id,
                    person_id: person.id,
                    kind: form.kind,
                    submitted_at: now,
                    recorded_at: None,
                };
                store::insert(&txn, &information, &form.form).await?;
                let timer = NewTimer {
                    kind: PASS_TAX_FORM_ON,
                    key: information.id.as_uuid(),
                    due: now,
                };
                timers::schedule(&txn, &[timer]).await?;
                let tax_information = Some(information.into());
                Ok(pb::SubmitTaxInformationResponse { tax_information })
            })
            .await
    }

    /// What became of the newest tax form of an account.
    ///
    /// # Errors
    /// If there is none, or the database fails.
    pub async fn get_tax_information(&self, account: AccountId) -> Result<TaxInformation, Error> {
        let newest = store::find_newest(self.db().reader(), account).await?;
        newest.ok_or_else(|| Error::not_found("tax form of account", account))
    }

    /// Passes a tax form on, unless payments has it: what its timer does.
    ///
    /// # Errors
    /// If payments does not take it, or the database fails; it is then tried again.
    pub async fn pass_tax_form_on(&self, id: TaxFormId) -> Result<(), Error> {
        if let Some((information, form)) = store::find_waiting(self.db().reader(), id).await? {
            self.payments.record(&information, form).await?;
        }
        self.db()
            .write_tx(|txn| async move {
                store::save_recorded(&txn, id, self.now()).await?;
                Ok(timers::cancel(&txn, PASS_TAX_FORM_ON, &[id.as_uuid()]).await?)
            })
            .await
    }
}
