//! `vouch.invitation.v1.SuppressionService`.

use tonic::{Request, Response, Status};
use vouch_proto::invitation::v1::{self as pb, suppression_service_server::SuppressionService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::{Address, SentToken};
use crate::app::{App, suppression::SuppressAddress};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Suppressions(pub App);

#[tonic::async_trait]
impl SuppressionService for Suppressions {
    async fn unsubscribe(
        &self,
        request: Request<pb::UnsubscribeRequest>,
    ) -> Result<Response<pb::UnsubscribeResponse>, Status> {
        let (key, SentToken(token)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.unsubscribe(&key, &token).await?))
    }

    async fn suppress_address(
        &self,
        request: Request<pb::SuppressAddressRequest>,
    ) -> Result<Response<pb::SuppressAddressResponse>, Status> {
        let (key, command) = parse_mutation::<_, SuppressAddress>(&self.0, request).await?;
        Ok(Response::new(self.0.suppress_address(&key, &command).await?))
    }

    async fn reinstate_address(
        &self,
        request: Request<pb::ReinstateAddressRequest>,
    ) -> Result<Response<pb::ReinstateAddressResponse>, Status> {
        let (key, Address(email)) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.reinstate_address(&key, &email).await?))
    }

    async fn get_suppression(
        &self,
        request: Request<pb::GetSuppressionRequest>,
    ) -> Result<Response<pb::GetSuppressionResponse>, Status> {
        let Address(email) = parse_query(&self.0, request).await?;
        let suppression = self.0.get_suppression(&email).await?.map(Into::into);
        Ok(Response::new(pb::GetSuppressionResponse { suppression }))
    }
}
