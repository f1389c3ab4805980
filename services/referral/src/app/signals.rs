//! Signals: raised as people are attributed, looked at by operators, answered by referrers. Nothing is dropped for one.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use vouch_primitives::{AccountId, ReferrerId, SignalId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, referral::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, evidence::Winner};
use crate::{
    domain::{Signal, SignalKind, SignalState, signal::USUAL_IN_A_DAY},
    error::Error,
    store::{
        referrers,
        signals::{self as store, Shared},
    },
};

/// Raises what looks wrong about people who have just been attributed.
pub(super) async fn raise(txn: &Txn, now: Timestamp, winners: &[Winner]) -> Result<(), Error> {
    let accounts: Vec<AccountId> = winners.iter().map(|winner| winner.account.id).collect();
    let referrers: BTreeSet<ReferrerId> = winners.iter().map(|winner| winner.referrer.id).collect();
    let earliest = winners.iter().map(|winner| winner.account.registered_at).min();
    let Some(since) = earliest.map(|joined| joined.saturating_sub(DAY)) else {
        return Ok(());
    };
    let bursts = store::bursts(txn, &referrers, since, USUAL_IN_A_DAY).await?;
    let disposable = store::disposable(txn, &accounts).await?;
    let devices = store::sharing(txn, &accounts, Shared::Device).await?;
    let networks = store::sharing(txn, &accounts, Shared::Network).await?;
    let mut raised = Vec::new();
    for Winner { account, referrer, .. } in winners {
        let mut note = |looks_wrong, kind| {
            if looks_wrong {
                raised.push(Signal::raised(kind, referrer.id, account.person, now));
            }
        };
        note(bursts.contains(&referrer.id), SignalKind::Velocity);
        note(disposable.contains(&account.id), SignalKind::DisposableDomain);
        note(devices.contains(&account.id), SignalKind::SharedDevice);
        note(networks.contains(&account.id), SignalKind::SharedNetwork);
    }
    Ok(store::raise(txn, &raised).await?)
}

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

impl App {
    /// The signals that wait for an operator, or those that are closed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn signals(&self, closed: bool, page: &Page<SignalId>) -> Result<Listed<pb::Signal, SignalId>, Error> {
        let signals = store::queue(self.commands.db().reader(), closed, page).await?;
        Ok(listed(page, signals))
    }

    /// The signals about a referrer's referees.
    ///
    /// # Errors
    /// If there is no such referrer.
    pub async fn referrer_signals(
        &self,
        referrer: ReferrerId,
        page: &Page<SignalId>,
    ) -> Result<Listed<pb::Signal, SignalId>, Error> {
        let conn = self.commands.db().reader();
        if referrers::find(conn, referrer).await?.is_none() {
            return Err(Error::not_found("referrer", referrer));
        }
        Ok(listed(page, store::of_referrer(conn, referrer, page).await?))
    }

    /// A referrer says something against a signal.
    ///
    /// # Errors
    /// If there is no such signal, it is closed, or they have done so before.
    pub async fn appeal_signal(
        &self,
        key: &RequestKey,
        id: SignalId,
        message: &str,
    ) -> Result<pb::AppealSignalResponse, Error> {
        self.commands
            .once(key, |txn, _| async move {
                let mut signal = lock(&txn, id).await?;
                signal.appeal(message)?;
                store::save(&txn, &signal).await?;
                Ok(pb::AppealSignalResponse {
                    signal: Some(to_wire(&signal)),
                })
            })
            .await
    }

    /// An operator closes a signal.
    ///
    /// # Errors
    /// If there is no such signal, or it is closed in the other way.
    pub async fn close_signal(
        &self,
        key: &RequestKey,
        id: SignalId,
        confirmed: bool,
        reason: &str,
    ) -> Result<pb::CloseSignalResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut signal = lock(&txn, id).await?;
                signal.close(confirmed, reason, now)?;
                store::save(&txn, &signal).await?;
                Ok(pb::CloseSignalResponse {
                    signal: Some(to_wire(&signal)),
                })
            })
            .await
    }

    /// Adds a domain to those that give out addresses for a moment.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn add_disposable_domain(
        &self,
        key: &RequestKey,
        domain: &str,
    ) -> Result<pb::AddDisposableDomainResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                store::add_domain(&txn, now, domain, Sha256::digest(domain).into()).await?;
                Ok(pb::AddDisposableDomainResponse {})
            })
            .await
    }

    /// Takes a domain away from them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn remove_disposable_domain(
        &self,
        key: &RequestKey,
        domain: &str,
    ) -> Result<pb::RemoveDisposableDomainResponse, Error> {
        self.commands
            .once(key, |txn, _| async move {
                store::remove_domain(&txn, domain).await?;
                Ok(pb::RemoveDisposableDomainResponse {})
            })
            .await
    }

    /// These domains, by name.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn disposable_domains(&self, page: &Page<String>) -> Result<Listed<String, String>, Error> {
        let domains = store::domains(self.commands.db().reader(), page).await?;
        Ok(page.cut(domains, Clone::clone))
    }
}

async fn lock(txn: &Txn, id: SignalId) -> Result<Signal, Error> {
    let signal = store::lock(txn, id).await?;
    signal.ok_or_else(|| Error::not_found("signal", id))
}

fn listed(page: &Page<SignalId>, signals: Vec<Signal>) -> Listed<pb::Signal, SignalId> {
    let cut = page.cut(signals, |signal| signal.id);
    Listed {
        items: cut.items.iter().map(to_wire).collect(),
        next: cut.next,
    }
}

fn to_wire(signal: &Signal) -> pb::Signal {
    let kind = match signal.kind {
        SignalKind::Velocity => pb::signal::Kind::Velocity,
        SignalKind::DisposableDomain => pb::signal::Kind::DisposableDomain,
        SignalKind::SharedDevice => pb::signal::Kind::SharedDevice,
        SignalKind::SharedNetwork => pb::signal::Kind::SharedNetwork,
    };
    let state = match signal.state {
        SignalState::Open => pb::signal::State::Open,
        SignalState::Appealed => pb::signal::State::Appealed,
        SignalState::Cleared => pb::signal::State::Cleared,
        SignalState::Confirmed => pb::signal::State::Confirmed,
    };
    pb::Signal {
        id: signal.id.to_string(),
        kind: kind.into(),
        referrer_id: signal.referrer.to_string(),
        referee_person_id: signal.person.to_string(),
        state: state.into(),
        appeal: signal.appeal.clone(),
        reason: signal.reason.clone(),
        raise_time: Some(to_wire_time(signal.raised_at)),
        close_time: signal.closed_at.map(to_wire_time),
    }
}
