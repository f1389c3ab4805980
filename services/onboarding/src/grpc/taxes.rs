//! `vouch.onboarding.v1.TaxService`.

use tonic::{Request, Response, Status};
use vouch_primitives::AccountId;
use vouch_proto::onboarding::v1::{self as pb, tax_service_server::TaxService};
use vouch_runtime::{
    access::Seal,
    grpc::{parse_mutation, parse_query},
};

use super::convert::Id;
use crate::app::{App, tax::SubmitTaxInformation};

/// The service, on its use cases. What a form says is secret, also in the hash by which the request is known.
#[derive(Clone, Debug)]
pub struct Taxes(pub App, pub Seal);

#[tonic::async_trait]
impl TaxService for Taxes {
    async fn submit_tax_information(
        &self,
        request: Request<pb::SubmitTaxInformationRequest>,
    ) -> Result<Response<pb::SubmitTaxInformationResponse>, Status> {
        let (key, command) = parse_mutation::<_, SubmitTaxInformation>(&self.0, request).await?;
        let key = self.1.seal(key)?;
        Ok(Response::new(self.0.submit_tax_information(&key, &command).await?))
    }

    async fn get_tax_information(
        &self,
        request: Request<pb::GetTaxInformationRequest>,
    ) -> Result<Response<pb::GetTaxInformationResponse>, Status> {
        let Id::<AccountId>(account) = parse_query(&self.0, request).await?;
        let tax_information = Some(self.0.get_tax_information(account).await?.into());
        Ok(Response::new(pb::GetTaxInformationResponse { tax_information }))
    }
}
