//! Between the wire and the use cases.

use std::collections::BTreeSet;

use vouch_primitives::{AccountId, AttributionId, Currency, Money, ReferrerId};
use vouch_proto::{Fields, Violations, convert::to_wire_time, referral::v1 as pb};

use crate::{
    app::PublishedTerms,
    domain::{BonusState, RewardKind, Tie},
};

/// Which account to enrol.
pub(super) struct Enrol(pub AccountId);

/// Which referrer to read.
pub(super) struct ReferrerQuery(pub ReferrerId);

/// Which page of attributions to read.
pub(super) struct AttributionPage {
    pub referrer: ReferrerId,
    pub before: Option<AttributionId>,
    pub size: u64,
}

impl TryFrom<pb::EnrolReferrerRequest> for Enrol {
    type Error = Violations;

    fn try_from(request: pb::EnrolReferrerRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(account) = fields.id("account_id", &request.account_id) else {
            return Err(fields.into());
        };
        fields.finish(Self(account))
    }
}

impl TryFrom<pb::GetReferrerRequest> for ReferrerQuery {
    type Error = Violations;

    fn try_from(request: pb::GetReferrerRequest) -> Result<Self, Violations> {
        referrer_query(&request.referrer_id)
    }
}

impl TryFrom<pb::ExplainBalanceRequest> for ReferrerQuery {
    type Error = Violations;

    fn try_from(request: pb::ExplainBalanceRequest) -> Result<Self, Violations> {
        referrer_query(&request.referrer_id)
    }
}

impl TryFrom<pb::ListAttributionsRequest> for AttributionPage {
    type Error = Violations;

    fn try_from(request: pb::ListAttributionsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let size = fields.page_size(request.page_size);
        let before = fields.page_token(&request.page_token);
        let (Some(referrer), Some(size), Some(before)) = (referrer, size, before) else {
            return Err(fields.into());
        };
        fields.finish(Self { referrer, before, size })
    }
}

fn referrer_query(id: &str) -> Result<ReferrerQuery, Violations> {
    let mut fields = Fields::new();
    let Some(id) = fields.id("referrer_id", id) else {
        return Err(fields.into());
    };
    fields.finish(ReferrerQuery(id))
}

/// A page of `size` attributions; one more was read to learn whether there is another page.
pub(super) fn attribution_page(ties: &[Tie], size: u64) -> pb::ListAttributionsResponse {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let page = ties.get(..size).unwrap_or(ties);
    let more = ties.len() > page.len();
    let last = page.last().filter(|_| more).map(|tie| tie.id.to_string());
    pb::ListAttributionsResponse {
        attributions: page.iter().map(attribution).collect(),
        next_page_token: last.unwrap_or_default(),
    }
}

fn attribution(tie: &Tie) -> pb::Attribution {
    let currencies: BTreeSet<Currency> = tie.rewards.keys().map(|(_, currency)| *currency).collect();
    let state = match tie.bonus {
        BonusState::Open => pb::attribution::BonusState::Open,
        BonusState::Due => pb::attribution::BonusState::Due,
    };
    pb::Attribution {
        id: tie.id.to_string(),
        referrer_id: tie.referrer.to_string(),
        referee_person_id: tie.referee.to_string(),
        join_time: Some(to_wire_time(tie.joined)),
        window_end_time: Some(to_wire_time(tie.window_end())),
        bonus_state: i32::from(state),
        terms_version: tie.terms.version,
        totals: currencies.into_iter().map(|currency| total(tie, currency)).collect(),
    }
}

fn total(tie: &Tie, currency: Currency) -> pb::AttributionTotal {
    let reward = |kind: RewardKind| tie.rewards.get(&(kind, currency)).copied().unwrap_or_default();
    let (lifetime, bonus) = (reward(RewardKind::LifetimeShare), reward(RewardKind::WindowBonus));
    let money = |minor: i64| Some(Money::new(minor, currency).into());
    pb::AttributionTotal {
        earnings: money(lifetime.base),
        window_earnings: money(bonus.base),
        lifetime_share: money(lifetime.released),
        bonus: money(bonus.released),
    }
}

/// Terms on the wire.
pub(super) fn terms(published: &PublishedTerms) -> pb::Terms {
    pb::Terms {
        version: published.terms.version,
        content_hash: published.content_hash.clone(),
        lifetime_basis_points: published.terms.lifetime.get(),
        bonus_basis_points: published.terms.bonus.get(),
        window_months: published.terms.window_months,
    }
}
