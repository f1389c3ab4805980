//! A client's invoices as a table.

use vouch_primitives::ClientId;
use vouch_proto::Page;

use super::{Content, Export, Format, csv::Csv, day, number};
use crate::{
    app::{App, contracts::Party},
    domain::{Invoice, invoice::InvoicePosition, week::STEP},
    error::Error,
    store,
};

/// How many invoices are read at once.
const AT_ONCE: u64 = 500;

const COLUMNS: [&str; 15] = [
    "invoice",
    "contract",
    "account",
    "week",
    "issued",
    "state",
    "paid",
    "rate",
    "weekly_limit_minutes",
    "minutes",
    "minutes_over",
    "amount",
    "currency",
    "period_start",
    "period_end",
];

/// The table, while it is written.
#[derive(Debug)]
pub(super) struct InvoicesFile {
    app: App,
    client: ClientId,
    after: Option<InvoicePosition>,
    csv: Option<Csv>,
}

impl App {
    /// A client's invoices as a CSV file, the latest week first.
    ///
    /// # Errors
    /// None that is known.
    pub fn export_invoices(&self, client: ClientId) -> Result<Export, Error> {
        let file = InvoicesFile {
            app: self.clone(),
            client,
            after: None,
            csv: Some(Csv::new(&COLUMNS)?),
        };
        Ok(Export {
            name: format!("invoices-{client}.csv"),
            format: Format::Csv,
            content: Content::Invoices(Box::new(file)),
        })
    }
}

impl InvoicesFile {
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        let Some(csv) = &mut self.csv else {
            return Ok(None);
        };
        let page = Page {
            size: AT_ONCE,
            after: self.after,
        };
        let reader = self.app.commands.db().reader();
        let found = store::invoices::list(reader, Party::Client(self.client), None, page).await?;
        let listed = page.cut(found, Invoice::position);
        for invoice in &listed.items {
            csv.row(&row(invoice))?;
        }
        let bytes = csv.take()?;
        self.after = listed.next;
        if listed.next.is_none() {
            self.csv = None;
        }
        Ok(Some(bytes))
    }
}

fn row(invoice: &Invoice) -> [String; 15] {
    // What is only of weeks, and what is only of periods.
    let of_week = |text: String| if invoice.period.is_none() { text } else { String::new() };
    let of_period = |text: Option<String>| text.unwrap_or_default();
    [
        invoice.id.to_string(),
        invoice.contract_id.to_string(),
        invoice.account_id.to_string(),
        of_week(day(invoice.week.start())),
        invoice.issued_at().to_string(),
        invoice.state.name().to_owned(),
        invoice.state.paid_at().map_or_else(String::new, |at| at.to_string()),
        of_week(number(invoice.rate)),
        of_week(invoice.limit_minutes.to_string()),
        of_week(invoice.minutes.to_string()),
        of_week(invoice.minutes_over.to_string()),
        number(invoice.amount),
        invoice.amount.currency.code().to_owned(),
        of_period(invoice.period.map(|period| day(period.start))),
        of_period(invoice.period.map(|period| day(period.end.saturating_sub(STEP)))),
    ]
}
