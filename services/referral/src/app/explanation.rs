//! Explaining a balance: from each total down to each earning, with the arithmetic and the terms.

use std::collections::{BTreeMap, HashMap};

use vouch_primitives::{AccountId, AttributionId, BasisPoints, Currency, Money, PersonId, ReferrerId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, payments::v1 as payments, referral::v1 as pb};

use super::{App, books::wire_kind};
use crate::{
    domain::{Bond, BonusState, Excluded, Gate, Reward, RewardKind, Suspicion, Tie},
    error::Error,
    store::{
        self,
        lines::{Line, LinePosition, Span},
        programme::PublishedTerms,
    },
};

/// How many items of a reward are told with it; the rest has pages of its own.
const MOST_ITEMS: usize = 20;

/// The first lines of the payees of some ties.
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
        Ok(page.cut(ties, |tie| AttributionId::from_uuid(tie.id)))
    }

    /// Explains the rewards of one page of a referrer's attributions and introductions, newest first, one tree per currency.
    /// The totals are those of all.
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
        let after = page.after.map(AttributionId::as_uuid);
        let ties = store::ties::all_of_referrer(&conn, id, after, page.limit()).await?;
        let Listed { items: ties, next } = page.cut(ties, |tie| AttributionId::from_uuid(tie.id));
        let terms = store::programme::all_terms(&conn).await?;
        let lines = store::lines::first_of(&conn, &ties, MOST_ITEMS + 1).await?;
        drop(conn);

        let mut rewards: BTreeMap<Currency, Vec<pb::ExplainedReward>> = BTreeMap::new();
        for tie in &ties {
            for ((kind, currency), reward) in &tie.rewards {
                let explained = explain_reward(tie, *kind, *currency, reward, &terms, &lines)?;
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

    /// One page of all that a reward is made of, by the time it was earned. What was earned and does not count leaves gaps,
    /// so that a page may be short.
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
        let tie = store::ties::find(&conn, attribution.as_uuid()).await?;
        let tie = tie.ok_or_else(|| Error::not_found("attribution", attribution))?;
        let span = Span {
            person: tie.payee,
            currency,
            from: tie.joined().unwrap_or(Timestamp::EPOCH),
            until: None,
        };
        let lines = store::lines::page_of(&conn, span, page).await?;
        let Listed { items, next } = page.cut(lines, |line| line.position);
        let items = items
            .iter()
            .filter_map(|line| item(line, currency, &tie, kind))
            .collect();
        Ok(Listed { items, next })
    }

    /// What payments has posted to an account for rewards, per currency; `None` if payments cannot be asked just now,
    /// which is no reason to explain nothing.
    pub(super) async fn posted(&self, account: AccountId) -> Option<BTreeMap<Currency, Money>> {
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
) -> Result<pb::ExplainedReward, Error> {
    let decided = deciding(tie, kind);
    let version = decided.map_or(0, |(version, _)| version);
    let hash = terms
        .iter()
        .find(|published| published.terms.version == version)
        .map(|published| &published.content_hash);
    let in_currency = |minor: i64| Some(Money::new(minor, currency).into());
    let figures = tie.figures(kind, currency)?;
    let lines = lines.get(&(tie.payee, currency)).map_or(&[][..], Vec::as_slice);
    let told: Vec<_> = lines
        .iter()
        .filter_map(|line| item(line, currency, tie, kind))
        .collect();
    // One line more is read than is told; where that one counts, or others behind it may, there is more.
    let ends = |line: &&Line| tie.judge(kind, &line.movement) == Err(Excluded::OutsideWindow) && !tie.steps_up();
    let granted = matches!(kind, RewardKind::SignUpBonus | RewardKind::ClientReward);
    let more_items = !granted && lines.get(MOST_ITEMS).filter(|line| !ends(line)).is_some();
    Ok(pb::ExplainedReward {
        attribution_id: tie.id.to_string(),
        referee_person_id: tie.payee.to_string(),
        kind: i32::from(wire_kind(kind)),
        terms_version: version,
        terms_content_hash: hash.cloned().unwrap_or_default(),
        basis_points: decided.map_or(0, |(_, rate)| rate.get()),
        base: in_currency(reward.base),
        exact_ten_thousandths: reward.accrued.ten_thousandths().to_string(),
        due: in_currency(reward.due()?),
        released: in_currency(reward.released),
        reason: reason(tie, kind),
        items: told.into_iter().take(MOST_ITEMS).collect(),
        more_items,
        held: in_currency(figures.held),
        pending: in_currency(figures.pending),
    })
}

/// The version of the terms by which all of a reward is judged, and its rate; `None` where the referrer has consented to
/// another one, so that each item has its own.
fn deciding(tie: &Tie, kind: RewardKind) -> Option<(u32, BasisPoints)> {
    let first = tie.first_terms().version;
    let mut of_each = tie.terms.iter().map(|(from, _)| tie.version_of(kind, *from));
    of_each
        .all(|version| version == first)
        .then(|| (first, tie.rate_of(kind)))
}

fn reason(tie: &Tie, kind: RewardKind) -> String {
    let until = tie.window_end().unwrap_or(Timestamp::MAX);
    let rate = match deciding(tie, kind) {
        Some((_, rate)) => rate.to_string(),
        None => "the rate of the terms of its time".to_owned(),
    };
    match (tie.gate(kind), kind) {
        (Gate::Void, RewardKind::WindowBonus) if is_closed(tie) => {
            format!("nothing is due, since the account was closed at {until}")
        }
        (Gate::Void, _) if tie.suspicion == Suspicion::Confirmed => {
            "nothing is due, since a signal about the referee was right".to_owned()
        }
        (Gate::Void, _) => "nothing is due, since screening has rejected the referee".to_owned(),
        (Gate::Waits, RewardKind::WindowBonus) => {
            format!("nothing is due before the window ends at {until} with the account open")
        }
        (Gate::Waits, RewardKind::IntroductionCommission) => {
            "nothing is due before the introduced contract is completed".to_owned()
        }
        (Gate::Waits, _) => "nothing is due before the referee is hired".to_owned(),
        (Gate::Held, _) if tie.suspicion == Suspicion::Open => {
            "held until an operator has looked at a signal about the referee".to_owned()
        }
        (Gate::Held, _) => "held until the referee has passed screening".to_owned(),
        (Gate::Pays, RewardKind::LifetimeShare) => {
            format!("{rate} of the referee's settled earnings for life, rounded down")
        }
        (Gate::Pays, RewardKind::WindowBonus) => {
            format!("{rate} of what was earned before {until}, rounded down, since the account was open then")
        }
        (Gate::Pays, RewardKind::SignUpBonus) => "granted once for a referee who has qualified".to_owned(),
        (Gate::Pays, RewardKind::ClientReward) => "granted once by the client for an introduction to it".to_owned(),
        (Gate::Pays, RewardKind::IntroductionCommission) => {
            format!("{rate} of what was earned by the introduction, rounded down")
        }
    }
}

fn is_closed(tie: &Tie) -> bool {
    matches!(&tie.bond, Bond::Attribution(bond) if bond.bonus == BonusState::Void)
}

/// A line of a reward, if it counts for it.
fn item(line: &Line, currency: Currency, tie: &Tie, kind: RewardKind) -> Option<pb::ExplainedItem> {
    let rate = tie.judge(kind, &line.movement).ok()?;
    let LinePosition {
        occurred_at,
        earning,
        reversal,
    } = line.position;
    let minor = line.movement.amount.minor;
    Some(pb::ExplainedItem {
        earning_id: earning.to_string(),
        reversal_id: reversal.map_or_else(String::new, |reversal| reversal.to_string()),
        amount: Some(Money::new(minor, currency).into()),
        exact_ten_thousandths: rate.share_of(minor).ten_thousandths().to_string(),
        occur_time: Some(to_wire_time(occurred_at)),
        basis_points: rate.get(),
        terms_version: tie.version_of(kind, occurred_at),
    })
}
