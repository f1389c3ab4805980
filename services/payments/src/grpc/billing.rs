//! `vouch.payments.v1.BillingService`.

use tonic::{Request, Response, Status};
use vouch_primitives::ClientId;
use vouch_proto::payments::v1::{self as pb, billing_service_server::BillingService};
use vouch_runtime::grpc::{parse_mutation, parse_query};

use super::convert::{Id, ListBillingMethods, ListClientPayments};
use crate::app::App;

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Billing(pub App);

#[tonic::async_trait]
impl BillingService for Billing {
    async fn add_billing_method(
        &self,
        request: Request<pb::AddBillingMethodRequest>,
    ) -> Result<Response<pb::AddBillingMethodResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.add_billing_method(&key, &command).await?))
    }

    async fn list_billing_methods(
        &self,
        request: Request<pb::ListBillingMethodsRequest>,
    ) -> Result<Response<pb::ListBillingMethodsResponse>, Status> {
        let ListBillingMethods(client) = parse_query(&self.0, request).await?;
        let methods = self.0.list_billing_methods(client).await?;
        Ok(Response::new(pb::ListBillingMethodsResponse {
            billing_methods: methods.into_iter().map(Into::into).collect(),
        }))
    }

    async fn make_billing_method_default(
        &self,
        request: Request<pb::MakeBillingMethodDefaultRequest>,
    ) -> Result<Response<pb::MakeBillingMethodDefaultResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.make_billing_method_default(&key, command).await?))
    }

    async fn remove_billing_method(
        &self,
        request: Request<pb::RemoveBillingMethodRequest>,
    ) -> Result<Response<pb::RemoveBillingMethodResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.remove_billing_method(&key, command).await?))
    }

    async fn get_receivables(
        &self,
        request: Request<pb::GetReceivablesRequest>,
    ) -> Result<Response<pb::GetReceivablesResponse>, Status> {
        let Id::<ClientId>(client) = parse_query(&self.0, request).await?;
        let debts = self.0.get_receivables(client).await?;
        let invoices = debts.iter().map(|debts| debts.invoices);
        Ok(Response::new(pb::GetReceivablesResponse {
            receivables: invoices.filter(|owed| owed.minor > 0).map(Into::into).collect(),
            debts: debts.into_iter().map(Into::into).collect(),
        }))
    }

    async fn record_client_payment(
        &self,
        request: Request<pb::RecordClientPaymentRequest>,
    ) -> Result<Response<pb::RecordClientPaymentResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.record_client_payment(&key, &command).await?))
    }

    async fn undo_client_payment(
        &self,
        request: Request<pb::UndoClientPaymentRequest>,
    ) -> Result<Response<pb::UndoClientPaymentResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.undo_client_payment(&key, command).await?))
    }

    async fn list_client_payments(
        &self,
        request: Request<pb::ListClientPaymentsRequest>,
    ) -> Result<Response<pb::ListClientPaymentsResponse>, Status> {
        let ListClientPayments { client_id, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_client_payments(client_id, page).await?;
        Ok(Response::new(pb::ListClientPaymentsResponse {
            next_page_token: listed.next_page_token(),
            payments: listed.items.into_iter().map(Into::into).collect(),
        }))
    }
}
