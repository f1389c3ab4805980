//! Signals: raised as people are attributed and as they tell where their money is to go, answered by referrers, closed by
//! operators. Nothing is dropped for one: what the referral is worth waits [R21].

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use vouch_messaging::Fact;
use vouch_primitives::{AccountId, PersonId, ReferrerId, SignalId, Timestamp};
use vouch_proto::{
    Fields, Listed, Page, Violations, convert::to_wire_time, payments::v1::PayoutMethodAdded, referral::v1 as pb,
};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, books, evidence::Winner, hash_if_set};
use crate::{
    domain::{Signal, SignalKind, SignalState, signal::USUAL_IN_A_DAY},
    error::Error,
    store::{
        instruments::{self, Instrument},
        people, referrers,
        signals::{self as store, Shared},
        ties,
    },
};

/// Raises what looks wrong about people who have just been attributed.
pub(super) async fn raise(txn: &Txn, now: Timestamp, winners: &[Winner]) -> Result<(), Error> {
    let accounts: Vec<AccountId> = winners.iter().map(|winner| winner.account.id).collect();
    let people: BTreeSet<PersonId> = winners.iter().map(|winner| winner.account.person).collect();
    let bursts = store::bursts(txn, &people, USUAL_IN_A_DAY).await?;
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
        note(bursts.contains(&account.person), SignalKind::Velocity);
        note(disposable.contains(&account.id), SignalKind::DisposableDomain);
        note(devices.contains(&account.id), SignalKind::SharedDevice);
        note(networks.contains(&account.id), SignalKind::SharedNetwork);
    }
    Ok(store::raise(txn, &raised).await?)
}

/// Raises what looks wrong about where the money of some people goes: to the same place as that of the referrer, or of
/// somebody else whom the same referrer referred. One of the two is among `people`.
pub(super) async fn raise_for_instruments(txn: &Txn, now: Timestamp, people: &BTreeSet<PersonId>) -> Result<(), Error> {
    let shared = instruments::shared(txn, people).await?;
    let raised: Vec<_> = shared
        .into_iter()
        .map(|(referrer, referee)| Signal::raised(SignalKind::SharedPayoutInstrument, referrer, referee, now))
        .collect();
    Ok(store::raise(txn, &raised).await?)
}

fn parse(event: &PayoutMethodAdded) -> Result<Instrument, Violations> {
    let mut fields = Fields::new();
    let account = fields.id("account_id", &event.account_id);
    let fingerprint = hash_if_set(&mut fields, "fingerprint_sha256", &event.fingerprint_sha256);
    let added_at = fields.time("add_time", event.add_time.as_ref());
    if event.fingerprint_sha256.is_empty() {
        fields.refuse("fingerprint_sha256", "REQUIRED", "is required");
    }
    let (Some(account), Some(fingerprint), Some(added_at)) = (account, fingerprint, added_at) else {
        return Err(fields.into());
    };
    fields.finish(Instrument {
        account,
        fingerprint,
        added_at,
    })
}

impl App {
    /// People have told payments where their money is to go.
    ///
    /// # Errors
    /// If an event is bad, or the database fails.
    pub async fn on_payout_methods_added(&self, txn: &Txn, facts: &[Fact<PayoutMethodAdded>]) -> Result<(), Error> {
        let added: Vec<Instrument> = facts.iter().map(|fact| parse(&fact.body)).collect::<Result<_, _>>()?;
        let owners = instruments::insert(txn, &added).await?;
        // Who is attributed meanwhile waits for this, and then finds what is stored here.
        people::lock(txn, &owners).await?;
        raise_for_instruments(txn, self.now(), &owners).await
    }

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

    /// An operator closes a signal: what waited for it is released if no other signal is open, or is void.
    ///
    /// # Errors
    /// If there is no such signal, it is closed in the other way, or a total does not fit.
    pub async fn close_signal(
        &self,
        key: &RequestKey,
        id: SignalId,
        confirmed: bool,
        reason: &str,
    ) -> Result<pb::CloseSignalResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let known = store::find(&*txn, id).await?;
                let person = known.ok_or_else(|| Error::not_found("signal", id))?.person;
                let people = BTreeSet::from([person]);
                people::lock(&txn, &people).await?;
                let mut signal = lock(&txn, id).await?;
                signal.close(confirmed, reason, now)?;
                store::save(&txn, &signal).await?;
                // What has waited for this is released, or is void.
                let mut about = ties::of_people(&*txn, &people).await?;
                about.retain(|loaded| loaded.tie.referrer == signal.referrer);
                books::finish(&txn, now, &mut about).await?;
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
        SignalKind::SharedPayoutInstrument => pb::signal::Kind::SharedPayoutInstrument,
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
