//! The check of the books.

use vouch_primitives::{Money, Timestamp};
use vouch_proto::{Fields, Violations, convert::to_wire_time, payments::v1 as pb};

use crate::{
    app::checks::Checks,
    domain::{
        CurrencyTotals,
        check::{Fault, Finding},
    },
};

/// Everything is to be checked anew.
#[derive(Clone, Copy, Debug)]
pub struct CheckLedger;

/// How the check goes.
#[derive(Clone, Copy, Debug)]
pub struct GetLedgerCheck;

/// The trial balance at this moment.
#[derive(Clone, Copy, Debug)]
pub struct GetTrialBalanceAt(pub Timestamp);

impl TryFrom<pb::CheckLedgerRequest> for CheckLedger {
    type Error = Violations;

    fn try_from(_: pb::CheckLedgerRequest) -> Result<Self, Violations> {
        Ok(Self)
    }
}

impl TryFrom<pb::GetLedgerCheckRequest> for GetLedgerCheck {
    type Error = Violations;

    fn try_from(_: pb::GetLedgerCheckRequest) -> Result<Self, Violations> {
        Ok(Self)
    }
}

impl TryFrom<pb::GetTrialBalanceAtRequest> for GetTrialBalanceAt {
    type Error = Violations;

    fn try_from(request: pb::GetTrialBalanceAtRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let as_of = fields.time("as_of_time", request.as_of_time.as_ref());
        as_of.map(Self).ok_or_else(|| fields.into())
    }
}

impl From<Checks> for pb::GetLedgerCheckResponse {
    fn from(checks: Checks) -> Self {
        Self {
            checked_position: checks.new.checked_position,
            last_position: checks.last_position,
            all_checked_position: checks.all.checked_position,
            all_begin_time: Some(to_wire_time(checks.all.begun_at)),
            all_end_time: checks.all.ended_at.map(to_wire_time),
            findings: checks.findings.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Finding> for pb::LedgerFinding {
    fn from(finding: Finding) -> Self {
        use pb::ledger_finding::Fault as Wire;
        let fault = match finding.fault {
            Fault::Balance => Wire::Balance,
            Fault::BalanceAfter => Wire::BalanceAfter,
            Fault::Negative => Wire::Negative,
            Fault::Order => Wire::Order,
            Fault::Rewards => Wire::Rewards,
            Fault::RewardTotal => Wire::RewardTotal,
        };
        let money = |minor| Some(Money::new(minor, finding.currency).into());
        Self {
            subject_id: finding.subject.to_string(),
            fault: fault.into(),
            position: finding.position,
            expected: money(finding.expected_minor),
            found: money(finding.found_minor),
        }
    }
}

impl From<CurrencyTotals> for pb::CurrencyTotals {
    fn from(totals: CurrencyTotals) -> Self {
        let kinds = totals.kinds.into_iter().map(|(kind, amount)| pb::KindTotal {
            kind: kind.name().to_owned(),
            amount: Some(amount.into()),
        });
        Self {
            imbalance: Some(totals.imbalance.into()),
            kinds: kinds.collect(),
        }
    }
}
