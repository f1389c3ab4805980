//! Changes of contracts, time and invoices.

use vouch_primitives::{ContractId, InvoiceId, Money, TimeEntryId, Timestamp};
use vouch_proto::{Fields, Page, Violations, convert::to_wire_time, payments::v1 as pb};

use super::{
    Id,
    requests::{account, client, no_party},
};
use crate::{
    app::{
        contract_changes::{ChangeWeeklyLimit, HaltContract, ResumeContract},
        contracts::Party,
        invoices::InvoiceWithLines,
        time_entries::{AddTimeEntry, ChangeTimeEntry, RemoveTimeEntry, Which},
    },
    domain::{Invoice, InvoiceLine, InvoiceState, Span, SpanError, TimeEntry, Week, invoice::InvoicePosition},
};

/// Which time entries.
#[derive(Debug)]
pub struct ListTimeEntries {
    /// Which ones.
    pub which: Which,
    /// Which part of the list.
    pub page: Page<TimeEntryId>,
}

/// Which invoices.
#[derive(Debug)]
pub struct ListInvoices {
    /// Whose.
    pub party: Party,
    /// Of this contract alone.
    pub contract: Option<ContractId>,
    /// Which part of the list.
    pub page: Page<InvoicePosition>,
}

fn halt(contract_id: &str, reason: &str) -> Result<HaltContract, Violations> {
    let mut fields = Fields::new();
    let contract_id = fields.id("contract_id", contract_id);
    let reason = fields.text("reason", reason, 1..=1_000);
    let (Some(contract_id), Some(reason)) = (contract_id, reason) else {
        return Err(fields.into());
    };
    fields.finish(HaltContract { contract_id, reason })
}

impl TryFrom<pb::PauseContractRequest> for HaltContract {
    type Error = Violations;

    fn try_from(request: pb::PauseContractRequest) -> Result<Self, Violations> {
        halt(&request.contract_id, &request.reason)
    }
}

impl TryFrom<pb::EndContractRequest> for HaltContract {
    type Error = Violations;

    fn try_from(request: pb::EndContractRequest) -> Result<Self, Violations> {
        halt(&request.contract_id, &request.reason)
    }
}

impl TryFrom<pb::ResumeContractRequest> for ResumeContract {
    type Error = Violations;

    fn try_from(request: pb::ResumeContractRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("contract_id", &request.contract_id);
        id.map(|contract_id| Self { contract_id }).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ChangeWeeklyLimitRequest> for ChangeWeeklyLimit {
    type Error = Violations;

    fn try_from(request: pb::ChangeWeeklyLimitRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let contract_id = fields.id("contract_id", &request.contract_id);
        let minutes = request.weekly_limit_minutes;
        if !(1..=10_080).contains(&minutes) {
            fields.refuse(
                "weekly_limit_minutes",
                "OUT_OF_RANGE",
                "must be between 1 and 10,080, the minutes of a week",
            );
        }
        let Some(contract_id) = contract_id else {
            return Err(fields.into());
        };
        fields.finish(Self { contract_id, minutes })
    }
}

fn span(fields: &mut Fields, start: Option<Timestamp>, end: Option<Timestamp>) -> Option<Span> {
    let (start, end) = (start?, end?);
    let span = Span::try_new(start, end);
    if let Err(error) = span {
        let at_start = error == SpanError::NotWholeMinutes && !start.is_whole_minute();
        let field = if at_start { "start_time" } else { "end_time" };
        fields.refuse(field, "OUT_OF_RANGE", error.to_string());
    }
    span.ok()
}

impl TryFrom<pb::AddTimeEntryRequest> for AddTimeEntry {
    type Error = Violations;

    fn try_from(request: pb::AddTimeEntryRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let contract_id = fields.id("contract_id", &request.contract_id);
        let start = fields.time("start_time", request.start_time.as_ref());
        let end = fields.time("end_time", request.end_time.as_ref());
        let span = span(&mut fields, start, end);
        let description = fields.text("description", &request.description, 0..=1_000);
        let (Some(contract_id), Some(span), Some(description)) = (contract_id, span, description) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            contract_id,
            span,
            tracked: request.tracked,
            description,
        })
    }
}

impl TryFrom<pb::ChangeTimeEntryRequest> for ChangeTimeEntry {
    type Error = Violations;

    fn try_from(request: pb::ChangeTimeEntryRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let time_entry_id = fields.id("time_entry_id", &request.time_entry_id);
        let start = fields.time("start_time", request.start_time.as_ref());
        let end = fields.time("end_time", request.end_time.as_ref());
        let span = span(&mut fields, start, end);
        let description = fields.text("description", &request.description, 0..=1_000);
        let (Some(time_entry_id), Some(span), Some(description)) = (time_entry_id, span, description) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            time_entry_id,
            span,
            description,
        })
    }
}

impl TryFrom<pb::RemoveTimeEntryRequest> for RemoveTimeEntry {
    type Error = Violations;

