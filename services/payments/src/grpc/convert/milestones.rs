//! What is said and done with milestones after they are funded, and bonus payments.

use vouch_primitives::{BonusPaymentId, ContractId, MilestoneEventId, MilestoneId};
use vouch_proto::{Fields, Page, Violations, convert::to_wire_time, payments::v1 as pb};

use super::{Id, MESSAGE_LENGTH};
use crate::{
    app::{
        bonuses::PayBonus,
        milestones::{CancelMilestone, RefundEscrow, RequestChanges, SubmitMilestone},
    },
    domain::{BonusPayment, MilestoneEvent, MilestoneEventKind},
};

/// Which events of a milestone.
#[derive(Debug)]
pub struct ListMilestoneEvents {
    /// Of which.
    pub milestone_id: MilestoneId,
    /// Which part of the list.
    pub page: Page<MilestoneEventId>,
}

/// Which bonus payments.
#[derive(Debug)]
pub struct ListBonusPayments {
    /// Of which contract.
    pub contract_id: ContractId,
    /// Which part of the list.
    pub page: Page<BonusPaymentId>,
}

impl TryFrom<pb::SubmitMilestoneRequest> for SubmitMilestone {
    type Error = Violations;

    fn try_from(request: pb::SubmitMilestoneRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let milestone_id = fields.id("milestone_id", &request.milestone_id);
        let message = fields.text("message", &request.message, MESSAGE_LENGTH);
        let (Some(milestone_id), Some(message)) = (milestone_id, message) else {
            return Err(fields.into());
        };
        fields.finish(Self { milestone_id, message })
    }
}

impl TryFrom<pb::RequestChangesRequest> for RequestChanges {
    type Error = Violations;

    fn try_from(request: pb::RequestChangesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let milestone_id = fields.id("milestone_id", &request.milestone_id);
        let message = fields.text("message", &request.message, MESSAGE_LENGTH);
        let (Some(milestone_id), Some(message)) = (milestone_id, message) else {
            return Err(fields.into());
        };
        fields.finish(Self { milestone_id, message })
    }
}

impl TryFrom<pb::CancelMilestoneRequest> for CancelMilestone {
    type Error = Violations;

    fn try_from(request: pb::CancelMilestoneRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("milestone_id", &request.milestone_id);
        id.map(|milestone_id| Self { milestone_id })
            .ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::RefundEscrowRequest> for RefundEscrow {
    type Error = Violations;

    fn try_from(request: pb::RefundEscrowRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("milestone_id", &request.milestone_id);
        id.map(|milestone_id| Self { milestone_id })
            .ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListMilestoneEventsRequest> for ListMilestoneEvents {
    type Error = Violations;

    fn try_from(request: pb::ListMilestoneEventsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let milestone_id = fields.id("milestone_id", &request.milestone_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(milestone_id), Some(page)) = (milestone_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { milestone_id, page })
    }
}

impl TryFrom<pb::PayBonusRequest> for PayBonus {
    type Error = Violations;

    fn try_from(request: pb::PayBonusRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let contract_id = fields.id("contract_id", &request.contract_id);
        let amount = fields.positive_money("amount", request.amount.as_ref());
        let message = fields.text("message", &request.message, MESSAGE_LENGTH);
        let (Some(contract_id), Some(amount), Some(message)) = (contract_id, amount, message) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            contract_id,
            amount,
            message,
        })
    }
}

impl TryFrom<pb::GetBonusPaymentRequest> for Id<BonusPaymentId> {
    type Error = Violations;

    fn try_from(request: pb::GetBonusPaymentRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("bonus_payment_id", &request.bonus_payment_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListBonusPaymentsRequest> for ListBonusPayments {
    type Error = Violations;

    fn try_from(request: pb::ListBonusPaymentsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let contract_id = fields.id("contract_id", &request.contract_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(contract_id), Some(page)) = (contract_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { contract_id, page })
    }
}

impl From<MilestoneEvent> for pb::MilestoneEvent {
    fn from(event: MilestoneEvent) -> Self {
        use pb::milestone_event::Kind;
        let kind = match event.kind {
            MilestoneEventKind::Submitted => Kind::Submitted,
            MilestoneEventKind::ChangesRequested => Kind::ChangesRequested,
        };
        Self {
            id: event.id.to_string(),
            kind: kind.into(),
            message: event.message,
            time: Some(to_wire_time(event.at)),
        }
    }
}

impl From<BonusPayment> for pb::BonusPayment {
    fn from(bonus: BonusPayment) -> Self {
        use pb::bonus_payment::State;
        let state = match (bonus.earning_id, bonus.unpaid_since) {
            (Some(_), _) => State::Paid,
            (None, Some(_)) => State::Unpaid,
            (None, None) => State::Open,
        };
        Self {
            id: bonus.id.to_string(),
            contract_id: bonus.contract_id.to_string(),
            amount: Some(bonus.amount.into()),
            message: bonus.message,
            give_time: Some(to_wire_time(bonus.given_at)),
            earning_id: bonus.earning_id.map_or_else(String::new, |id| id.to_string()),
            state: state.into(),
        }
    }
}
