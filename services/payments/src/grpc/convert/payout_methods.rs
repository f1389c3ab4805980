//! Payout methods and schedules.

use vouch_primitives::{AccountId, Money, PayoutMethodId};
use vouch_proto::{Fields, Page, Violations, convert::to_wire_time, payments::v1 as pb};

use super::Id;
use crate::{
    app::payout_methods::{
        AddPayoutMethod, PayoutMethodView, PayoutScheduleView, RemovePayoutMethod, SetPayoutSchedule,
    },
    domain::{Frequency, PayoutKind, PayoutMethodState, payout_method::TARIFFS},
};

/// Which payout methods.
#[derive(Debug)]
pub struct ListPayoutMethods {
    /// Whose.
    pub account_id: AccountId,
    /// Which part of the list.
    pub page: Page<PayoutMethodId>,
}

impl TryFrom<pb::AddPayoutMethodRequest> for AddPayoutMethod {
    type Error = Violations;

    fn try_from(request: pb::AddPayoutMethodRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let kind = kind(&mut fields, request.kind());
        let currency = fields.currency("currency_code", &request.currency_code);
        let token = fields.line("provider_token", &request.provider_token, 1..=200);
        if token.as_deref().is_some_and(is_account_number) {
            let why = "looks like an account number, which is for the payment provider alone";
            fields.refuse("provider_token", "ACCOUNT_NUMBER", why);
        }
        let (Some(account_id), Some(kind), Some(currency), Some(provider_token)) = (account_id, kind, currency, token)
        else {
            return Err(fields.into());
        };
        fields.finish(Self {
            account_id,
            kind,
            currency,
            provider_token,
        })
    }
}

/// Whether this looks like the number of a card or a bank account: nothing but digits, or an IBAN; grouped or not.
fn is_account_number(token: &str) -> bool {
    let plain: String = token.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let is_iban = || {
        let (country, rest) = plain.split_at_checked(2)?;
        let (check, account) = rest.split_at_checked(2)?;
        let is_country = country.chars().all(|c| c.is_ascii_alphabetic());
        let is_account = (11..=30).contains(&account.len()) && account.chars().all(|c| c.is_ascii_alphanumeric());
        Some(is_country && digits(check) && is_account)
    };
    (plain.len() >= 6 && digits(&plain)) || is_iban().unwrap_or(false)
}

fn kind(fields: &mut Fields, kind: pb::PayoutMethodKind) -> Option<PayoutKind> {
    use pb::PayoutMethodKind as Wire;
    match kind {
        Wire::BankTransfer => Some(PayoutKind::BankTransfer),
        Wire::Wire => Some(PayoutKind::Wire),
        Wire::Wallet => Some(PayoutKind::Wallet),
        Wire::Instant => Some(PayoutKind::AtOnce),
        Wire::Unspecified => {
            fields.refuse("kind", "REQUIRED", "is required");
            None
        }
    }
}

const fn to_wire_kind(kind: PayoutKind) -> pb::PayoutMethodKind {
    use pb::PayoutMethodKind as Wire;
    match kind {
        PayoutKind::BankTransfer => Wire::BankTransfer,
        PayoutKind::Wire => Wire::Wire,
        PayoutKind::Wallet => Wire::Wallet,
        PayoutKind::AtOnce => Wire::Instant,
    }
}

impl TryFrom<pb::ListPayoutMethodsRequest> for ListPayoutMethods {
    type Error = Violations;

    fn try_from(request: pb::ListPayoutMethodsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(account_id), Some(page)) = (account_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { account_id, page })
    }
}

impl TryFrom<pb::RemovePayoutMethodRequest> for RemovePayoutMethod {
    type Error = Violations;

