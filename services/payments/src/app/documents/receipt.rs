//! What was paid for a milestone or as a bonus, as a document.

use vouch_primitives::{EarningId, Uuid};

use super::{Content, Export, Format, Side, invoice::settlement, minute, note_lacking, pdf::Pdf};
use crate::{
    app::App,
    domain::{Earning, EarningSource},
    error::Error,
    store,
};

impl App {
    /// What was paid for as an earning, as a PDF: a receipt, or the invoice of an hourly week.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn export_receipt(&self, id: EarningId, side: Side) -> Result<Export, Error> {
        let earning = self.get_earning(id).await?;
        let reader = self.commands.db().reader();
        let missing = |resource, id: Uuid| Error::not_found(resource, id);
        let (title, what) = match earning.source {
            EarningSource::Invoice(invoice) => return self.export_invoice(invoice, side).await,
            EarningSource::Milestone(id) => {
                let found = store::milestones::find(reader, &[id]).await?.pop();
                let milestone = found.ok_or_else(|| missing("milestone", id.as_uuid()))?;
                ("Receipt for a milestone", ("Milestone", milestone.title))
            }
            EarningSource::Bonus(id) => {
                let found = store::bonuses::find(reader, &[id]).await?.pop();
                let bonus = found.ok_or_else(|| missing("bonus_payment", id.as_uuid()))?;
                ("Receipt for a bonus", ("Given for", bonus.message))
            }
        };
        Ok(Export {
            name: format!("receipt-{id}.pdf"),
            format: Format::Pdf,
            content: Content::Whole(written(&earning, title, what, side)?),
        })
    }
}

fn written(earning: &Earning, title: &str, what: (&str, String), side: Side) -> Result<Vec<u8>, Error> {
    let mut pdf = Pdf::new(title, &format!("Receipt {}", earning.id))?;
    pdf.facts(&[
        ("Receipt", earning.id.to_string()),
        ("Contract", earning.contract_id.to_string()),
        ("Client", earning.client_id.to_string()),
        ("Account", earning.account_id.to_string()),
        what,
        ("Owed since", format!("{} UTC", minute(earning.approved_at))),
    ]);
    settlement(&mut pdf, earning, side);
    note_lacking(&mut pdf);
    Ok(pdf.finish()?)
}
