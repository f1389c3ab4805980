//! Accounts that were closed, and opened again: the bonus is due if the account was open when the window ended [A4].

use std::collections::BTreeSet;

use vouch_messaging::Fact;
use vouch_primitives::{PersonId, Timestamp};
use vouch_proto::{
    Fields, Violations,
    onboarding::v1::{AccountClosed, AccountReopened},
};
use vouch_storage::Txn;

use super::{App, books};
use crate::{
    domain::{Bond, BonusState},
    error::Error,
    store::{self, standing::AccountChange, ties::Loaded},
};

impl App {
    /// Accounts were closed.
    ///
    /// # Errors
    /// If an event is bad, or the database fails.
    pub async fn on_accounts_closed(&self, txn: &Txn, facts: &[Fact<AccountClosed>]) -> Result<(), Error> {
        let changes = facts.iter().map(|fact| parse_closed(&fact.body));
        self.note_accounts(txn, &changes.collect::<Result<Vec<_>, _>>()?).await
    }

    /// Accounts were opened again.
    ///
    /// # Errors
    /// If an event is bad, or the database fails.
    pub async fn on_accounts_reopened(&self, txn: &Txn, facts: &[Fact<AccountReopened>]) -> Result<(), Error> {
        let changes = facts.iter().map(|fact| parse_reopened(&fact.body));
        self.note_accounts(txn, &changes.collect::<Result<Vec<_>, _>>()?).await
    }

    /// What is heard after the window has ended decides the bonus anew.
    async fn note_accounts(&self, txn: &Txn, changes: &[AccountChange]) -> Result<(), Error> {
        let people: BTreeSet<PersonId> = changes.iter().map(|change| change.person).collect();
        store::people::ensure(txn, &people).await?;
        store::people::lock(txn, &people).await?;
        store::standing::note_accounts(txn, changes).await?;
        let mut ties = store::ties::of_people(txn, &people).await?;
        end_windows(txn, &people, &mut ties, |bonus| bonus != BonusState::Open).await?;
        books::finish(txn, self.now(), &mut ties).await
    }
}

/// Decides the bonuses of the attributions that stand so.
pub(super) async fn end_windows(
    txn: &Txn,
    people: &BTreeSet<PersonId>,
    ties: &mut [Loaded],
    wanted: impl Fn(BonusState) -> bool,
) -> Result<(), Error> {
    let accounts = store::standing::accounts(txn, people).await?;
    for loaded in ties {
        let ended = matches!(&loaded.tie.bond, Bond::Attribution(bond) if wanted(bond.bonus));
        if ended {
            let account = accounts.get(&loaded.tie.payee).cloned().unwrap_or_default();
            loaded.tie.end_window(&account);
        }
    }
    Ok(())
}

pub(super) fn parse_closed(event: &AccountClosed) -> Result<AccountChange, Violations> {
    let mut fields = Fields::new();
    let at = fields.time("close_time", event.close_time.as_ref());
    parse(fields, &event.person_id, at, false)
}

pub(super) fn parse_reopened(event: &AccountReopened) -> Result<AccountChange, Violations> {
    let mut fields = Fields::new();
    let at = fields.time("reopen_time", event.reopen_time.as_ref());
    parse(fields, &event.person_id, at, true)
}

fn parse(mut fields: Fields, person: &str, at: Option<Timestamp>, open: bool) -> Result<AccountChange, Violations> {
    let person = fields.id("person_id", person);
    let (Some(person), Some(at)) = (person, at) else {
        return Err(fields.into());
    };
    fields.finish(AccountChange { person, at, open })
}
