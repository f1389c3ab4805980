//! A statement as a file.

use vouch_primitives::Money;
use vouch_proto::Page;

use super::{
    Content, Export, Format, amount,
    csv::Csv,
    day, minute, number,
    pdf::{Align, Column, Pdf},
    words,
};
use crate::{
    app::{App, ledger::StatementOf},
    domain::{Balances, Frame, Part, Period, StatementLine, statement::LinePosition},
    error::Error,
    store,
};

/// How many lines are read at once.
const AT_ONCE: u64 = 500;

const COLUMNS: [&str; 9] = [
    "booked", "happened", "part", "kind", "amount", "balance", "currency", "source", "transfer",
];

const TABLE: &[Column] = &[
    Column {
        title: "Booked (UTC)",
        width: 760,
        align: Align::Left,
    },
    Column {
        title: "What",
        width: 920,
        align: Align::Left,
    },
    Column {
        title: "About",
        width: 1_640,
        align: Align::Left,
    },
    Column {
        title: "Part",
        width: 540,
        align: Align::Left,
    },
    Column {
        title: "Amount",
        width: 640,
        align: Align::Right,
    },
    Column {
        title: "Balance",
        width: 650,
        align: Align::Right,
    },
];

/// A statement that is being written.
#[derive(Debug)]
pub(super) struct StatementFile {
    app: App,
    of: StatementOf,
    period: Period,
    frame: Frame,
    /// What the lines so far have made of the opening balances.
    reached: Balances,
    after: Option<LinePosition>,
    writer: Writer,
}

#[derive(Debug)]
enum Writer {
    Csv(Box<Csv>),
    Pdf(Box<Pdf>),
    Ended,
}

impl App {
    /// A statement as a file. What it holds is what was booked in the period by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn export_statement(&self, of: StatementOf, format: Format) -> Result<Export, Error> {
        let none = Page { size: 0, after: None };
        let period = of.period(self.commands.now());
        let of = StatementOf {
            from: Some(period.from),
            until: Some(period.until),
            ..of
        };
        let (frame, _) = self.get_statement(of, none).await?;
        let writer = match format {
            Format::Csv => Writer::Csv(Box::new(begin_csv(&of, period, &frame)?)),
            Format::Pdf => Writer::Pdf(Box::new(begin_pdf(&of, period, &frame)?)),
        };
        let file = StatementFile {
            app: self.clone(),
            of,
            period,
            frame,
            reached: frame.opening,
            after: None,
            writer,
        };
        let dates = format!("{}-{}", day(period.from), day(period.until));
        Ok(Export {
            name: format!(
                "statement-{}-{}-{dates}.{}",
                of.account_id,
                of.currency,
                format.extension()
            ),
            format,
            content: Content::Statement(Box::new(file)),
        })
    }
}

impl StatementFile {
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if matches!(self.writer, Writer::Ended) {
            return Ok(None);
        }
        let page = Page {
            size: AT_ONCE,
            after: self.after,
        };
        let reader = self.app.commands.db().reader();
        let (account, currency) = (self.of.account_id, self.of.currency);
        let lines = store::statements::lines(reader, account, currency, self.period, page).await?;
        let listed = page.cut(lines, |line| line.position);
        for line in &listed.items {
            *self.reached.of_mut(line.part) += line.adds_minor();
            match &mut self.writer {
                Writer::Csv(csv) => csv.row(&csv_row(line))?,
                Writer::Pdf(pdf) => pdf.row(&pdf_row(line)),
                Writer::Ended => {}
            }
        }
        self.after = listed.next;
        if listed.next.is_some() {
            return Ok(Some(match &mut self.writer {
                Writer::Csv(csv) => csv.take()?,
                Writer::Pdf(pdf) => pdf.take(),
                Writer::Ended => Vec::new(),
            }));
        }
        // Somebody may have booked into the period after its balances were read.
        if self.reached != self.frame.closing {
            return Err(Error::PeriodOpen);
        }
        self.end().map(Some)
    }

    fn end(&mut self) -> Result<Vec<u8>, Error> {
        match std::mem::replace(&mut self.writer, Writer::Ended) {
            Writer::Csv(mut csv) => {
                balances(&mut csv, self.period.until, "CLOSING_BALANCE", &self.frame.closing)?;
                Ok(csv.take()?)
            }
            Writer::Pdf(mut pdf) => {
                pdf.heading("Closing balance");
                pdf.facts(&facts_of(&self.frame.closing));
                Ok(pdf.finish()?)
            }
            Writer::Ended => Ok(Vec::new()),
        }
    }
}

fn begin_csv(of: &StatementOf, period: Period, frame: &Frame) -> Result<Csv, Error> {
    debug_assert_eq!(of.currency, frame.opening.currency);
    let mut csv = Csv::new(&COLUMNS)?;
    balances(&mut csv, period.from, "OPENING_BALANCE", &frame.opening)?;
    Ok(csv)
}

/// One row for each part.
fn balances(csv: &mut Csv, at: vouch_primitives::Timestamp, kind: &str, held: &Balances) -> Result<(), Error> {
    for part in Part::ALL {
        let balance = number(Money::new(held.of(part), held.currency));
        csv.row(&[
            &at.to_string(),
            "",
            part.kind().name(),
            kind,
            "",
            &balance,
            held.currency.code(),
            "",
            "",
        ])?;
    }
    Ok(())
}

fn csv_row(line: &StatementLine) -> [String; 9] {
    [
        line.position.booked_at.to_string(),
        line.at.to_string(),
        line.part.kind().name().to_owned(),
        line.kind.clone(),
        number(line.amount),
        number(line.balance_after),
        line.amount.currency.code().to_owned(),
        line.source_id.to_string(),
        line.transfer_id.to_string(),
    ]
}

fn begin_pdf(of: &StatementOf, period: Period, frame: &Frame) -> Result<Pdf, Error> {
    let title = format!("Statement in {}", of.currency);
    let mut pdf = Pdf::new(&title, &format!("Statement of account {}", of.account_id))?;
    pdf.facts(&[
        ("Account", of.account_id.to_string()),
        ("From", format!("{} UTC", minute(period.from))),
        ("Before", format!("{} UTC", minute(period.until))),
    ]);
    pdf.heading("Opening balance");
    pdf.facts(&facts_of(&frame.opening));
    pdf.heading("Movements, in the order in which they were booked");
    pdf.table(TABLE);
    Ok(pdf)
}

fn facts_of(held: &Balances) -> Vec<(&'static str, String)> {
    let names = ["Pending", "Held", "Available", "On its way", "Owed"];
    let amounts = Part::ALL.map(|part| Money::new(held.of(part), held.currency).to_string());
    names.into_iter().zip(amounts).collect()
}

fn pdf_row(line: &StatementLine) -> Vec<String> {
    vec![
        minute(line.position.booked_at),
        words(&line.kind),
        line.source_id.to_string(),
        words(line.part.kind().name()),
        amount(line.amount),
        amount(line.balance_after),
    ]
}
