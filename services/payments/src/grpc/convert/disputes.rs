//! Disputes and chargebacks.

use vouch_primitives::{DisputeId, DisputeNoteId, Money, ReversalId};
use vouch_proto::{Fields, Page, Violations, convert::to_wire_time, payments::v1 as pb};

use super::{Id, MESSAGE_LENGTH};
use crate::{
    app::{
        chargebacks::{self, RecordChargeback, ReverseChargeback},
        disputes::{AddDisputeNote, Filter, OpenDispute, ResolveDispute, WithdrawDispute},
    },
    domain::{
        Author, Chargeback, Complaint, Dispute, DisputeNote, DisputeReason, DisputeState, EarningSource, Outcome,
    },
};

/// Which disputes.
#[derive(Debug)]
pub struct ListDisputes {
    /// Which of all.
    pub filter: Filter,
    /// Which part of the list.
    pub page: Page<DisputeId>,
}

/// Which chargebacks.
#[derive(Debug)]
pub struct ListChargebacks {
    /// Which of all.
    pub filter: chargebacks::Filter,
    /// Which part of the list.
    pub page: Page<ReversalId>,
}

/// Which notes of a dispute.
#[derive(Debug)]
pub struct ListDisputeNotes {
    /// Of which.
    pub dispute_id: DisputeId,
    /// Which part of the list.
    pub page: Page<DisputeNoteId>,
}

impl TryFrom<pb::OpenDisputeRequest> for OpenDispute {
    type Error = Violations;

    fn try_from(request: pb::OpenDisputeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let earning_id = fields.id("earning_id", &request.earning_id);
        let amount = fields.positive_money("amount", request.amount.as_ref());
        let reason = reason(&mut fields, request.reason());
        let description = fields.text("description", &request.description, MESSAGE_LENGTH);
        let (Some(earning_id), Some(amount), Some(reason), Some(description)) =
            (earning_id, amount, reason, description)
        else {
            return Err(fields.into());
        };
        let complaint = Complaint {
            amount,
            reason,
            description,
        };
        fields.finish(Self { earning_id, complaint })
    }
}

fn reason(fields: &mut Fields, reason: pb::dispute::Reason) -> Option<DisputeReason> {
    use pb::dispute::Reason;
    match reason {
        Reason::NotDelivered => Some(DisputeReason::NotDelivered),
        Reason::NotAsAgreed => Some(DisputeReason::NotAsAgreed),
        Reason::HoursNotWorked => Some(DisputeReason::HoursNotWorked),
        Reason::PaidByMistake => Some(DisputeReason::PaidByMistake),
        Reason::Other => Some(DisputeReason::Other),
        Reason::Unspecified => {
            fields.refuse("reason", "REQUIRED", "is required");
            None
        }
    }
}

impl TryFrom<pb::GetDisputeRequest> for Id<DisputeId> {
    type Error = Violations;

    fn try_from(request: pb::GetDisputeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("dispute_id", &request.dispute_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListDisputesRequest> for ListDisputes {
    type Error = Violations;

    fn try_from(request: pb::ListDisputesRequest) -> Result<Self, Violations> {
        use pb::dispute::State;
        let mut fields = Fields::new();
        let contract_id = fields.id_if_set("contract_id", &request.contract_id);
        let opened_before = fields.time_if_set("opened_before", request.opened_before.as_ref());
        let page = fields.page(request.page_size, &request.page_token);
        let state = match request.state() {
            State::Unspecified => None,
            State::Open => Some("open"),
            State::Resolved => Some("resolved"),
            State::Withdrawn => Some("withdrawn"),
            State::Superseded => Some("superseded"),
        };
        let (Some(contract_id), Some(opened_before), Some(page)) = (contract_id, opened_before, page) else {
            return Err(fields.into());
        };
        let filter = Filter {
            contract_id,
            state,
            opened_before,
        };
        fields.finish(Self { filter, page })
    }
}

impl TryFrom<pb::AddDisputeNoteRequest> for AddDisputeNote {
    type Error = Violations;

    fn try_from(request: pb::AddDisputeNoteRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let dispute_id = fields.id("dispute_id", &request.dispute_id);
        let text = fields.text("text", &request.text, MESSAGE_LENGTH);
        let (Some(dispute_id), Some(text)) = (dispute_id, text) else {
            return Err(fields.into());
        };
        fields.finish(Self { dispute_id, text })
    }
}

impl TryFrom<pb::ListDisputeNotesRequest> for ListDisputeNotes {
    type Error = Violations;

    fn try_from(request: pb::ListDisputeNotesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let dispute_id = fields.id("dispute_id", &request.dispute_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(dispute_id), Some(page)) = (dispute_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { dispute_id, page })
    }
}

impl TryFrom<pb::ResolveDisputeRequest> for ResolveDispute {
    type Error = Violations;

    fn try_from(request: pb::ResolveDisputeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let dispute_id = fields.id("dispute_id", &request.dispute_id);
        let explanation = fields.text("explanation", &request.explanation, MESSAGE_LENGTH);
        let outcome = outcome(&mut fields, &request);
        let (Some(dispute_id), Some(explanation), Some(outcome)) = (dispute_id, explanation, outcome) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            dispute_id,
            outcome,
            explanation,
        })
    }
}

fn outcome(fields: &mut Fields, request: &pb::ResolveDisputeRequest) -> Option<Outcome> {
    use pb::resolve_dispute_request::Outcome as Wire;
    let share = request.talent_share.as_ref();
    let whole = match request.outcome() {
        Wire::Split => return fields.positive_money("talent_share", share).map(Outcome::Split),
        Wire::Talent => Outcome::ForTalent,
        Wire::Client => Outcome::ForClient,
        Wire::Unspecified => {
            fields.refuse("outcome", "REQUIRED", "is required");
            return None;
        }
    };
    if share.is_some() {
        fields.refuse("talent_share", "OUT_OF_RANGE", "belongs to a split alone");
    }
    Some(whole)
}

impl TryFrom<pb::WithdrawDisputeRequest> for WithdrawDispute {
    type Error = Violations;

