//! Introductions: an account is introduced to a client, and what comes of it pays a commission [R9, R12, R36].

use std::collections::{BTreeMap, BTreeSet};

use vouch_primitives::{AccountId, ClientId, Currency, Money, PersonId, ReferrerId, Timestamp, Uuid};
use vouch_proto::{Listed, Page, convert::to_wire_time, referral::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, wire_referral_kind};
use crate::{
    domain::{
        Bond, ClientReward, Grant, Introduction, Party, ReferralKind, RewardKind, Screening, ScreeningCase, Standing,
        Suspicion, Tie, bond::IntroductionError,
    },
    error::Error,
    store,
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
    /// If the referrer has not, if the two know each other already, or somebody else has introduced them.
    pub async fn introduce(&self, key: RequestKey, command: Introduce) -> Result<pb::IntroduceResponse, Error> {
        let command = &command;
        self.commands
            .once(&key, |txn, now| async move {
                let tie = introduce(&txn, now, command).await?;
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

async fn introduce(txn: &Txn, now: Timestamp, command: &Introduce) -> Result<Tie, Error> {
    let found = store::referrers::find(txn, command.referrer).await?;
    let referrer = found.ok_or_else(|| Error::not_found("referrer", command.referrer))?;
    let payee = owner_of(txn, command.account).await?;
    if payee == referrer.person {
        return Err(IntroductionError::OneSelf.into());
    }
    store::people::lock(txn, &BTreeSet::from([payee])).await?;
    // Whoever changes the referrer's standing finds this introduction, or is found by it.
    store::referrers::lock_all(txn, &BTreeSet::from([referrer.id])).await?;
    if !store::contracts::knows(txn, referrer.person, command.client).await? {
        return Err(IntroductionError::NotYourClient.into());
    }
    if store::contracts::work_together(txn, command.account, command.client).await? {
        return Err(IntroductionError::KnownAlready.into());
    }
    let own = store::client_programmes::open_of(txn, command.client).await?;
    let terms = store::programme::all_terms(txn).await?;
    let terms = terms
        .into_iter()
        .next_back()
        .ok_or_else(|| Error::not_found("terms", "in force"))?;
    let tie = Tie {
        // Payments counts rewards by this id: it follows from the two, as nobody else can introduce them.
        id: AccountId::derived(command.account.as_uuid(), &command.client.to_string()).as_uuid(),
        referrer: referrer.id,
        payee,
        account: referrer.account,
        bond: Bond::Introduction(Introduction {
            kind: command.kind,
            account: command.account,
            client: command.client,
            made: now,
            contracts: Vec::new(),
            completed: false,
            own: own.map(|programme| ClientReward {
                programme: programme.id,
                terms: programme.terms,
                grant: Grant::Open,
            }),
        }),
        terms: vec![(Timestamp::EPOCH, terms.terms)],
        standing: Standing::default(),
        related: Vec::new(),
        screening: Screening::Open,
        suspicion: Suspicion::None,
        rewards: BTreeMap::new(),
    };
    if !store::ties::insert_introduction(txn, &tie, &command.message).await? {
        return Err(IntroductionError::IntroducedAlready.into());
    }
    store::screening::open(txn, &[ScreeningCase::open(payee, now)]).await?;
    Ok(tie)
}

/// Who owns an account of talent.
async fn owner_of(txn: &Txn, account: AccountId) -> Result<PersonId, Error> {
    let registered = store::accounts::find(txn, account).await?;
    let talent = registered.filter(|account| account.party != Party::Client);
    talent
        .map(|account| account.person)
        .ok_or_else(|| Error::AccountUnknown(account.to_string()))
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
