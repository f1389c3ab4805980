//! `vouch.payments.v1.InvoiceService`.

use tonic::{Request, Response, Status};
use vouch_primitives::InvoiceId;
use vouch_proto::payments::v1::{self as pb, invoice_service_server::InvoiceService};
use vouch_runtime::grpc::parse_query;

use super::convert::{Id, ListInvoices};
use crate::app::App;

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Invoices(pub App);

#[tonic::async_trait]
impl InvoiceService for Invoices {
    async fn get_invoice(
        &self,
        request: Request<pb::GetInvoiceRequest>,
    ) -> Result<Response<pb::GetInvoiceResponse>, Status> {
        let Id::<InvoiceId>(id) = parse_query(&self.0, request).await?;
        let invoice = self.0.get_invoice(id).await?;
        Ok(Response::new(pb::GetInvoiceResponse {
            invoice: Some(invoice.into()),
        }))
    }

    async fn list_invoices(
        &self,
        request: Request<pb::ListInvoicesRequest>,
    ) -> Result<Response<pb::ListInvoicesResponse>, Status> {
        let ListInvoices { party, contract, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_invoices(party, contract, page).await?;
        Ok(Response::new(pb::ListInvoicesResponse {
            next_page_token: listed.next_page_token(),
            invoices: listed.items.into_iter().map(Into::into).collect(),
        }))
    }
}
