//! Invoices: made when a week is closed, charged at once, and an earning once they are paid [F5, B6]; or unpaid.

use std::collections::{BTreeMap, HashMap};

use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{ContractId, EarningId, InvoiceId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, payments::v1 as pb};
use vouch_storage::{Txn, timers::DueTimer};

use super::{App, charges::NewCharge, contracts::Party, earnings};
use crate::{
    domain::{Earning, EarningSource, Invoice, InvoiceLine, TimeEntry, invoice::InvoicePosition},
    error::Error,
    store,
};

/// The timer by which the week of a contract is closed; its key is the id of the invoice that it may become.
pub const CLOSE_WEEK: &str = "week.close";

/// An invoice with its lines.
#[derive(Clone, Debug)]
pub struct InvoiceWithLines {
    /// The invoice.
    pub invoice: Invoice,
    /// In the order of time.
    pub lines: Vec<InvoiceLine>,
}

impl App {
    /// Reads one invoice.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get_invoice(&self, id: InvoiceId) -> Result<InvoiceWithLines, Error> {
        let conn = self.commands.db().reader();
        let found = store::invoices::find(conn, &[id]).await?.pop();
        let invoice = found.ok_or(Error::not_found("invoice", id.as_uuid()))?;
        let lines = store::invoices::lines(conn, id).await?;
        Ok(InvoiceWithLines { invoice, lines })
    }

    /// Lists somebody's invoices, of one contract or of all, the latest week first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_invoices(
        &self,
        party: Party,
        contract: Option<ContractId>,
        page: Page<InvoicePosition>,
    ) -> Result<Listed<Invoice, InvoicePosition>, Error> {
        let found = store::invoices::list(self.commands.db().reader(), party, contract, page).await?;
        Ok(page.cut(found, Invoice::position))
    }

    /// Closes weeks: what was worked is invoiced as of Monday 12:00, however late the timer is, and the clients are charged
    /// now. A week whose entries were all removed becomes no invoice.
    ///
    /// # Errors
    /// When the database fails, or an amount does not fit.
    pub async fn close_weeks(&self, txn: &Txn, now: Timestamp, due: &[DueTimer]) -> Result<(), Error> {
        let ids: Vec<InvoiceId> = due.iter().map(|timer| InvoiceId::from_uuid(timer.key)).collect();
        let invoices = self.made(txn, &ids).await?;
        let traces: HashMap<_, _> = due.iter().map(|timer| (timer.key, &timer.traceparent)).collect();
        let told = |invoice: &Invoice, event: NewEvent| {
            let traceparent = traces.get(&invoice.id.as_uuid()).copied().cloned().flatten();
            event.continuing(traceparent)
        };
        self.issue(txn, now, &invoices, &told).await
    }

    /// Issues invoices of locked contracts, and charges the clients; `told` gives each event its trace.
    pub(super) async fn issue(
        &self,
        txn: &Txn,
        now: Timestamp,
        invoices: &[(Invoice, Vec<InvoiceLine>)],
        told: &(dyn Fn(&Invoice, NewEvent) -> NewEvent + Sync),
    ) -> Result<(), Error> {
        if invoices.is_empty() {
            return Ok(());
        }
        store::invoices::insert(txn, invoices).await?;
        let events = invoices.iter().map(|(invoice, _)| told(invoice, issued(invoice)));
        outbox::append(txn, now, &events.collect::<Vec<_>>()).await?;
        let charge = |(invoice, _): &(Invoice, _)| NewCharge {
            contract_id: invoice.contract_id,
            client_id: invoice.client_id,
            purpose: EarningSource::Invoice(invoice.id),
            amount: invoice.amount,
        };
        let charges: Vec<NewCharge> = invoices.iter().map(charge).collect();
        self.begin_charges(txn, now, &charges).await?;
        Ok(())
    }

    /// The invoices for the weeks of these ids, by what their contracts' limits were. Locks the contracts.
    async fn made(&self, txn: &Txn, ids: &[InvoiceId]) -> Result<Vec<(Invoice, Vec<InvoiceLine>)>, Error> {
        let contracts = store::contracts::lock_of_weeks(txn, ids).await?;
        let limits = store::limits::of(txn, contracts.values()).await?;
        let clients = contracts.values().map(|contract| contract.client_id);
        let instruments = self.instruments(txn, clients).await?;
        let mut weeks: BTreeMap<_, Vec<TimeEntry>> = BTreeMap::new();
        for entry in store::time_entries::of_invoices(txn, ids).await? {
            let week = (entry.contract_id, entry.span.week());
            weeks.entry(week).or_default().push(entry);
        }
        let mut made = Vec::new();
        for ((id, week), entries) in weeks {
            let contract = contracts.get(&id).zip(limits.get(&id));
            let (contract, limits) = contract.ok_or(Error::not_found("contract", id.as_uuid()))?;
            let billing = instruments.get(&contract.client_id);
            let verified = billing.is_some_and(|instrument| instrument.verified);
            made.extend(Invoice::of_week(
                contract,
                week,
                limits.in_week(week),
                verified,
                &entries,
            )?);
        }
        Ok(made)
    }
}

