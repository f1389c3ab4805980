//! `vouch.payments.v1.TaxService`.

use tonic::{Request, Response, Status};
use vouch_primitives::AccountId;
use vouch_proto::payments::v1::{self as pb, tax_service_server::TaxService};
use vouch_runtime::{
    access::Seal,
    grpc::{parse_mutation, parse_query},
};

use super::convert::Id;
use crate::app::{App, tax::RecordTaxForm};

/// The service, on its use cases. What a form says is secret, also in the hash by which the request is known.
#[derive(Clone, Debug)]
pub struct Taxes(pub App, pub Seal);

#[tonic::async_trait]
impl TaxService for Taxes {
    async fn record_tax_form(
        &self,
        request: Request<pb::RecordTaxFormRequest>,
    ) -> Result<Response<pb::RecordTaxFormResponse>, Status> {
        let (key, command) = parse_mutation::<_, RecordTaxForm>(&self.0, request).await?;
        let key = self.1.seal(key)?;
        Ok(Response::new(self.0.record_tax_form(&key, &command).await?))
    }

    async fn get_tax_status(
        &self,
        request: Request<pb::GetTaxStatusRequest>,
    ) -> Result<Response<pb::GetTaxStatusResponse>, Status> {
        let Id::<AccountId>(account) = parse_query(&self.0, request).await?;
        let tax_form = self.0.get_tax_status(account).await?.map(Into::into);
        Ok(Response::new(pb::GetTaxStatusResponse { tax_form }))
    }
}
