//! What parties read of their money at once, and what they wait for.

use std::collections::HashMap;

use vouch_primitives::{AccountId, ClientId};
use vouch_proto::{Listed, Page};

use super::App;
use crate::{
    domain::{
        Balances, Dispute,
        availability::{Awaited, AwaitedPosition},
        overview::{ClientOverview, TalentOverview},
    },
    error::Error,
    store,
};

/// An earning, with the dispute that may be about it, or an invoice: what of it is waited for.
type Waiting = (AwaitedPosition, Vec<Awaited>);

impl App {
    /// What an account has not available yet, and why: one page of it, and all balances, of which it is a part.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn explain_availability(
        &self,
        account: AccountId,
        page: Page<AwaitedPosition>,
    ) -> Result<(Vec<Balances>, Listed<Waiting, AwaitedPosition>), Error> {
        // One state, in which amounts and balances agree.
        let txn = self.commands.db().read_tx().await?;
        let balances = store::statements::balances(&txn, account).await?;
        let (mut found, mut after_invoice) = (Vec::new(), None);
        if let Some(AwaitedPosition::Invoice(id)) = page.after {
            after_invoice = Some(id);
        } else {
            let after = page.after.and_then(|after| match after {
                AwaitedPosition::Earning(id) => Some(id),
                AwaitedPosition::Invoice(_) => None,
            });
            let earnings = store::availability::earnings(&txn, account, after, page.limit()).await?;
            let disputes = store::availability::open_disputes(&txn, &earnings).await?;
            let disputes: HashMap<_, Dispute> = disputes.into_iter().map(|of| (of.earning_id, of)).collect();
            found.extend(earnings.iter().map(|earning| {
                let awaited = Awaited::of_earning(earning, disputes.get(&earning.id));
                (AwaitedPosition::Earning(earning.id), awaited)
            }));
        }
        let rest = page
            .limit()
            .saturating_sub(u64::try_from(found.len()).unwrap_or(u64::MAX));
        let invoices = store::availability::unpaid_invoices(&txn, account, after_invoice, rest).await?;
        found.extend(invoices.iter().map(|invoice| {
            let awaited = Awaited::of_invoice(invoice);
            (awaited.position(), vec![awaited])
        }));
        Ok((balances, page.cut(found, |of| of.0)))
    }

    /// All of a client.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_client_overview(&self, client: ClientId) -> Result<ClientOverview, Error> {
        Ok(store::overviews::of_client(self.commands.db().reader(), client).await?)
    }

    /// All of an account.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_talent_overview(&self, account: AccountId) -> Result<TalentOverview, Error> {
        let txn = self.commands.db().read_tx().await?;
        Ok(store::overviews::of_talent(&txn, account).await?)
    }
}
