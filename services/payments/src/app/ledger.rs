//! The ledger as it is read.

use std::time::Duration;

use vouch_primitives::{AccountId, Currency, Timestamp};
use vouch_proto::{Listed, Page};
use vouch_storage::ReadTxn;

use super::App;
use crate::{
    domain::{Balances, CurrencyTotal, Frame, Period, StatementLine, statement::LinePosition},
    error::Error,
    store,
};

/// Whose movements, and when they were booked.
#[derive(Clone, Copy, Debug)]
pub struct StatementOf {
    /// Whose.
    pub account_id: AccountId,
    /// In which currency.
    pub currency: Currency,
    /// From this moment on; from the first movement if it is not said.
    pub from: Option<Timestamp>,
    /// Before this moment; up to now if it is not said, or still to come.
    pub until: Option<Timestamp>,
}

impl StatementOf {
    /// All that was booked until now.
    #[must_use]
    pub const fn all(account_id: AccountId, currency: Currency) -> Self {
        Self {
            account_id,
            currency,
            from: None,
            until: None,
        }
    }

    pub(super) fn period(&self, now: Timestamp) -> Period {
        let after_now = just_after(now);
        Period {
            from: self.from.unwrap_or(Timestamp::EPOCH),
            until: self.until.map_or(after_now, |until| until.min(after_now)),
        }
    }
}

/// What was booked at a moment belongs to what was there at it.
pub(super) fn just_after(moment: Timestamp) -> Timestamp {
    moment.saturating_add(Duration::from_micros(1))
}

impl App {
    /// The balances of an account, by currency code, as they are or as they were at a moment; empty if it never had money.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_balances(&self, account: AccountId, as_of: Option<Timestamp>) -> Result<Vec<Balances>, Error> {
        let conn = self.commands.db().reader();
        Ok(match as_of {
            None => store::statements::balances(conn, account).await?,
            Some(moment) => store::statements::balances_before(conn, account, just_after(moment)).await?,
        })
    }

    /// The movements of an account's money in one currency and period, in the order in which they were booked.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_statement_lines(
        &self,
        of: StatementOf,
        page: Page<LinePosition>,
    ) -> Result<Listed<StatementLine, LinePosition>, Error> {
        let (reader, period) = (self.commands.db().reader(), of.period(self.commands.now()));
        let found = store::statements::lines(reader, of.account_id, of.currency, period, page).await?;
        Ok(page.cut(found, |line| line.position))
    }

    /// The same, with what the account held before the first line of the period and after the last one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_statement(
        &self,
        of: StatementOf,
        page: Page<LinePosition>,
    ) -> Result<(Frame, Listed<StatementLine, LinePosition>), Error> {
        let period = of.period(self.commands.now());
        // One state of the ledger, so that the lines are those between the two balances.
        let txn = self.commands.db().read_tx().await?;
        let opening = held_before(&txn, &of, period.from).await?;
        let closing = held_before(&txn, &of, period.until).await?;
        let found = store::statements::lines(&txn, of.account_id, of.currency, period, page).await?;
        Ok((Frame { opening, closing }, page.cut(found, |line| line.position)))
    }

    /// Sums the whole ledger, by currency code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_trial_balance(&self) -> Result<Vec<CurrencyTotal>, Error> {
        Ok(store::statements::trial_balance(self.commands.db().reader()).await?)
    }
}

async fn held_before(txn: &ReadTxn, of: &StatementOf, moment: Timestamp) -> Result<Balances, Error> {
    let all = store::statements::balances_before(txn, of.account_id, moment).await?;
    let found = all.into_iter().find(|held| held.currency == of.currency);
    Ok(found.unwrap_or(Balances::none(of.currency)))
}
