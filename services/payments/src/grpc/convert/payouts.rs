//! Payouts and payout runs.

use vouch_primitives::{AccountId, Money, PayoutId, PayoutRunId, Uuid};
use vouch_proto::{Fields, Page, Violations, convert::to_wire_time, payments::v1 as pb};

use super::Id;
use crate::{
    app::{
        payout_runs::PayoutRunView,
        payouts::{CancelPayout, RecordPayoutReturn, Withdraw},
    },
    domain::{Payout, PayoutSkip, PayoutState, Refusal},
};

/// Which payouts.
#[derive(Debug)]
pub struct ListPayouts {
    /// Whose.
    pub account_id: AccountId,
    /// Which part of the list.
    pub page: Page<PayoutId>,
}

/// Which payout runs.
#[derive(Debug)]
pub struct ListPayoutRuns {
    /// Which part of the list; the key is the run's moment, in microseconds.
    pub page: Page<i64>,
}

/// Whom a run has passed over.
#[derive(Debug)]
pub struct ListPayoutSkips {
    /// Which run.
    pub payout_run_id: PayoutRunId,
    /// Which part of the list.
    pub page: Page<Uuid>,
}

impl TryFrom<pb::WithdrawRequest> for Withdraw {
    type Error = Violations;

    fn try_from(request: pb::WithdrawRequest) -> Result<Self, Violations> {
        use pb::withdraw_request::What;
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let payout_method_id = fields.id_if_set("payout_method_id", &request.payout_method_id);
        let what = match &request.what {
            Some(What::Amount(amount)) => {
                let amount = fields.positive_money("amount", Some(amount));
                amount.map(|amount: Money| (amount.currency, Some(amount)))
            }
            Some(What::Everything(everything)) => {
                let code = &everything.currency_code;
                let currency = fields.within("everything", |fields| fields.currency("currency_code", code));
                currency.map(|currency| (currency, None))
            }
            None => {
                fields.refuse("what", "REQUIRED", "is required: amount or everything");
                None
            }
        };
        let (Some(account_id), Some(payout_method_id), Some((currency, amount))) = (account_id, payout_method_id, what)
        else {
            return Err(fields.into());
        };
        fields.finish(Self {
            account_id,
            payout_method_id,
            currency,
            amount,
        })
    }
}

impl TryFrom<pb::CancelPayoutRequest> for CancelPayout {
    type Error = Violations;

    fn try_from(request: pb::CancelPayoutRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("payout_id", &request.payout_id);
        id.map(|payout_id| Self { payout_id }).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::RecordPayoutReturnRequest> for RecordPayoutReturn {
    type Error = Violations;

    fn try_from(request: pb::RecordPayoutReturnRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("payout_id", &request.payout_id);
        id.map(|payout_id| Self { payout_id }).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::GetPayoutRequest> for Id<PayoutId> {
    type Error = Violations;

    fn try_from(request: pb::GetPayoutRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("payout_id", &request.payout_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListPayoutsRequest> for ListPayouts {
    type Error = Violations;

    fn try_from(request: pb::ListPayoutsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(account_id), Some(page)) = (account_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { account_id, page })
    }
}

impl TryFrom<pb::GetPayoutRunRequest> for Id<PayoutRunId> {
    type Error = Violations;

    fn try_from(request: pb::GetPayoutRunRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("payout_run_id", &request.payout_run_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListPayoutRunsRequest> for ListPayoutRuns {
    type Error = Violations;

    fn try_from(request: pb::ListPayoutRunsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let page = fields.page(request.page_size, &request.page_token);
        page.map(|page| Self { page }).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListPayoutSkipsRequest> for ListPayoutSkips {
    type Error = Violations;

    fn try_from(request: pb::ListPayoutSkipsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let payout_run_id = fields.id("payout_run_id", &request.payout_run_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(payout_run_id), Some(page)) = (payout_run_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { payout_run_id, page })
    }
}

impl From<Payout> for pb::Payout {
    fn from(payout: Payout) -> Self {
        use pb::payout::State;
        let state = match payout.state {
            PayoutState::Requested => State::Requested,
            PayoutState::Dispatched { .. } => State::Dispatched,
            PayoutState::Paid { .. } => State::Paid,
            PayoutState::Failed { .. } => State::Failed,
            PayoutState::Cancelled { .. } => State::Cancelled,
            PayoutState::Returned { .. } => State::Returned,
        };
        let state_at = payout.state.at().unwrap_or(payout.requested_at);
        Self {
            id: payout.id.to_string(),
            account_id: payout.account_id.to_string(),
            payout_method_id: payout.method_id.to_string(),
            amount: Some(payout.amount.into()),
            fee: Some(payout.fee().into()),
            sent: Some(payout.sent().into()),
            state: state.into(),
            request_time: Some(to_wire_time(payout.requested_at)),
            state_time: Some(to_wire_time(state_at)),
            reason: payout.state.reason().map_or("", Refusal::name).to_owned(),
            payout_run_id: payout.run_id.as_ref().map_or_else(String::new, PayoutRunId::to_string),
        }
    }
}

impl From<PayoutRunView> for pb::PayoutRun {
    fn from(view: PayoutRunView) -> Self {
        let run = view.run;
        Self {
            id: run.id.to_string(),
            due_time: Some(to_wire_time(run.due_at)),
            start_time: Some(to_wire_time(run.started_at)),
            finish_time: run.finished_at.map(to_wire_time),
            due: run.due,
            made: run.made,
            skipped: run.skipped,
            paid: view.paid,
            failed: view.failed,
        }
    }
}

impl From<PayoutSkip> for pb::PayoutSkip {
    fn from(skip: PayoutSkip) -> Self {
        Self {
            account_id: skip.account_id.to_string(),
            reason: skip.reason,
            available: Some(skip.available.into()),
        }
    }
}
