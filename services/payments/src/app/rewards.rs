//! What the referral programme releases is posted to the balance of the referrer, or of the referee [R24].

use vouch_primitives::{AccountId, Money};
use vouch_proto::{Listed, Page};
use vouch_storage::Txn;

use super::App;
use crate::{
    domain::{Book, Release, RewardKey, RewardTotal, reward::newest},
    error::Error,
    store,
};

impl App {
    /// Posts the difference that each release makes to what was posted before. A release that is known, or older than
    /// one that was posted, changes nothing: the newest says all that it said.
    ///
    /// # Errors
    /// If a release contradicts another one, or a balance would not fit.
    pub async fn on_rewards_released(&self, txn: &Txn, releases: &[Release]) -> Result<(), Error> {
        let newest = newest(releases.iter().copied())?;
        let mut totals = store::rewards::lock(txn, &newest).await?;
        let mut postings = Vec::new();
        let mut moved = Vec::new();
        for (key, release) in &newest {
            if let Some(total) = totals.get_mut(key)
                && let Some(posting) = total.post(release)?
            {
                postings.push(posting);
                moved.push(*total);
            }
        }
        if postings.is_empty() {
            return Ok(());
        }
        let accounts = newest.values().flat_map(|release| {
            let parts = Book::accounts_of(release.account_id, release.key.currency);
            let funder = release
                .funder
                .map(|client| Book::accounts_of_funder(client, release.key.currency));
            parts.into_iter().chain(funder.into_iter().flatten())
        });
        let mut book = store::ledger::open(txn, accounts).await?;
        for posting in &postings {
            book.reward(posting)?;
        }
        store::rewards::save(txn, &postings, &moved).await?;
        Ok(store::ledger::save(txn, self.commands.now(), &book).await?)
    }

    /// One page of what was posted to all accounts for rewards, by tie, kind and currency.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_all_reward_postings(
        &self,
        page: Page<RewardKey>,
    ) -> Result<Listed<RewardTotal, RewardKey>, Error> {
        let found = store::rewards::of_all(self.commands.db().reader(), &page).await?;
        Ok(page.cut(found, |total| total.key))
    }

    /// One page of what was posted to an account for rewards, by tie, kind and currency; and what it comes to in all for whom it
    /// has referred, and for being referred, by currency code.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_reward_postings(
        &self,
        account: AccountId,
        page: Page<RewardKey>,
    ) -> Result<(Listed<RewardTotal, RewardKey>, [Vec<Money>; 2]), Error> {
        let conn = self.commands.db().read_tx().await?;
        let found = store::rewards::of_account(&conn, account, &page).await?;
        let sums = store::rewards::sums_of_account(&conn, account).await?;
        let benefits = store::rewards::benefits_of_account(&conn, account).await?;
        Ok((page.cut(found, |total| total.key), [sums, benefits]))
    }
}
