//! What clients pay otherwise than by charges, and what they owe.

use vouch_primitives::{ClientId, ClientPaymentId};
use vouch_proto::{Fields, Page, Violations, convert::to_wire_time, payments::v1 as pb};

use super::Id;
use crate::{
    app::client_payments::{RecordClientPayment, UndoClientPayment},
    domain::{ClientPayment, Debts},
};

/// Whose payments.
#[derive(Debug)]
pub struct ListClientPayments {
    /// The client.
    pub client_id: ClientId,
    /// Which part of the list.
    pub page: Page<ClientPaymentId>,
}

impl TryFrom<pb::RecordClientPaymentRequest> for RecordClientPayment {
    type Error = Violations;

    fn try_from(request: pb::RecordClientPaymentRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let amount = fields.positive_money("amount", request.amount.as_ref());
        let reference = fields.line("reference", &request.reference, 1..=200);
        let received_at = fields.time_if_set("receive_time", request.receive_time.as_ref());
        let (Some(client_id), Some(amount), Some(reference), Some(received_at)) =
            (client_id, amount, reference, received_at)
        else {
            return Err(fields.into());
        };
        fields.finish(Self {
            client_id,
            amount,
            reference,
            received_at,
        })
    }
}

impl TryFrom<pb::UndoClientPaymentRequest> for UndoClientPayment {
    type Error = Violations;

    fn try_from(request: pb::UndoClientPaymentRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("client_payment_id", &request.client_payment_id);
        id.map(|client_payment_id| Self { client_payment_id })
            .ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListClientPaymentsRequest> for ListClientPayments {
    type Error = Violations;

    fn try_from(request: pb::ListClientPaymentsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(client_id), Some(page)) = (client_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { client_id, page })
    }
}

impl TryFrom<pb::GetReceivablesRequest> for Id<ClientId> {
    type Error = Violations;

    fn try_from(request: pb::GetReceivablesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("client_id", &request.client_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl From<ClientPayment> for pb::ClientPayment {
    fn from(payment: ClientPayment) -> Self {
        Self {
            id: payment.id.to_string(),
            client_id: payment.client_id.to_string(),
            amount: Some(payment.amount.into()),
            reference: payment.reference,
            receive_time: Some(to_wire_time(payment.received_at)),
            record_time: Some(to_wire_time(payment.recorded_at)),
            undo_time: payment.undone_at.map(to_wire_time),
        }
    }
}

impl From<Debts> for pb::get_receivables_response::Debts {
    fn from(debts: Debts) -> Self {
        Self {
            invoices: Some(debts.invoices.into()),
            rewards: Some(debts.rewards.into()),
            credit: Some(debts.credit.into()),
        }
    }
}
