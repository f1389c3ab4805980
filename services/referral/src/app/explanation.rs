//! Explaining a balance: from each total down to each earning, with the arithmetic and the terms.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use vouch_primitives::{AccountId, AttributionId, Currency, Money, PersonId, ReferrerId, Share};
use vouch_proto::{convert::to_wire_time, payments::v1 as payments, referral::v1 as pb};

use super::{App, accrual::wire_kind};
use crate::{
    domain::{BonusState, Reward, RewardKind, Tie},
    error::Error,
    store::{
        self,
        earnings::{Earning, Reversal},
        programme::PublishedTerms,
    },
};

/// More attributions than anybody has are not explained at once.
const MOST_TIES: u64 = 10_000;

/// What the earnings of the referees were made of.
struct Evidence {
    earnings: HashMap<PersonId, Vec<Earning>>,
    reversals: HashMap<vouch_primitives::EarningId, Vec<Reversal>>,
}

impl App {
    /// One page of a referrer's attributions, newest first.
    ///
    /// # Errors
    /// If there is no such referrer.
    pub async fn attributions(
        &self,
        referrer: ReferrerId,
        before: Option<AttributionId>,
        limit: u64,
    ) -> Result<Vec<Tie>, Error> {
        let conn = self.commands.db().reader();
        let known = store::referrers::find(conn, referrer).await?.is_some();
        if !known {
            return Err(Error::NotFound {
                resource: "referrer",
                id: referrer.to_string(),
            });
        }
        Ok(store::ties::of_referrer(conn, referrer, before, limit).await?)
    }

    /// Explains all rewards of a referrer, one tree per currency.
    ///
    /// # Errors
    /// If there is no such referrer.
    pub async fn explain(&self, id: ReferrerId) -> Result<Vec<pb::ExplainedTotal>, Error> {
        let conn = self.commands.db().reader();
        let found = store::referrers::find(conn, id).await?;
        let referrer = found.ok_or_else(|| Error::NotFound {
            resource: "referrer",
            id: id.to_string(),
        })?;
        let ties = store::ties::of_referrer(conn, id, None, MOST_TIES).await?;
        let terms = store::programme::all_terms(conn).await?;
        let evidence = self.evidence(&ties).await?;
        let posted = self.posted(referrer.account).await;

        let mut rewards: BTreeMap<Currency, Vec<pb::ExplainedReward>> = BTreeMap::new();
        let mut released: BTreeMap<Currency, Money> = BTreeMap::new();
        for tie in &ties {
            for ((kind, currency), reward) in &tie.rewards {
                let total = released.entry(*currency).or_insert_with(|| Money::zero(*currency));
                *total = total.checked_add(Money::new(reward.released, *currency))?;
                let explained = explain_reward(tie, *kind, *currency, reward, &terms, &evidence);
                rewards.entry(*currency).or_default().push(explained);
            }
        }
        let total = |(currency, rewards): (Currency, Vec<pb::ExplainedReward>)| pb::ExplainedTotal {
            released: released.get(&currency).map(|money| (*money).into()),
            posted: posted
                .as_ref()
                .map(|posted| posted.get(&currency).copied().unwrap_or(Money::zero(currency)).into()),
            rewards,
        };
        Ok(rewards.into_iter().map(total).collect())
    }

    async fn evidence(&self, ties: &[Tie]) -> Result<Evidence, Error> {
        let conn = self.commands.db().reader();
        let referees: BTreeSet<PersonId> = ties.iter().map(|tie| tie.referee).collect();
        let earnings = store::earnings::of_people(conn, &referees).await?;
        let ids = earnings.iter().map(|earning| earning.id).collect();
        let mut evidence = Evidence {
            earnings: HashMap::new(),
            reversals: HashMap::new(),
        };
        for reversal in store::earnings::reversals_of(conn, &ids).await? {
            evidence.reversals.entry(reversal.earning).or_default().push(reversal);
        }
        for earning in earnings {
            evidence.earnings.entry(earning.person).or_default().push(earning);
        }
        Ok(evidence)
    }

