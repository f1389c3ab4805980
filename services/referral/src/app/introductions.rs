//! Introductions: an account is introduced to a client, and what comes of it pays a commission [R9, R12, R36].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use vouch_primitives::{AccountId, ClientId, Currency, Money, ReferrerId, Timestamp, Uuid};
use vouch_proto::{Listed, Page, convert::to_wire_time, referral::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, signals, wire_referral_kind};
use crate::{
    domain::{
        Bond, ClientProgramme, ClientReward, Grant, Introduction, Party, ReferralKind, RewardKind, Screening,
        ScreeningCase, Standing, Suspicion, Terms, Tie, bond::IntroductionError,
    },
    error::Error,
    store::{self, accounts::Account, referrers::Referrer},
};

/// Who is to be introduced to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduce {
    /// Who introduces.
    pub referrer: ReferrerId,
    /// Freelancer, agency, or client introduction.
    pub kind: ReferralKind,
    /// Which account.
    pub account: AccountId,
    /// To which client.
    pub client: ClientId,
    /// What is said of them.
    pub message: String,
}

impl App {
    /// Introduces an account to a client for whom the referrer has worked.
    ///
    /// # Errors
    /// If the referrer has not, if the two know each other already, somebody else has introduced them, an agency is not
    /// introduced by one, or the referrer has made as many introductions today as they may.
    pub async fn introduce(&self, key: RequestKey, command: Introduce) -> Result<pb::IntroduceResponse, Error> {
        let (command, per_day) = (&command, self.limits.introductions_per_day);
        self.commands
            .once(&key, |txn, now| async move {
                let tie = introduce(&txn, now, command, per_day).await?;
                Ok(pb::IntroduceResponse {
                    introduction: Some(to_wire(&tie)?),
                })
            })
            .await
    }

    /// One page of a referrer's introductions, newest first.
    ///
    /// # Errors
    /// If there is no such referrer.
    pub async fn introductions(
        &self,
        referrer: ReferrerId,
        page: &Page<Uuid>,
    ) -> Result<Listed<pb::Introduction, Uuid>, Error> {
        let conn = self.commands.db().read_tx().await?;
        if store::referrers::find(&conn, referrer).await?.is_none() {
            return Err(Error::not_found("referrer", referrer));
        }
        let ties = store::ties::introductions_of(&conn, referrer, page.after, page.limit()).await?;
        let Listed { items, next } = page.cut(ties, |tie| tie.id);
        let items = items.iter().map(to_wire).collect::<Result<_, _>>()?;
        Ok(Listed { items, next })
    }
}

async fn introduce(txn: &Txn, now: Timestamp, command: &Introduce, per_day: u32) -> Result<Tie, Error> {
    let found = store::referrers::find(txn, command.referrer).await?;
    let referrer = found.ok_or_else(|| Error::not_found("referrer", command.referrer))?;
    let account = talent(txn, command.account).await?;
    if account.person == referrer.person {
        return Err(IntroductionError::OneSelf.into());
    }
    if command.kind == ReferralKind::Agency {
        are_agencies(txn, &referrer, &account).await?;
    }
    store::people::lock(txn, &BTreeSet::from([account.person])).await?;
    // Whoever changes the referrer's standing finds this introduction, or is found by it.
    store::referrers::lock_all(txn, &BTreeSet::from([referrer.id])).await?;
    if !store::contracts::knows(txn, referrer.person, command.client).await? {
        return Err(IntroductionError::NotYourClient.into());
    }
    if store::contracts::work_together(txn, command.account, command.client).await? {
        return Err(IntroductionError::KnownAlready.into());
    }
    let today = now.start_of_day();
    if store::ties::introduced_since(txn, referrer.id, today).await? >= u64::from(per_day) {
        return Err(Error::IntroductionLimit(today.add_days(1).since(now)));
    }
    let new = New {
        kind: command.kind,
        client: command.client,
        made: now,
        message: command.message.clone(),
        referrer,
        account,
    };
    let made = insert(txn, &[new]).await?;
    let Some(tie) = made.into_iter().next() else {
        return Err(IntroductionError::IntroducedAlready.into());
    };
    store::screening::open(txn, &[ScreeningCase::open(tie.payee, now)]).await?;
    signals::raise_for_instruments(txn, now, &BTreeSet::from([tie.payee])).await?;
    Ok(tie)
}

/// An introduction that is to be.
#[derive(Clone, Debug)]
pub(super) struct New {
    /// Who introduces.
    pub referrer: Referrer,
    /// Freelancer, agency, or client introduction.
    pub kind: ReferralKind,
    /// Whom.
    pub account: Account,
    /// To which client.
    pub client: ClientId,
    /// When.
    pub made: Timestamp,
    /// What is said of them.
    pub message: String,
}

