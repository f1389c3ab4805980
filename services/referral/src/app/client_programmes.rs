//! Programmes of clients: a company pays a reward of its own for introductions to it [R32].

use std::collections::BTreeSet;

use vouch_primitives::{ClientId, ClientProgrammeId, Money};
use vouch_proto::{Listed, Page, convert::to_wire_time, referral::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::App;
use crate::{
    domain::{ClientProgramme, ClientProgrammeError, ClientTerms, Qualification},
    error::Error,
    store::client_programmes as store,
};

/// A client opens a programme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenProgramme {
    /// Who pays.
    pub client: ClientId,
    /// For what.
    pub terms: ClientTerms,
    /// What may be granted in all, in the currency of the reward.
    pub budget: Money,
}

impl App {
    /// Opens the programme of a client.
    ///
    /// # Errors
    /// If the client has an open one.
    pub async fn open_programme(
        &self,
        key: RequestKey,
        command: OpenProgramme,
    ) -> Result<pb::OpenClientProgrammeResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let programme = ClientProgramme {
                    id: ClientProgrammeId::new(),
                    client: command.client,
                    terms: command.terms,
                    budget_minor: command.budget.minor,
                    granted_minor: 0,
                    opened_at: now,
                    closed_at: None,
                };
                if !store::insert(&txn, &programme).await? {
                    return Err(ClientProgrammeError::OpenAlready.into());
                }
                Ok(pb::OpenClientProgrammeResponse {
                    programme: Some(to_wire(&programme)),
                })
            })
            .await
    }

    /// Adds to the budget of a programme.
    ///
    /// # Errors
    /// If there is no such programme, it is closed, or the amount is in another currency.
    pub async fn raise_budget(
        &self,
        key: RequestKey,
        id: ClientProgrammeId,
        by: Money,
    ) -> Result<pb::RaiseBudgetResponse, Error> {
        self.commands
            .once(&key, |txn, _| async move {
                let mut programme = lock(&txn, id).await?;
                programme.raise(by)?;
                store::save(&txn, &programme).await?;
                Ok(pb::RaiseBudgetResponse {
                    programme: Some(to_wire(&programme)),
                })
            })
            .await
    }

    /// Closes a programme; once more changes nothing.
    ///
    /// # Errors
    /// If there is no such programme.
    pub async fn close_programme(
        &self,
        key: RequestKey,
        id: ClientProgrammeId,
    ) -> Result<pb::CloseClientProgrammeResponse, Error> {
        self.commands
            .once(&key, |txn, now| async move {
                let mut programme = lock(&txn, id).await?;
                programme.close(now);
                store::save(&txn, &programme).await?;
                Ok(pb::CloseClientProgrammeResponse {
                    programme: Some(to_wire(&programme)),
                })
            })
            .await
    }

    /// One page of a client's programmes, newest first.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn programmes(
        &self,
        client: ClientId,
        page: &Page<ClientProgrammeId>,
    ) -> Result<Listed<pb::ClientProgramme, ClientProgrammeId>, Error> {
        let programmes = store::page_of(self.commands.db().reader(), client, page).await?;
        let Listed { items, next } = page.cut(programmes, |programme| programme.id);
        let items = items.iter().map(to_wire).collect();
        Ok(Listed { items, next })
    }
}

async fn lock(txn: &Txn, id: ClientProgrammeId) -> Result<ClientProgramme, Error> {
    let mut locked = store::lock(txn, &BTreeSet::from([id])).await?;
    locked
        .remove(&id)
        .ok_or_else(|| Error::not_found("client programme", id))
}

fn to_wire(programme: &ClientProgramme) -> pb::ClientProgramme {
    let ClientTerms {
        reward,
        qualification,
        hold_days,
    } = programme.terms;
    let money = |minor: i64| Some(Money::new(minor, reward.currency).into());
    pb::ClientProgramme {
        id: programme.id.to_string(),
        client_id: programme.client.to_string(),
        reward: money(reward.minor),
        qualification: i32::from(match qualification {
            Qualification::ContractCompleted => pb::terms::Qualification::ContractCompleted,
            _ => pb::terms::Qualification::Contract,
        }),
        hold_days,
        budget: money(programme.budget_minor),
        granted: money(programme.granted_minor),
        open_time: Some(to_wire_time(programme.opened_at)),
        close_time: programme.closed_at.map(to_wire_time),
    }
}