    /// What payments has posted to an account for rewards, per currency; `None` if payments cannot be asked just now,
    /// which is no reason to explain nothing.
    async fn posted(&self, account: AccountId) -> Option<BTreeMap<Currency, Money>> {
        let request = payments::ListRewardPostingsRequest {
            account_id: account.to_string(),
        };
        let answer = self.payments.clone().list_reward_postings(request).await;
        let postings = answer
            .inspect_err(|status| tracing::warn!(code = ?status.code(), "payments cannot say what was posted"))
            .ok()?
            .into_inner()
            .postings;
        let mut posted: BTreeMap<Currency, Money> = BTreeMap::new();
        for money in postings.into_iter().filter_map(|posting| posting.posted) {
            let currency = money.currency_code.parse().ok()?;
            let sum = posted.entry(currency).or_insert_with(|| Money::zero(currency));
            *sum = sum.checked_add(Money::new(money.minor_units, currency)).ok()?;
        }
        Some(posted)
    }
}

fn explain_reward(
    tie: &Tie,
    kind: RewardKind,
    currency: Currency,
    reward: &Reward,
    terms: &[PublishedTerms],
    evidence: &Evidence,
) -> pb::ExplainedReward {
    let hash = terms
        .iter()
        .find(|published| published.terms == tie.terms)
        .map(|published| &published.content_hash);
    let in_currency = |minor: i64| Some(Money::new(minor, currency).into());
    pb::ExplainedReward {
        attribution_id: tie.id.to_string(),
        referee_person_id: tie.referee.to_string(),
        kind: i32::from(wire_kind(kind)),
        terms_version: tie.terms.version,
        terms_content_hash: hash.cloned().unwrap_or_default(),
        basis_points: tie.rate(kind).get(),
        base: in_currency(reward.base),
        exact_ten_thousandths: reward.accrued.ten_thousandths().to_string(),
        due: in_currency(reward.accrued.floor_minor().unwrap_or(i64::MAX)),
        released: in_currency(reward.released),
        reason: reason(tie, kind),
        items: items(tie, kind, currency, evidence),
    }
}

fn reason(tie: &Tie, kind: RewardKind) -> String {
    match (kind, tie.bonus) {
        (RewardKind::LifetimeShare, _) => {
            format!(
                "{} of the referee's settled earnings for life, rounded down",
                tie.rate(kind)
            )
        }
        (RewardKind::WindowBonus, BonusState::Open) => {
            format!(
                "nothing is due before the window ends at {} with the account open",
                tie.window_end()
            )
        }
        (RewardKind::WindowBonus, BonusState::Due) => format!(
            "{} of what was earned before {}, rounded down, since the account was open then",
            tie.rate(kind),
            tie.window_end()
        ),
    }
}

fn items(tie: &Tie, kind: RewardKind, currency: Currency, evidence: &Evidence) -> Vec<pb::ExplainedItem> {
    let counted = |earning: &&Earning| earning.amount.currency == currency && tie.counts(kind, earning.occurred_at);
    let mut items = Vec::new();
    for earning in evidence
        .earnings
        .get(&tie.referee)
        .into_iter()
        .flatten()
        .filter(counted)
    {
        let item = |reversal_id: String, minor: i64| {
            let share: Share = tie.rate(kind).share_of(minor);
            pb::ExplainedItem {
                earning_id: earning.id.to_string(),
                reversal_id,
                amount: Some(Money::new(minor, currency).into()),
                exact_ten_thousandths: share.ten_thousandths().to_string(),
                occur_time: Some(to_wire_time(earning.occurred_at)),
            }
        };
        items.push(item(String::new(), earning.amount.minor));
        let reversals = evidence.reversals.get(&earning.id).into_iter().flatten();
        items.extend(reversals.map(|reversal| item(reversal.id.to_string(), -reversal.amount.minor)));
    }
    items
}
