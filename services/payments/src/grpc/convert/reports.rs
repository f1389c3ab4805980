//! Statements and other reports.

use vouch_primitives::{AccountId, ClientId, Currency, EarningId, InvoiceId, Money, Timestamp};
use vouch_proto::{Fields, Page, Violations, convert::to_wire_time, payments::v1 as pb};

use super::Id;
use crate::{
    app::{documents::Format, ledger::StatementOf},
    domain::{
        EarningSource, Part,
        availability::{Awaited, AwaitedPosition, Rule},
        overview::{ClientMoney, ClientOverview, ContractCounts, TalentMoney, TalentOverview, Tally},
        statement::LinePosition,
    },
};

/// Which balances.
#[derive(Debug)]
pub struct GetBalances {
    /// Whose.
    pub account_id: AccountId,
    /// As they were at this moment.
    pub as_of: Option<Timestamp>,
}

/// Which statement.
#[derive(Debug)]
pub struct GetStatement {
    /// Whose, and of which time.
    pub of: StatementOf,
    /// Which part of it.
    pub page: Page<LinePosition>,
}

/// Which amounts are explained.
#[derive(Debug)]
pub struct ExplainAvailability {
    /// Whose.
    pub account_id: AccountId,
    /// Which part of the list.
    pub page: Page<AwaitedPosition>,
}

/// Which statement is written to a file.
#[derive(Debug)]
pub struct ExportStatement {
    /// Whose, and of which time.
    pub of: StatementOf,
    /// How it is written.
    pub format: Format,
}

impl TryFrom<pb::GetBalancesRequest> for GetBalances {
    type Error = Violations;

    fn try_from(request: pb::GetBalancesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let as_of = fields.time_if_set("as_of_time", request.as_of_time.as_ref());
        let (Some(account_id), Some(as_of)) = (account_id, as_of) else {
            return Err(fields.into());
        };
        fields.finish(Self { account_id, as_of })
    }
}

impl TryFrom<pb::ListStatementLinesRequest> for GetStatement {
    type Error = Violations;

    fn try_from(request: pb::ListStatementLinesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let of = statement(&mut fields, &request.account_id, &request.currency_code, [None, None]);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(of), Some(page)) = (of, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { of, page })
    }
}

impl TryFrom<pb::GetStatementRequest> for GetStatement {
    type Error = Violations;

    fn try_from(request: pb::GetStatementRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let period = [request.start_time.as_ref(), request.end_time.as_ref()];
        let of = statement(&mut fields, &request.account_id, &request.currency_code, period);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(of), Some(page)) = (of, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { of, page })
    }
}

/// A statement of a period that does not end before it begins.
pub(super) fn statement(
    fields: &mut Fields,
    account_id: &str,
    currency_code: &str,
    [start, end]: [Option<&prost_types::Timestamp>; 2],
) -> Option<StatementOf> {
    let account_id = fields.id("account_id", account_id);
    let currency = fields.currency("currency_code", currency_code);
    let from = fields.time_if_set("start_time", start);
    let until = fields.time_if_set("end_time", end);
    if let (Some(Some(from)), Some(Some(until))) = (from, until)
        && until < from
    {
        fields.refuse("end_time", "OUT_OF_RANGE", "must not be before start_time");
        return None;
    }
    Some(StatementOf {
        account_id: account_id?,
        currency: currency?,
        from: from?,
        until: until?,
    })
}

impl TryFrom<pb::ExplainAvailabilityRequest> for ExplainAvailability {
    type Error = Violations;

    fn try_from(request: pb::ExplainAvailabilityRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(account_id), Some(page)) = (account_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { account_id, page })
    }
}

impl TryFrom<pb::GetClientOverviewRequest> for Id<ClientId> {
    type Error = Violations;