    fn try_from(request: pb::RemovePayoutMethodRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("payout_method_id", &request.payout_method_id);
        id.map(|payout_method_id| Self { payout_method_id })
            .ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::SetPayoutScheduleRequest> for SetPayoutSchedule {
    type Error = Violations;

    fn try_from(request: pb::SetPayoutScheduleRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let payout_method_id = fields.id("payout_method_id", &request.payout_method_id);
        let frequency = frequency(&mut fields, request.frequency());
        let minimum = match &request.minimum {
            None => Some(None),
            given => fields.positive_money("minimum", given.as_ref()).map(Some),
        };
        let (Some(account_id), Some(payout_method_id), Some(frequency), Some(minimum)) =
            (account_id, payout_method_id, frequency, minimum)
        else {
            return Err(fields.into());
        };
        fields.finish(Self {
            account_id,
            payout_method_id,
            frequency,
            minimum,
        })
    }
}

fn frequency(fields: &mut Fields, frequency: pb::PayoutFrequency) -> Option<Frequency> {
    use pb::PayoutFrequency as Wire;
    match frequency {
        Wire::OnDemand => Some(Frequency::OnDemand),
        Wire::Weekly => Some(Frequency::Weekly),
        Wire::Monthly => Some(Frequency::Monthly),
        Wire::Quarterly => Some(Frequency::Quarterly),
        Wire::Unspecified => {
            fields.refuse("frequency", "REQUIRED", "is required");
            None
        }
    }
}

impl TryFrom<pb::GetPayoutSettingsRequest> for Id<AccountId> {
    type Error = Violations;

    fn try_from(request: pb::GetPayoutSettingsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("account_id", &request.account_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

/// What each kind of method costs.
pub fn tariffs() -> Vec<pb::PayoutTariff> {
    let wire = |tariff: &crate::domain::Tariff| {
        let currency = tariff.currency_code.parse().ok()?;
        let money = |minor| Some(Money::new(minor, currency).into());
        Some(pb::PayoutTariff {
            kind: to_wire_kind(tariff.kind).into(),
            fee: money(tariff.fee_minor),
            minimum: money(tariff.minimum_minor),
        })
    };
    TARIFFS.iter().filter_map(wire).collect()
}

impl From<PayoutMethodView> for pb::PayoutMethod {
    fn from(view: PayoutMethodView) -> Self {
        use pb::payout_method::State;
        let (state, method) = (view.method.state(view.at), view.method);
        let state = match state {
            PayoutMethodState::Waiting => State::Waiting,
            PayoutMethodState::Active => State::Active,
            PayoutMethodState::Removed => State::Removed,
        };
        Self {
            id: method.id.to_string(),
            account_id: method.account_id.to_string(),
            kind: to_wire_kind(method.kind).into(),
            currency_code: method.currency.code().to_owned(),
            state: state.into(),
            add_time: Some(to_wire_time(method.added_at)),
            active_time: Some(to_wire_time(method.active_at())),
            label: method.label,
        }
    }
}

impl From<PayoutScheduleView> for pb::PayoutSchedule {
    fn from(view: PayoutScheduleView) -> Self {
        use pb::PayoutFrequency as Wire;
        let schedule = view.schedule;
        let frequency = match schedule.frequency {
            Frequency::OnDemand => Wire::OnDemand,
            Frequency::Weekly => Wire::Weekly,
            Frequency::Monthly => Wire::Monthly,
            Frequency::Quarterly => Wire::Quarterly,
        };
        Self {
            payout_method_id: schedule.method_id.to_string(),
            frequency: frequency.into(),
            minimum: Some(schedule.minimum.into()),
            next_time: schedule.next_at.map(to_wire_time),
            skip_time: view.skip.as_ref().map(|skip| to_wire_time(skip.at)),
            skip_reason: view.skip.map_or_else(String::new, |skip| skip.reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_numbers_are_no_tokens() {
        for number in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "12-34-56",
            "DE89370400440532013000",
            "gb29 NWBK 6016 1331 9268 19",
        ] {
            assert!(is_account_number(number), "{number}");
        }
        for token in [
            "btok_1NfLr9",
            "sandbox-late",
            "tok-4242",
            "12345",
            "ba_DE89370400440532013000",
        ] {
            assert!(!is_account_number(token), "{token}");
        }
    }
}
