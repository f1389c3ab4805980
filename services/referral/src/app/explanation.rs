//! Explaining a balance: from each total down to each earning, with the arithmetic and the terms.

use std::collections::{BTreeMap, HashMap};

use vouch_primitives::{AccountId, AttributionId, BasisPoints, Currency, Money, PersonId, ReferrerId};
use vouch_proto::{Listed, Page, convert::to_wire_time, payments::v1 as payments, referral::v1 as pb};

use super::{App, accrual::wire_kind};
use crate::{
    domain::{BonusState, Reward, RewardKind, Tie},
    error::Error,
    store::{
        self,
        lines::{Line, LinePosition, Span},
        programme::PublishedTerms,
    },
};

/// How many items of a reward are told with it; the rest has pages of its own.
const MOST_ITEMS: usize = 20;

/// The first lines of the referees of some ties.
type Lines = HashMap<(PersonId, Currency), Vec<Line>>;

impl App {
    /// One page of a referrer's attributions, newest first.
    ///
    /// # Errors
    /// If there is no such referrer.
    pub async fn attributions(
        &self,
        referrer: ReferrerId,
        page: &Page<AttributionId>,
    ) -> Result<Listed<Tie, AttributionId>, Error> {
        let conn = self.commands.db().read_tx().await?;
        if store::referrers::find(&conn, referrer).await?.is_none() {
            return Err(Error::not_found("referrer", referrer));
        }
        let ties = store::ties::of_referrer(&conn, referrer, page.after, page.limit()).await?;
        Ok(page.cut(ties, |tie| tie.id))
    }

    /// Explains the rewards of one page of a referrer's attributions, newest first, one tree per currency. The totals
    /// are those of all attributions.
    ///
    /// # Errors
    /// If there is no such referrer.
    pub async fn explain(
        &self,
        id: ReferrerId,
        page: &Page<AttributionId>,
    ) -> Result<Listed<pb::ExplainedTotal, AttributionId>, Error> {
        let found = store::referrers::find(self.commands.db().reader(), id).await?;
        let referrer = found.ok_or_else(|| Error::not_found("referrer", id))?;
        // Asked before the rest is read, so that it is never ahead of it; and all of the rest is of one moment.
        let posted = self.posted(referrer.account).await;
        let conn = self.commands.db().read_tx().await?;
        let released = store::ties::released(&conn, id).await?;
        let ties = store::ties::of_referrer(&conn, id, page.after, page.limit()).await?;
        let Listed { items: ties, next } = page.cut(ties, |tie| tie.id);
        let terms = store::programme::all_terms(&conn).await?;
        let lines = store::lines::first_of(&conn, &ties, MOST_ITEMS + 1).await?;
        drop(conn);

        let mut rewards: BTreeMap<Currency, Vec<pb::ExplainedReward>> = BTreeMap::new();
        for tie in &ties {
            for ((kind, currency), reward) in &tie.rewards {
                let explained = explain_reward(tie, *kind, *currency, reward, &terms, &lines);
                rewards.entry(*currency).or_default().push(explained);
            }
        }
        let total = |(currency, released): (Currency, Money)| pb::ExplainedTotal {
            released: Some(released.into()),
            posted: posted
                .as_ref()
                .map(|posted| posted.get(&currency).copied().unwrap_or(Money::zero(currency)).into()),
            rewards: rewards.remove(&currency).unwrap_or_default(),
        };
        let items = released.into_iter().map(total).collect();
        Ok(Listed { items, next })
    }

    /// One page of all that a reward is made of, by the time it was earned.
    ///
    /// # Errors
    /// If there is no such attribution.
    pub async fn reward_items(
        &self,
        attribution: AttributionId,
        kind: RewardKind,
        currency: Currency,
        page: &Page<LinePosition>,
    ) -> Result<Listed<pb::ExplainedItem, LinePosition>, Error> {
        let conn = self.commands.db().read_tx().await?;
        let tie = store::ties::find(&conn, attribution).await?;
        let tie = tie.ok_or_else(|| Error::not_found("attribution", attribution))?;
        let span = Span {
            person: tie.referee,
            currency,
            from: tie.joined,
            until: match kind {
                RewardKind::LifetimeShare => None,
                RewardKind::WindowBonus => Some(tie.window_end()),
            },
        };
        let lines = store::lines::page_of(&conn, span, page).await?;
        let Listed { items, next } = page.cut(lines, |line| line.position);
        let items = items.iter().map(|line| item(line, currency, tie.rate(kind))).collect();
        Ok(Listed { items, next })
    }

    /// What payments has posted to an account for rewards, per currency; `None` if payments cannot be asked just now,
    /// which is no reason to explain nothing.
    async fn posted(&self, account: AccountId) -> Option<BTreeMap<Currency, Money>> {
        // Only the totals are wanted, which are whole on every page.
        let request = payments::ListRewardPostingsRequest {
            account_id: account.to_string(),
            page_size: 1,
            page_token: String::new(),
        };
        let answer = self.payments.clone().list_reward_postings(request).await;
        let totals = answer
            .inspect_err(|status| tracing::warn!(code = ?status.code(), "payments cannot say what was posted"))
            .ok()?
            .into_inner()
            .totals;
        let posted = totals.into_iter().map(|money| {
            let currency = money.currency_code.parse().ok()?;
            Some((currency, Money::new(money.minor_units, currency)))
        });
        posted.collect()
    }
}

fn explain_reward(
    tie: &Tie,
    kind: RewardKind,
    currency: Currency,
    reward: &Reward,
    terms: &[PublishedTerms],
    lines: &Lines,
) -> pb::ExplainedReward {
    let hash = terms
        .iter()
        .find(|published| published.terms == tie.terms)
        .map(|published| &published.content_hash);
    let in_currency = |minor: i64| Some(Money::new(minor, currency).into());
    let lines = lines.get(&(tie.referee, currency)).map_or(&[][..], Vec::as_slice);
    // What counts for the bonus is where the lines begin, so that the first of all lines hold the first of the bonus.
    let counted: Vec<_> = lines
        .iter()
        .filter(|line| tie.counts(kind, line.position.occurred_at))
        .collect();
    let told = counted.iter().take(MOST_ITEMS);
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
        items: told.map(|line| item(line, currency, tie.rate(kind))).collect(),
        more_items: counted.len() > MOST_ITEMS,
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

fn item(line: &Line, currency: Currency, rate: BasisPoints) -> pb::ExplainedItem {
    let LinePosition {
        occurred_at,
        earning,
        reversal,
    } = line.position;
    pb::ExplainedItem {
        earning_id: earning.to_string(),
        reversal_id: reversal.map_or_else(String::new, |reversal| reversal.to_string()),
        amount: Some(Money::new(line.amount_minor, currency).into()),
        exact_ten_thousandths: rate.share_of(line.amount_minor).ten_thousandths().to_string(),
        occur_time: Some(to_wire_time(occurred_at)),
    }
}
