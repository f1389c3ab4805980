//! An invoice as a document [B2, F5, B6].

use vouch_primitives::{InvoiceId, Money};

use super::{
    Content, Export, Format, Side, amount, day, hours, minute, note_lacking,
    pdf::{Align, Column, Pdf},
};
use crate::{
    app::{App, invoices::InvoiceWithLines},
    domain::{Earning, EarningSource, Invoice, InvoiceLine, InvoiceState, Protection, week::STEP},
    error::Error,
    store,
};

const TABLE: &[Column] = &[
    Column {
        title: "From (UTC)",
        width: 760,
        align: Align::Left,
    },
    Column {
        title: "What was done",
        width: 2_240,
        align: Align::Left,
    },
    Column {
        title: "Hours",
        width: 430,
        align: Align::Right,
    },
    Column {
        title: "Left out",
        width: 480,
        align: Align::Right,
    },
    Column {
        title: "Protected",
        width: 640,
        align: Align::Left,
    },
    Column {
        title: "Amount",
        width: 600,
        align: Align::Right,
    },
];

impl App {
    /// An invoice as a PDF; the service fee stands on the talent's alone.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn export_invoice(&self, id: InvoiceId, side: Side) -> Result<Export, Error> {
        let InvoiceWithLines { invoice, lines } = self.get_invoice(id).await?;
        let reader = self.commands.db().reader();
        let earning = store::earnings::of_source(reader, EarningSource::Invoice(id)).await?;
        Ok(Export {
            name: format!("invoice-{id}.pdf"),
            format: Format::Pdf,
            content: Content::Whole(written(&invoice, &lines, earning.as_ref(), side)?),
        })
    }
}

fn written(invoice: &Invoice, lines: &[InvoiceLine], earning: Option<&Earning>, side: Side) -> Result<Vec<u8>, Error> {
    let first = invoice.period.map_or(invoice.week.start(), |period| period.start);
    let last = invoice.ends_at().saturating_sub(STEP);
    let what = if invoice.period.is_some() { "Period" } else { "Week" };
    let title = format!("Invoice for the {} of {}", what.to_lowercase(), day(first));
    let mut pdf = Pdf::new(&title, &format!("Invoice {}", invoice.id))?;
    pdf.facts(&[
        ("Invoice", invoice.id.to_string()),
        ("Contract", invoice.contract_id.to_string()),
        ("Client", invoice.client_id.to_string()),
        ("Account", invoice.account_id.to_string()),
        (what, format!("{} to {}", day(first), day(last))),
        ("Issued", format!("{} UTC", minute(invoice.issued_at()))),
        ("State", state(invoice.state)),
    ]);
    if invoice.period.is_some() {
        pdf.facts(&[("Amount", invoice.amount.to_string())]);
    } else {
        time(&mut pdf, invoice, lines);
    }
    if let Some(earning) = earning {
        settlement(&mut pdf, earning, side);
    }
    note_lacking(&mut pdf);
    Ok(pdf.finish()?)
}

/// What was worked in a week.
fn time(pdf: &mut Pdf, invoice: &Invoice, lines: &[InvoiceLine]) {
    pdf.facts(&[
        ("Rate for one hour", invoice.rate.to_string()),
        ("Weekly limit", format!("{} hours", hours(invoice.limit_minutes))),
    ]);
    pdf.heading("Time");
    pdf.table(TABLE);
    for line in lines {
        let share = Money::new(line.amount_minor, invoice.amount.currency);
        pdf.row(&[
            minute(line.span.start()),
            line.description.clone(),
            hours(line.minutes),
            if line.minutes_over == 0 {
                String::new()
            } else {
                hours(line.minutes_over)
            },
            protection(line.protection).to_owned(),
            amount(share),
        ]);
    }
    let left_out = if invoice.minutes_over == 0 {
        String::new()
    } else {
        hours(invoice.minutes_over)
    };
    pdf.sum(&[
        String::new(),
        "Sum".to_owned(),
        hours(invoice.minutes),
        left_out,
        String::new(),
        invoice.amount.to_string(),
    ]);
    if invoice.minutes_over > 0 {
        let over = hours(invoice.minutes_over);
        pdf.paragraph(&format!(
            "{over} hours are over the weekly limit. They are left out, and nothing is charged for them."
        ));
    }
    pdf.paragraph("A line is under payment protection if its time was tracked, lies within the weekly limit and says what was done, and \
         the client's way of billing was verified.");
}

/// What became of what was paid.
pub(super) fn settlement(pdf: &mut Pdf, earning: &Earning, side: Side) {
    let money = |minor| Money::new(minor, earning.gross.currency).to_string();
    let mut facts = vec![("Paid", earning.gross.to_string())];
    if earning.refunded_minor > 0 {
        facts.push(("Taken back since", money(earning.refunded_minor)));
    }
    if side == Side::Talent {
        facts.push(("Service fee", money(earning.fee_minor)));
        let net = earning.gross.minor - earning.refunded_minor - earning.fee_minor;
        facts.push(("After the fee", money(net)));
        facts.push(("Available", format!("{} UTC", minute(earning.available_at))));
    }
    pdf.heading("Payment");
    pdf.facts(&facts);
}

fn state(state: InvoiceState) -> String {
    match state {
        InvoiceState::Open => "Open: the charge is not settled yet".to_owned(),
        InvoiceState::Paid { paid_at } => format!("Paid on {} UTC", minute(paid_at)),
        InvoiceState::Unpaid => "Unpaid: charging was given up".to_owned(),
    }
}

const fn protection(of: Protection) -> &'static str {
    match (of.within_limit, of.tracked, of.described, of.billing_verified) {
        (true, true, true, true) => "yes",
        (false, ..) => "over the limit",
        (true, false, ..) => "not tracked",
        (true, true, false, _) => "not described",
        (true, true, true, false) => "not verified",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // B8
    #[test]
    fn a_line_is_protected_if_all_of_it_holds() {
        for (tracked, minutes, description, billing_verified, told) in [
            (true, 1, "Drafts", true, "yes"),
            (true, 0, "Drafts", true, "over the limit"),
            (false, 1, "Drafts", true, "not tracked"),
            (true, 1, "", true, "not described"),
            (true, 1, "Drafts", false, "not verified"),
        ] {
            assert_eq!(
                protection(Protection::of(tracked, minutes, description, billing_verified)),
                told
            );
        }
    }
}
