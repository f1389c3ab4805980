//! Charges and billing methods.

use vouch_primitives::{ChargeId, ClientId, ContractId, Money};
use vouch_proto::{Fields, Page, Violations, convert::to_wire_time, payments::v1 as pb};

use super::Id;
use crate::{
    app::{
        billing::{AddBillingMethod, MakeBillingMethodDefault, RemoveBillingMethod},
        charges::{ChargeWithAttempts, RecordChargePayment, RetryCharge},
    },
    domain::{
        BillingMethod, ChargeState, ChargedInstrument, EarningSource, EndedAttempt, Refusal, billing::is_card_number,
        charge::order_id,
    },
};

/// Which charges.
#[derive(Debug)]
pub struct ListCharges {
    /// Whose.
    pub client_id: ClientId,
    /// Of this contract alone.
    pub contract: Option<ContractId>,
    /// Which part of the list.
    pub page: Page<ChargeId>,
}

/// Whose billing methods.
#[derive(Debug)]
pub struct ListBillingMethods(pub ClientId);

impl TryFrom<pb::GetChargeRequest> for Id<ChargeId> {
    type Error = Violations;

    fn try_from(request: pb::GetChargeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("charge_id", &request.charge_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListChargesRequest> for ListCharges {
    type Error = Violations;

    fn try_from(request: pb::ListChargesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let contract = (!request.contract_id.is_empty()).then(|| fields.id("contract_id", &request.contract_id));
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(client_id), Some(page)) = (client_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            client_id,
            contract: contract.flatten(),
            page,
        })
    }
}

impl TryFrom<pb::RetryChargeRequest> for RetryCharge {
    type Error = Violations;

    fn try_from(request: pb::RetryChargeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("charge_id", &request.charge_id);
        id.map(|charge_id| Self { charge_id }).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::RecordChargePaymentRequest> for RecordChargePayment {
    type Error = Violations;

    fn try_from(request: pb::RecordChargePaymentRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let charge_id = fields.id("charge_id", &request.charge_id);
        let reference = fields.line("reference", &request.reference, 1..=200);
        let (Some(charge_id), Some(reference)) = (charge_id, reference) else {
            return Err(fields.into());
        };
        fields.finish(Self { charge_id, reference })
    }
}

/// A text that is no card number, which only the payment provider may see.
fn no_card_number(fields: &mut Fields, field: &'static str, text: &str, longest: usize) -> Option<String> {
    if is_card_number(text) {
        let why = "is a card number; the payment provider gives a token for it, and only the provider may see it";
        fields.refuse(field, "CARD_NUMBER", why);
        return None;
    }
    fields.text(field, text, 1..=longest)
}

impl TryFrom<pb::AddBillingMethodRequest> for AddBillingMethod {
    type Error = Violations;

    fn try_from(request: pb::AddBillingMethodRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client_id = fields.id("client_id", &request.client_id);
        let instrument = no_card_number(&mut fields, "instrument", &request.instrument, 200);
        let label = no_card_number(&mut fields, "label", &request.label, 100);
        let (Some(client_id), Some(instrument), Some(label)) = (client_id, instrument, label) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            client_id,
            instrument,
            label,
            make_default: request.make_default,
        })
    }
}

impl TryFrom<pb::ListBillingMethodsRequest> for ListBillingMethods {
    type Error = Violations;

    fn try_from(request: pb::ListBillingMethodsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("client_id", &request.client_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::MakeBillingMethodDefaultRequest> for MakeBillingMethodDefault {
    type Error = Violations;

    fn try_from(request: pb::MakeBillingMethodDefaultRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("billing_method_id", &request.billing_method_id);
        id.map(|billing_method_id| Self { billing_method_id })
            .ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::RemoveBillingMethodRequest> for RemoveBillingMethod {
    type Error = Violations;

    fn try_from(request: pb::RemoveBillingMethodRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("billing_method_id", &request.billing_method_id);
        id.map(|billing_method_id| Self { billing_method_id })
            .ok_or_else(|| fields.into())
    }
}

impl From<BillingMethod> for pb::BillingMethod {
    fn from(method: BillingMethod) -> Self {
        Self {
            id: method.id.to_string(),
            client_id: method.client_id.to_string(),
            instrument: method.instrument,
            label: method.label,
            verified: method.verified,
            is_default: method.is_default,
            add_time: Some(to_wire_time(method.added_at)),
        }
    }
}

impl From<ChargeWithAttempts> for pb::Charge {
    fn from(ChargeWithAttempts { charge, attempts }: ChargeWithAttempts) -> Self {
        use pb::charge::{Purpose, State};
        let (state, retry_at, succeeded) = match &charge.state {
            ChargeState::Pending { .. } => (State::Pending, None, None),
            ChargeState::Succeeded { at, reference } => (State::Succeeded, None, Some((*at, reference.clone()))),
            ChargeState::Failed { retry_at, .. } => (State::Failed, Some(*retry_at), None),
            ChargeState::GivenUp { .. } => (State::GivenUp, None, None),
        };
        let purpose = match charge.purpose {
            EarningSource::Milestone(id) => Purpose::MilestoneId(id.to_string()),
            EarningSource::Invoice(id) => Purpose::InvoiceId(id.to_string()),
            EarningSource::Bonus(id) => Purpose::BonusPaymentId(id.to_string()),
        };
        let (succeeded_at, reference) = succeeded.unzip();
        Self {
            id: charge.id.to_string(),
            contract_id: charge.contract_id.to_string(),
            client_id: charge.client_id.to_string(),
            purpose: Some(purpose),
            amount: Some(charge.amount.into()),
            state: state.into(),
            create_time: Some(to_wire_time(charge.created_at)),
            attempt_count: charge.attempt.number,
            reason: charge
                .state
                .reason()
                .map_or(pb::Refusal::Unspecified, Into::into)
                .into(),
            retry_time: retry_at.map(to_wire_time),
            succeed_time: succeeded_at.map(to_wire_time),
            provider_reference: reference.unwrap_or_default(),
            attempts: attempts.into_iter().map(Into::into).collect(),
            refunded: Some(Money::new(charge.refunded_minor, charge.amount.currency).into()),
        }
    }
}

impl From<EndedAttempt> for pb::ChargeAttempt {
    fn from(ended: EndedAttempt) -> Self {
        let method = |instrument: &ChargedInstrument| instrument.method;
        let method = ended.attempt.instrument.as_ref().and_then(method);
        let reason = ended.outcome.err();
        Self {
            number: ended.attempt.number,
            order_id: order_id(ended.charge_id, ended.attempt.number).to_string(),
            billing_method_id: method.map_or_else(String::new, |id| id.to_string()),
            begin_time: Some(to_wire_time(ended.attempt.begun_at)),
            end_time: Some(to_wire_time(ended.ended_at)),
            reason: reason.map_or(pb::Refusal::Unspecified, Into::into).into(),
        }
    }
}

impl From<Refusal> for pb::Refusal {
    fn from(reason: Refusal) -> Self {
        match reason {
            Refusal::InsufficientFunds => Self::InsufficientFunds,
            Refusal::Expired => Self::Expired,
            Refusal::Declined => Self::Declined,
            Refusal::AuthenticationRequired => Self::AuthenticationRequired,
            Refusal::Unknown => Self::Unknown,
            Refusal::DestinationClosed => Self::DestinationClosed,
            Refusal::Returned => Self::Returned,
            Refusal::NoBillingMethod => Self::NoBillingMethod,
            Refusal::NotCarriedOut => Self::NotCarriedOut,
        }
    }
}
