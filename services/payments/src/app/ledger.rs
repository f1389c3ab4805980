//! The ledger as it is read.

use vouch_primitives::{AccountId, Currency};
use vouch_proto::{Listed, Page};

use super::App;
use crate::{
    domain::{Balances, CurrencyTotal, StatementLine, statement::LinePosition},
    error::Error,
    store,
};

impl App {
    /// The balances of an account, by currency code; empty if it never had money.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_balances(&self, account: AccountId) -> Result<Vec<Balances>, Error> {
        Ok(store::statements::balances(self.commands.db().reader(), account).await?)
    }

    /// The movements of an account's money in one currency, in the order in which they were booked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_statement_lines(
        &self,
        account: AccountId,
        currency: Currency,
        page: Page<LinePosition>,
    ) -> Result<Listed<StatementLine, LinePosition>, Error> {
        let reader = self.commands.db().reader();
        let found = store::statements::lines(reader, account, currency, page).await?;
        Ok(page.cut(found, |line| line.position))
    }

    /// Sums the whole ledger, by currency code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_trial_balance(&self) -> Result<Vec<CurrencyTotal>, Error> {
        Ok(store::statements::trial_balance(self.commands.db().reader()).await?)
    }
}
