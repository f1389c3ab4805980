//! What clients get back.

use vouch_primitives::RefundId;
use vouch_proto::{Fields, Page, Violations, convert::to_wire_time, payments::v1 as pb};

use crate::{
    app::client_refunds::{Filter, RetryClientRefund},
    domain::{ClientRefund, ClientRefundState},
};

/// Which refunds.
#[derive(Debug)]
pub struct ListClientRefunds {
    /// Which of all.
    pub filter: Filter,
    /// Which part of the list.
    pub page: Page<RefundId>,
}

impl TryFrom<pb::ListClientRefundsRequest> for ListClientRefunds {
    type Error = Violations;

    fn try_from(request: pb::ListClientRefundsRequest) -> Result<Self, Violations> {
        use pb::client_refund::State;
        let mut fields = Fields::new();
        let client_id = fields.id_if_set("client_id", &request.client_id);
        let page = fields.page(request.page_size, &request.page_token);
        let state = match request.state() {
            State::Unspecified => None,
            State::Pending => Some("pending"),
            State::Succeeded => Some("succeeded"),
            State::Refused => Some("refused"),
        };
        let (Some(client_id), Some(page)) = (client_id, page) else {
            return Err(fields.into());
        };
        let filter = Filter { client_id, state };
        fields.finish(Self { filter, page })
    }
}

impl TryFrom<pb::RetryClientRefundRequest> for RetryClientRefund {
    type Error = Violations;

    fn try_from(request: pb::RetryClientRefundRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("client_refund_id", &request.client_refund_id);
        id.map(|refund_id| Self { refund_id }).ok_or_else(|| fields.into())
    }
}

impl From<ClientRefund> for pb::ClientRefund {
    fn from(refund: ClientRefund) -> Self {
        use pb::client_refund::State;
        let mut wire = Self {
            id: refund.id.to_string(),
            charge_id: refund.charge_id.to_string(),
            client_id: refund.client_id.to_string(),
            amount: Some(refund.amount.into()),
            state: State::Pending.into(),
            create_time: Some(to_wire_time(refund.created_at)),
            attempt_count: refund.attempt,
            ..Self::default()
        };
        match refund.state {
            ClientRefundState::Pending { .. } => {}
            ClientRefundState::Succeeded { at, reference } => {
                wire.set_state(State::Succeeded);
                wire.succeed_time = Some(to_wire_time(at));
                wire.provider_reference = reference;
            }
            ClientRefundState::Refused { reason } => {
                wire.set_state(State::Refused);
                wire.set_reason(reason.into());
            }
        }
        wire
    }
}