    fn try_from(request: pb::RemoveTimeEntryRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("time_entry_id", &request.time_entry_id);
        id.map(|time_entry_id| Self { time_entry_id })
            .ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::GetTimeEntryRequest> for Id<TimeEntryId> {
    type Error = Violations;

    fn try_from(request: pb::GetTimeEntryRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("time_entry_id", &request.time_entry_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListTimeEntriesRequest> for ListTimeEntries {
    type Error = Violations;

    fn try_from(request: pb::ListTimeEntriesRequest) -> Result<Self, Violations> {
        use pb::list_time_entries_request::Party as Wire;
        let mut fields = Fields::new();
        let party = match &request.party {
            Some(Wire::AccountId(id)) => account(&mut fields, id),
            Some(Wire::ClientId(id)) => client(&mut fields, id),
            None => no_party(&mut fields),
        };
        let contract = fields.id_if_set("contract_id", &request.contract_id);
        let week = fields.time_if_set("week_time", request.week_time.as_ref());
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(party), Some(contract), Some(week), Some(page)) = (party, contract, week, page) else {
            return Err(fields.into());
        };
        let which = Which {
            party,
            contract,
            week: week.map(Week::of),
        };
        fields.finish(Self { which, page })
    }
}

impl TryFrom<pb::GetInvoiceRequest> for Id<InvoiceId> {
    type Error = Violations;

    fn try_from(request: pb::GetInvoiceRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("invoice_id", &request.invoice_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ListInvoicesRequest> for ListInvoices {
    type Error = Violations;

    fn try_from(request: pb::ListInvoicesRequest) -> Result<Self, Violations> {
        use pb::list_invoices_request::Party as Wire;
        let mut fields = Fields::new();
        let party = match &request.party {
            Some(Wire::AccountId(id)) => account(&mut fields, id),
            Some(Wire::ClientId(id)) => client(&mut fields, id),
            None => no_party(&mut fields),
        };
        let contract = fields.id_if_set("contract_id", &request.contract_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(party), Some(contract), Some(page)) = (party, contract, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { party, contract, page })
    }
}

impl From<TimeEntry> for pb::TimeEntry {
    fn from(entry: TimeEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            contract_id: entry.contract_id.to_string(),
            start_time: Some(to_wire_time(entry.span.start())),
            end_time: Some(to_wire_time(entry.span.end())),
            tracked: entry.tracked,
            description: entry.description,
            close_time: Some(to_wire_time(entry.span.week().closes_at())),
            create_time: Some(to_wire_time(entry.created_at)),
        }
    }
}

impl From<InvoiceWithLines> for pb::Invoice {
    fn from(InvoiceWithLines { invoice, lines }: InvoiceWithLines) -> Self {
        Self {
            lines: lines.into_iter().map(|line| wire_line(line, &invoice)).collect(),
            ..Self::from(invoice)
        }
    }
}

impl From<Invoice> for pb::Invoice {
    fn from(invoice: Invoice) -> Self {
        use pb::invoice::State;
        let state = match invoice.state {
            InvoiceState::Open => State::Open,
            InvoiceState::Paid { .. } => State::Paid,
            InvoiceState::Unpaid => State::Unpaid,
        };
        Self {
            id: invoice.id.to_string(),
            contract_id: invoice.contract_id.to_string(),
            client_id: invoice.client_id.to_string(),
            account_id: invoice.account_id.to_string(),
            week_time: invoice.period.is_none().then(|| to_wire_time(invoice.week.start())),
            rate: invoice.period.is_none().then(|| invoice.rate.into()),
            weekly_limit_minutes: invoice.limit_minutes,
            minutes: invoice.minutes,
            minutes_over: invoice.minutes_over,
            amount: Some(invoice.amount.into()),
            state: state.into(),
            issue_time: Some(to_wire_time(invoice.issued_at())),
            review_until_time: Some(to_wire_time(invoice.review_until())),
            pay_time: invoice.state.paid_at().map(to_wire_time),
            lines: Vec::new(),
            period_start_time: invoice.period.map(|period| to_wire_time(period.start)),
            period_end_time: invoice.period.map(|period| to_wire_time(period.end)),
        }
    }
}

fn wire_line(line: InvoiceLine, invoice: &Invoice) -> pb::InvoiceLine {
    use pb::invoice_line::Unprotected;
    let protection = line.protection;
    let missing = [
        (protection.tracked, Unprotected::NotTracked),
        (protection.within_limit, Unprotected::OverLimit),
        (protection.described, Unprotected::NotDescribed),
        (protection.billing_verified, Unprotected::BillingNotVerified),
    ];
    let missing = missing.into_iter().filter(|(held, _)| !held);
    pb::InvoiceLine {
        time_entry_id: line.entry_id.to_string(),
        start_time: Some(to_wire_time(line.span.start())),
        end_time: Some(to_wire_time(line.span.end())),
        description: line.description,
        minutes: line.minutes,
        minutes_over: line.minutes_over,
        amount: Some(Money::new(line.amount_minor, invoice.amount.currency).into()),
        unprotected: missing.map(|(_, reason)| reason.into()).collect(),
    }
}
