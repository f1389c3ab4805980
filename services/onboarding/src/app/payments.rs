//! What the payments service is told and answers to: it alone keeps tax forms.

use std::fmt;

use tonic::Status;
use vouch_primitives::RequestId;
use vouch_proto::{
    common::v1::TaxForm,
    convert::to_wire_time,
    payments::v1::{RecordTaxFormRequest, tax_service_client::TaxServiceClient},
};
use vouch_runtime::Peer;

use crate::{domain::TaxInformation, error::Error};

/// The payments service.
#[derive(Clone)]
pub struct Payments(TaxServiceClient<Peer>);

impl Payments {
    /// The service at the other end of `peer`.
    #[must_use]
    pub fn new(peer: Peer) -> Self {
        Self(TaxServiceClient::new(peer))
    }

    /// Hands a tax form over. However often it is, it is kept once.
    ///
    /// # Errors
    /// When payments does not take it; it is then unknown whether it has it.
    pub(super) async fn record(&self, information: &TaxInformation, form: TaxForm) -> Result<(), Error> {
        let request = RecordTaxFormRequest {
            request_id: RequestId::derived(information.id.as_uuid(), "record tax form").to_string(),
            tax_form_id: information.id.to_string(),
            account_id: information.account_id.to_string(),
            form: Some(form),
            submit_time: Some(to_wire_time(information.submitted_at)),
        };
        let away = |status: Status| Error::PaymentsUnavailable(Box::new(status));
        self.0.clone().record_tax_form(request).await.map_err(away)?;
        Ok(())
    }
}

impl fmt::Debug for Payments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Payments").finish()
    }
}
