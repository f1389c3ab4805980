//! Accounts, as onboarding tells of them.

use vouch_primitives::{AccountId, PersonId};
use vouch_storage::Txn;

use super::App;
use crate::{error::Error, store};

/// Somebody registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisteredAccount {
    /// The account.
    pub id: AccountId,
    /// Whose it is.
    pub person_id: PersonId,
}

impl App {
    /// Notes whose these accounts are; an account stays whose it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn on_accounts_registered(&self, txn: &Txn, accounts: &[RegisteredAccount]) -> Result<(), Error> {
        let owners: Vec<_> = accounts.iter().map(|account| (account.id, account.person_id)).collect();
        Ok(store::accounts::insert(txn, &owners).await?)
    }

    /// These people were erased: nothing more is paid to where their money went, and what could be shown of it is gone. The
    /// books stay, and what is on its way goes on.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn on_people_erased(&self, txn: &Txn, people: &[PersonId]) -> Result<(), Error> {
        store::payout_schedules::stop(txn, people).await?;
        Ok(store::payout_methods::erase(txn, people, self.commands.now()).await?)
    }
}