    fn try_from(request: pb::WithdrawDisputeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("dispute_id", &request.dispute_id);
        id.map(|dispute_id| Self { dispute_id }).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::RecordChargebackRequest> for RecordChargeback {
    type Error = Violations;

    fn try_from(request: pb::RecordChargebackRequest) -> Result<Self, Violations> {
        use pb::record_chargeback_request::Payment;
        let mut fields = Fields::new();
        let payment = match &request.payment {
            Some(Payment::MilestoneId(id)) => fields.id("milestone_id", id).map(EarningSource::Milestone),
            Some(Payment::InvoiceId(id)) => fields.id("invoice_id", id).map(EarningSource::Invoice),
            Some(Payment::BonusPaymentId(id)) => fields.id("bonus_payment_id", id).map(EarningSource::Bonus),
            None => {
                let choice = "is required: milestone_id, invoice_id or bonus_payment_id";
                fields.refuse("payment", "REQUIRED", choice);
                None
            }
        };
        let amount = fields.positive_money("amount", request.amount.as_ref());
        let provider_reference = fields.line("provider_reference", &request.provider_reference, 1..=200);
        let (Some(payment), Some(amount), Some(provider_reference)) = (payment, amount, provider_reference) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            payment,
            amount,
            provider_reference,
        })
    }
}

impl TryFrom<pb::ReverseChargebackRequest> for ReverseChargeback {
    type Error = Violations;

    fn try_from(request: pb::ReverseChargebackRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("chargeback_id", &request.chargeback_id);
        id.map(|chargeback_id| Self { chargeback_id })
            .ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListChargebacksRequest> for ListChargebacks {
    type Error = Violations;

    fn try_from(request: pb::ListChargebacksRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let contract_id = fields.id_if_set("contract_id", &request.contract_id);
        let provider_reference = fields.line("provider_reference", &request.provider_reference, 0..=200);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(contract_id), Some(provider_reference), Some(page)) = (contract_id, provider_reference, page) else {
            return Err(fields.into());
        };
        let filter = chargebacks::Filter {
            contract_id,
            provider_reference: (!provider_reference.is_empty()).then_some(provider_reference),
        };
        fields.finish(Self { filter, page })
    }
}

impl From<Dispute> for pb::Dispute {
    fn from(dispute: Dispute) -> Self {
        use pb::dispute::{Reason, State};
        let reason = match dispute.reason {
            DisputeReason::NotDelivered => Reason::NotDelivered,
            DisputeReason::NotAsAgreed => Reason::NotAsAgreed,
            DisputeReason::HoursNotWorked => Reason::HoursNotWorked,
            DisputeReason::PaidByMistake => Reason::PaidByMistake,
            DisputeReason::Other => Reason::Other,
        };
        let money = |minor| Some(Money::new(minor, dispute.amount.currency).into());
        let mut wire = Self {
            id: dispute.id.to_string(),
            earning_id: dispute.earning_id.to_string(),
            contract_id: dispute.contract_id.to_string(),
            amount: Some(dispute.amount.into()),
            held: money(dispute.held_minor),
            reason: reason.into(),
            description: dispute.description,
            state: State::Open.into(),
            open_time: Some(to_wire_time(dispute.opened_at)),
            ..Self::default()
        };
        let (state, closed_at) = match dispute.state {
            DisputeState::Open => return wire,
            DisputeState::Resolved {
                closed_at,
                refunded_minor,
                explanation,
            } => {
                wire.refunded = money(refunded_minor);
                wire.explanation = explanation;
                (State::Resolved, closed_at)
            }
            DisputeState::Withdrawn { closed_at } => (State::Withdrawn, closed_at),
            DisputeState::Superseded { closed_at } => (State::Superseded, closed_at),
        };
        wire.set_state(state);
        wire.close_time = Some(to_wire_time(closed_at));
        wire
    }
}

impl From<DisputeNote> for pb::DisputeNote {
    fn from(note: DisputeNote) -> Self {
        use pb::dispute_note::Author as Wire;
        let author = match note.author {
            Author::Client => Wire::Client,
            Author::Talent => Wire::Talent,
            Author::Operator => Wire::Operator,
        };
        Self {
            id: note.id.to_string(),
            author: author.into(),
            text: note.text,
            time: Some(to_wire_time(note.at)),
        }
    }
}

impl From<Chargeback> for pb::Chargeback {
    fn from(chargeback: Chargeback) -> Self {
        use pb::chargeback::Payment;
        let payment = match chargeback.payment {
            EarningSource::Milestone(id) => Payment::MilestoneId(id.to_string()),
            EarningSource::Invoice(id) => Payment::InvoiceId(id.to_string()),
            EarningSource::Bonus(id) => Payment::BonusPaymentId(id.to_string()),
        };
        Self {
            id: chargeback.id.to_string(),
            payment: Some(payment),
            amount: Some(chargeback.amount.into()),
            earning_id: chargeback.earning_id.map_or_else(String::new, |id| id.to_string()),
            lost: (chargeback.lost_minor > 0)
                .then(|| Money::new(chargeback.lost_minor, chargeback.amount.currency).into()),
            provider_reference: chargeback.provider_reference,
            charge_back_time: Some(to_wire_time(chargeback.charged_back_at)),
            reverse_time: chargeback.won_back.map(|(_, at)| to_wire_time(at)),
        }
    }
}
