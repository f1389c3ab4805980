//! `vouch.payments.v1.ReportService`.

use tonic::{Request, Response, Status};
use vouch_primitives::{AccountId, ClientId, EarningId, InvoiceId};
use vouch_proto::payments::v1::{self as pb, report_service_server::ReportService};
use vouch_runtime::{
    access::Caller,
    grpc::{parse_query, slots::Slots},
};

use super::{
    convert::{ExplainAvailability, ExportStatement, GetStatement, Id},
    exports::{self, Parts},
};
use crate::app::{App, documents::Side};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Reports {
    app: App,
    slots: Slots<Caller>,
}

impl Reports {
    /// The service, on its use cases.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self {
            app,
            slots: exports::slots(),
        }
    }
}

/// What a caller may know of a payment.
const fn side(caller: &Caller) -> Side {
    match caller {
        Caller::Client(_) => Side::Client,
        _ => Side::Talent,
    }
}

#[tonic::async_trait]
impl ReportService for Reports {
    type ExportStatementStream = Parts<pb::ExportStatementResponse>;
    type ExportInvoicesStream = Parts<pb::ExportInvoicesResponse>;
    type ExportInvoiceStream = Parts<pb::ExportInvoiceResponse>;
    type ExportReceiptStream = Parts<pb::ExportReceiptResponse>;

    async fn get_statement(
        &self,
        request: Request<pb::GetStatementRequest>,
    ) -> Result<Response<pb::GetStatementResponse>, Status> {
        let GetStatement { of, page } = parse_query(&self.app, request).await?;
        let (frame, listed) = self.app.get_statement(of, page).await?;
        Ok(Response::new(pb::GetStatementResponse {
            opening: Some(frame.opening.into()),
            closing: Some(frame.closing.into()),
            next_page_token: listed.next_page_token(),
            lines: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn explain_availability(
        &self,
        request: Request<pb::ExplainAvailabilityRequest>,
    ) -> Result<Response<pb::ExplainAvailabilityResponse>, Status> {
        let ExplainAvailability { account_id, page } = parse_query(&self.app, request).await?;
        let (balances, listed) = self.app.explain_availability(account_id, page).await?;
        Ok(Response::new(pb::ExplainAvailabilityResponse {
            balances: balances.into_iter().map(Into::into).collect(),
            next_page_token: listed.next_page_token(),
            amounts: listed.items.into_iter().flat_map(|of| of.1).map(Into::into).collect(),
        }))
    }

    async fn get_client_overview(
        &self,
        request: Request<pb::GetClientOverviewRequest>,
    ) -> Result<Response<pb::GetClientOverviewResponse>, Status> {
        let Id::<ClientId>(client) = parse_query(&self.app, request).await?;
        Ok(Response::new(self.app.get_client_overview(client).await?.into()))
    }

    async fn get_talent_overview(
        &self,
        request: Request<pb::GetTalentOverviewRequest>,
    ) -> Result<Response<pb::GetTalentOverviewResponse>, Status> {
        let Id::<AccountId>(account) = parse_query(&self.app, request).await?;
        Ok(Response::new(self.app.get_talent_overview(account).await?.into()))
    }

    async fn export_statement(
        &self,
        request: Request<pb::ExportStatementRequest>,
    ) -> Result<Response<Self::ExportStatementStream>, Status> {
        let caller = Caller::of(&request);
        let ExportStatement { of, format } = parse_query(&self.app, request).await?;
        let export = self.app.export_statement(of, format).await?;
        let answer = |part| pb::ExportStatementResponse { part: Some(part) };
        Ok(Response::new(exports::begin(&self.slots, caller, export, answer)?))
    }

    async fn export_invoices(
        &self,
        request: Request<pb::ExportInvoicesRequest>,
    ) -> Result<Response<Self::ExportInvoicesStream>, Status> {
        let caller = Caller::of(&request);
        let Id::<ClientId>(client) = parse_query(&self.app, request).await?;
        let answer = |part| pb::ExportInvoicesResponse { part: Some(part) };
        let export = self.app.export_invoices(client)?;
        Ok(Response::new(exports::begin(&self.slots, caller, export, answer)?))
    }

    async fn export_invoice(
        &self,
        request: Request<pb::ExportInvoiceRequest>,
    ) -> Result<Response<Self::ExportInvoiceStream>, Status> {
        let caller = Caller::of(&request);
        let side = side(&caller);
        let Id::<InvoiceId>(id) = parse_query(&self.app, request).await?;
        let export = self.app.export_invoice(id, side).await?;
        let answer = |part| pb::ExportInvoiceResponse { part: Some(part) };
        Ok(Response::new(exports::begin(&self.slots, caller, export, answer)?))
    }

    async fn export_receipt(
        &self,
        request: Request<pb::ExportReceiptRequest>,
    ) -> Result<Response<Self::ExportReceiptStream>, Status> {
        let caller = Caller::of(&request);
        let side = side(&caller);
        let Id::<EarningId>(id) = parse_query(&self.app, request).await?;
        let export = self.app.export_receipt(id, side).await?;
        let answer = |part| pb::ExportReceiptResponse { part: Some(part) };
        Ok(Response::new(exports::begin(&self.slots, caller, export, answer)?))
    }
}