/// Stores introductions under the terms in force, and returns those that are in: of several of an account to a client, the first
/// ever. The payees and the referrers are locked.
pub(super) async fn insert(txn: &Txn, all: &[New]) -> Result<Vec<Tie>, Error> {
    let clients = all.iter().map(|new| new.client).collect();
    let programmes = store::client_programmes::of_clients(txn, &clients).await?;
    let in_force = store::programme::all_terms(txn).await?.into_iter().next_back();
    let terms = in_force.ok_or_else(|| Error::not_found("terms", "in force"))?.terms;
    let mut met = BTreeSet::new();
    let ties: Vec<_> = all
        .iter()
        .filter(|new| met.insert((new.account.id, new.client)))
        .map(|new| {
            let open = |programme: &&ClientProgramme| programme.client == new.client && programme.is_open_at(new.made);
            let own = programmes.iter().find(open);
            (tie(new, &terms, own), new.message.clone())
        })
        .collect();
    let fresh = store::ties::insert_introductions(txn, &ties).await?;
    let ties = ties.into_iter().map(|(tie, _)| tie);
    Ok(ties.filter(|tie| fresh.contains(&tie.id)).collect())
}

fn tie(new: &New, terms: &Arc<Terms>, own: Option<&ClientProgramme>) -> Tie {
    Tie {
        // Payments counts rewards by this id: it follows from the two, as nobody else can introduce them.
        id: AccountId::derived(new.account.id.as_uuid(), &new.client.to_string()).as_uuid(),
        referrer: new.referrer.id,
        payee: new.account.person,
        account: new.referrer.account,
        bond: Bond::Introduction(Introduction {
            kind: new.kind,
            account: new.account.id,
            client: new.client,
            made: new.made,
            contracts: Vec::new(),
            completed: false,
            own: own.map(|programme| ClientReward {
                programme: programme.id,
                terms: programme.terms,
                grant: Grant::Open,
            }),
        }),
        terms: vec![(Timestamp::EPOCH, Arc::clone(terms))],
        standing: Standing::default(),
        related: Vec::new(),
        screening: Screening::Open,
        suspicion: Suspicion::None,
        rewards: BTreeMap::new(),
    }
}

/// An account of talent.
async fn talent(txn: &Txn, id: AccountId) -> Result<Account, Error> {
    let registered = store::accounts::find(txn, id).await?;
    let talent = registered.filter(|account| account.party != Party::Client);
    talent.ok_or_else(|| Error::AccountUnknown(id.to_string()))
}

/// One agency sends its client to another [R12]: both are agencies.
async fn are_agencies(txn: &Txn, referrer: &Referrer, account: &Account) -> Result<(), Error> {
    let own = store::accounts::find(txn, referrer.account).await?;
    if own.is_none_or(|own| own.party != Party::Agency) {
        return Err(IntroductionError::ReferrerNotAgency.into());
    }
    if account.party != Party::Agency {
        return Err(IntroductionError::AccountNotAgency.into());
    }
    Ok(())
}

/// An introduction on the wire.
fn to_wire(tie: &Tie) -> Result<pb::Introduction, Error> {
    let Bond::Introduction(bond) = &tie.bond else {
        return Err(Error::not_found("introduction", tie.id));
    };
    let kind = RewardKind::IntroductionCommission;
    let currencies: BTreeSet<Currency> = tie.rewards.keys().map(|(_, currency)| *currency).collect();
    let total = |currency: Currency| {
        let figures = tie.figures(kind, currency)?;
        let base = tie.rewards.get(&(kind, currency)).map_or(0, |reward| reward.base);
        let money = |minor: i64| Some(Money::new(minor, currency).into());
        Ok::<_, Error>(pb::IntroductionTotal {
            earnings: money(base),
            commission: money(figures.due),
            held: money(figures.held),
            pending: money(figures.pending),
            released: money(figures.released),
            client_reward: money(tie.figures(RewardKind::ClientReward, currency)?.due),
            client_reward_released: money(tie.figures(RewardKind::ClientReward, currency)?.released),
        })
    };
    Ok(pb::Introduction {
        id: tie.id.to_string(),
        referrer_id: tie.referrer.to_string(),
        kind: i32::from(wire_referral_kind(bond.kind)),
        account_id: bond.account.to_string(),
        client_id: bond.client.to_string(),
        introduce_time: Some(to_wire_time(bond.made)),
        terms_version: tie.first_terms().version,
        contract_ids: bond.contracts.iter().map(ToString::to_string).collect(),
        completed: bond.completed,
        totals: currencies.into_iter().map(total).collect::<Result<_, _>>()?,
    })
}