    fn try_from(request: pb::GetClientOverviewRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("client_id", &request.client_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::GetTalentOverviewRequest> for Id<AccountId> {
    type Error = Violations;

    fn try_from(request: pb::GetTalentOverviewRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("account_id", &request.account_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl From<Awaited> for pb::AwaitedAmount {
    fn from(awaited: Awaited) -> Self {
        use pb::awaited_amount::{Rule as Wire, Source};
        let (rule, dispute) = match awaited.rule {
            Rule::WeekEnd => (Wire::WednesdayAfterWeek, None),
            Rule::Charge => (Wire::FiveDaysAfterCharge, None),
            Rule::Approval => (Wire::FiveDaysAfterApproval, None),
            Rule::Bonus => (Wire::FiveDaysAfterBonus, None),
            Rule::Dispute(id) => (Wire::DisputeOpen, Some(id)),
            Rule::Unpaid => (Wire::InvoiceUnpaid, None),
        };
        let source = match awaited.source {
            EarningSource::Milestone(id) => Source::MilestoneId(id.to_string()),
            EarningSource::Invoice(id) => Source::InvoiceId(id.to_string()),
            EarningSource::Bonus(id) => Source::BonusPaymentId(id.to_string()),
        };
        Self {
            part: awaited
                .part
                .map_or(pb::statement_line::Part::Unspecified, Part::into)
                .into(),
            amount: Some(awaited.amount.into()),
            available_time: awaited.available_at.map(to_wire_time),
            rule: rule.into(),
            earning_id: awaited.earning_id.map_or_else(String::new, |id| id.to_string()),
            source: Some(source),
            dispute_id: dispute.map_or_else(String::new, |id| id.to_string()),
        }
    }
}

impl From<ContractCounts> for pb::ContractCounts {
    fn from(counts: ContractCounts) -> Self {
        Self {
            active: counts.active,
            paused: counts.paused,
            ended: counts.ended,
        }
    }
}

impl From<ClientOverview> for pb::GetClientOverviewResponse {
    fn from(overview: ClientOverview) -> Self {
        Self {
            contracts: Some(overview.contracts.into()),
            money: overview.money.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ClientMoney> for pb::ClientMoney {
    fn from(of: ClientMoney) -> Self {
        Self {
            escrow: Some(Money::new(of.escrow_minor, of.currency).into()),
            spent: Some(Money::new(of.spent_minor, of.currency).into()),
            open_invoices: Some(tally(of.open, of.currency)),
            paid_invoices: Some(tally(of.paid, of.currency)),
            unpaid_invoices: Some(tally(of.unpaid, of.currency)),
            open_disputes: Some(tally(of.disputed, of.currency)),
        }
    }
}

fn tally(tally: Tally, currency: Currency) -> pb::Tally {
    pb::Tally {
        count: tally.count,
        amount: Some(Money::new(tally.minor, currency).into()),
    }
}

impl From<TalentOverview> for pb::GetTalentOverviewResponse {
    fn from(overview: TalentOverview) -> Self {
        Self {
            contracts: Some(overview.contracts.into()),
            money: overview.money.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<TalentMoney> for pb::TalentMoney {
    fn from(of: TalentMoney) -> Self {
        let money = |minor| Some(Money::new(minor, of.balances.currency).into());
        Self {
            balance: Some(of.balances.into()),
            next_available_time: of.next.map(|(at, _)| to_wire_time(at)),
            next_available: of.next.and_then(|(_, minor)| money(minor)),
            earned: money(of.earned_minor),
            fees: money(of.fees_minor),
            rewards: money(of.rewards_minor),
        }
    }
}

impl TryFrom<pb::ExportStatementRequest> for ExportStatement {
    type Error = Violations;

    fn try_from(request: pb::ExportStatementRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let period = [request.start_time.as_ref(), request.end_time.as_ref()];
        let of = statement(&mut fields, &request.account_id, &request.currency_code, period);
        let format = match request.format() {
            pb::FileFormat::Csv => Some(Format::Csv),
            pb::FileFormat::Pdf => Some(Format::Pdf),
            pb::FileFormat::Unspecified => {
                fields.refuse("format", "REQUIRED", "is required: FILE_FORMAT_CSV or FILE_FORMAT_PDF");
                None
            }
        };
        let (Some(of), Some(format)) = (of, format) else {
            return Err(fields.into());
        };
        fields.finish(Self { of, format })
    }
}

impl TryFrom<pb::ExportInvoicesRequest> for Id<ClientId> {
    type Error = Violations;

    fn try_from(request: pb::ExportInvoicesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("client_id", &request.client_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ExportInvoiceRequest> for Id<InvoiceId> {
    type Error = Violations;

    fn try_from(request: pb::ExportInvoiceRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("invoice_id", &request.invoice_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ExportReceiptRequest> for Id<EarningId> {
    type Error = Violations;

    fn try_from(request: pb::ExportReceiptRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("earning_id", &request.earning_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}