/// Charging clients for these was given up.
pub(super) async fn given_up(txn: &Txn, now: Timestamp, ids: &[InvoiceId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut invoices = store::invoices::find(txn, ids).await?;
    invoices.retain_mut(Invoice::give_up);
    store::invoices::save_states(txn, &invoices).await?;
    let events: Vec<NewEvent> = invoices.iter().map(|invoice| told_unpaid(invoice, now)).collect();
    Ok(outbox::append(txn, now, &events).await?)
}

/// Clients have paid these into escrow: they become earnings.
pub(super) async fn paid(txn: &Txn, now: Timestamp, ids: &[InvoiceId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut contracts = store::contracts::lock_of_invoices(txn, ids).await?;
    let mut invoices = store::invoices::find(txn, ids).await?;
    let (mut made, mut events) = (Vec::new(), Vec::new());
    for invoice in &mut invoices {
        let id = invoice.contract_id;
        let contract = contracts
            .get_mut(&id)
            .ok_or(Error::not_found("contract", id.as_uuid()))?;
        if let Some(earning) = invoice.pay(contract, EarningId::new(), now)? {
            events.push(told_paid(invoice, &earning, now));
            made.push(earning);
        }
    }
    store::invoices::save_states(txn, &invoices).await?;
    earnings::begin(txn, now, &made, &contracts).await?;
    Ok(outbox::append(txn, now, &events).await?)
}

fn issued(invoice: &Invoice) -> NewEvent {
    let event = pb::InvoiceIssued {
        invoice_id: invoice.id.to_string(),
        contract_id: invoice.contract_id.to_string(),
        client_id: invoice.client_id.to_string(),
        person_id: invoice.person_id.to_string(),
        account_id: invoice.account_id.to_string(),
        amount: Some(invoice.amount.into()),
        week_time: invoice.period.is_none().then(|| to_wire_time(invoice.week.start())),
        issue_time: Some(to_wire_time(invoice.issued_at())),
        period_start_time: invoice.period.map(|period| to_wire_time(period.start)),
    };
    NewEvent::new(invoice.id.as_uuid(), &event)
}

fn told_unpaid(invoice: &Invoice, at: Timestamp) -> NewEvent {
    let event = pb::InvoiceUnpaid {
        invoice_id: invoice.id.to_string(),
        contract_id: invoice.contract_id.to_string(),
        client_id: invoice.client_id.to_string(),
        person_id: invoice.person_id.to_string(),
        account_id: invoice.account_id.to_string(),
        amount: Some(invoice.amount.into()),
        give_up_time: Some(to_wire_time(at)),
    };
    NewEvent::new(invoice.id.as_uuid(), &event)
}

fn told_paid(invoice: &Invoice, earning: &Earning, at: Timestamp) -> NewEvent {
    let event = pb::InvoicePaid {
        invoice_id: invoice.id.to_string(),
        contract_id: invoice.contract_id.to_string(),
        client_id: invoice.client_id.to_string(),
        person_id: invoice.person_id.to_string(),
        account_id: invoice.account_id.to_string(),
        amount: Some(invoice.amount.into()),
        earning_id: earning.id.to_string(),
        pay_time: Some(to_wire_time(at)),
    };
    NewEvent::new(invoice.id.as_uuid(), &event)
}
