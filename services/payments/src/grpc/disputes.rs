//! `vouch.payments.v1.DisputeService`.

use tonic::{Request, Response, Status};
use vouch_primitives::DisputeId;
use vouch_proto::payments::v1::{self as pb, dispute_service_server::DisputeService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::{
    author,
    convert::{Id, ListChargebacks, ListDisputeNotes, ListDisputes},
};
use crate::app::{App, disputes::AddDisputeNote};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Disputes(pub App);

#[tonic::async_trait]
impl DisputeService for Disputes {
    async fn open_dispute(
        &self,
        request: Request<pb::OpenDisputeRequest>,
    ) -> Result<Response<pb::OpenDisputeResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.open_dispute(&key, &command).await?))
    }

    async fn get_dispute(
        &self,
        request: Request<pb::GetDisputeRequest>,
    ) -> Result<Response<pb::GetDisputeResponse>, Status> {
        let Id::<DisputeId>(id) = parse_query(&self.0, request).await?;
        let dispute = self.0.get_dispute(id).await?;
        Ok(Response::new(pb::GetDisputeResponse {
            dispute: Some(dispute.into()),
        }))
    }

    async fn list_disputes(
        &self,
        request: Request<pb::ListDisputesRequest>,
    ) -> Result<Response<pb::ListDisputesResponse>, Status> {
        let ListDisputes { filter, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_disputes(filter, page).await?;
        Ok(Response::new(pb::ListDisputesResponse {
            next_page_token: listed.next_page_token(),
            disputes: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn add_dispute_note(
        &self,
        request: Request<pb::AddDisputeNoteRequest>,
    ) -> Result<Response<pb::AddDisputeNoteResponse>, Status> {
        let author = author(&request);
        let (key, command) = parse_mutation::<_, AddDisputeNote>(&self.0, request).await?;
        Ok(Response::new(self.0.add_dispute_note(&key, &command, author).await?))
    }

    async fn list_dispute_notes(
        &self,
        request: Request<pb::ListDisputeNotesRequest>,
    ) -> Result<Response<pb::ListDisputeNotesResponse>, Status> {
        let ListDisputeNotes { dispute_id, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_dispute_notes(dispute_id, page).await?;
        Ok(Response::new(pb::ListDisputeNotesResponse {
            next_page_token: listed.next_page_token(),
            notes: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn resolve_dispute(
        &self,
        request: Request<pb::ResolveDisputeRequest>,
    ) -> Result<Response<pb::ResolveDisputeResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.resolve_dispute(&key, &command).await?))
    }

    async fn withdraw_dispute(
        &self,
        request: Request<pb::WithdrawDisputeRequest>,
    ) -> Result<Response<pb::WithdrawDisputeResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.withdraw_dispute(&key, command).await?))
    }

    async fn record_chargeback(
        &self,
        request: Request<pb::RecordChargebackRequest>,
    ) -> Result<Response<pb::RecordChargebackResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.record_chargeback(&key, &command).await?))
    }

    async fn list_chargebacks(
        &self,
        request: Request<pb::ListChargebacksRequest>,
    ) -> Result<Response<pb::ListChargebacksResponse>, Status> {
        let ListChargebacks { filter, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_chargebacks(filter, page).await?;
        Ok(Response::new(pb::ListChargebacksResponse {
            next_page_token: listed.next_page_token(),
            chargebacks: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn reverse_chargeback(
        &self,
        request: Request<pb::ReverseChargebackRequest>,
    ) -> Result<Response<pb::ReverseChargebackResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.reverse_chargeback(&key, command).await?))
    }
}
