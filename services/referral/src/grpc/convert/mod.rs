//! Between the wire and the use cases.

pub(super) mod client_programmes;
pub(super) mod dashboard;
pub(super) mod programme;
pub(super) mod screening;

use std::collections::BTreeSet;

use tonic::Status;
use vouch_primitives::{AttributionId, Currency, Money, ReferrerId};
use vouch_proto::{Fields, Page, Violations, convert::to_wire_time, referral::v1 as pb};

use crate::{
    app::{LinePosition, enrolment::Enrolling, wire_referral_kind},
    domain::{Bond, BonusState, Figures, RewardKind, Tie},
    error::Error,
};

/// Which referrer to read.
pub(super) struct ReferrerQuery(pub ReferrerId);

/// Which page of a referrer's attributions to read or to explain.
pub(super) struct AttributionPage {
    pub referrer: ReferrerId,
    pub page: Page<AttributionId>,
}

/// Which page of what a reward is made of.
pub(super) struct RewardItems {
    pub attribution: AttributionId,
    pub kind: RewardKind,
    pub currency: Currency,
    pub page: Page<LinePosition>,
}

impl TryFrom<pb::EnrolReferrerRequest> for Enrolling {
    type Error = Violations;

    fn try_from(request: pb::EnrolReferrerRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        if request.client_id.is_empty() {
            let account = fields.id("account_id", &request.account_id);
            return account.map(Self::Account).ok_or_else(|| fields.into());
        }
        if !request.account_id.is_empty() {
            fields.refuse("account_id", "NOT_BOTH", "must be empty where a client enrols");
        }
        let client = fields.id("client_id", &request.client_id);
        match client {
            Some(client) => fields.finish(Self::Client(client)),
            None => Err(fields.into()),
        }
    }
}

impl TryFrom<pb::GetReferrerRequest> for ReferrerQuery {
    type Error = Violations;

    fn try_from(request: pb::GetReferrerRequest) -> Result<Self, Violations> {
        referrer_query(&request.referrer_id)
    }
}

impl TryFrom<pb::ExplainBalanceRequest> for AttributionPage {
    type Error = Violations;

    fn try_from(request: pb::ExplainBalanceRequest) -> Result<Self, Violations> {
        attribution_page(&request.referrer_id, request.page_size, &request.page_token)
    }
}

impl TryFrom<pb::ListAttributionsRequest> for AttributionPage {
    type Error = Violations;

    fn try_from(request: pb::ListAttributionsRequest) -> Result<Self, Violations> {
        attribution_page(&request.referrer_id, request.page_size, &request.page_token)
    }
}

impl TryFrom<pb::ListRewardItemsRequest> for RewardItems {
    type Error = Violations;

    fn try_from(request: pb::ListRewardItemsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let attribution = fields.id("attribution_id", &request.attribution_id);
        let kind = match request.kind() {
            pb::RewardKind::RefereeBenefit => {
                fields.refuse(
                    "kind",
                    "NOT_A_REWARD",
                    "is made of no earnings, and is not the referrer's",
                );
                None
            }
            pb::RewardKind::Unspecified => {
                fields.refuse("kind", "REQUIRED", "is required");
                None
            }
            pb::RewardKind::LifetimeShare => Some(RewardKind::LifetimeShare),
            pb::RewardKind::WindowBonus => Some(RewardKind::WindowBonus),
            pb::RewardKind::SignUpBonus => Some(RewardKind::SignUpBonus),
            pb::RewardKind::IntroductionCommission => Some(RewardKind::IntroductionCommission),
            pb::RewardKind::ClientReward => Some(RewardKind::ClientReward),
        };
        let currency = fields.currency("currency_code", &request.currency_code);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(attribution), Some(kind), Some(currency), Some(page)) = (attribution, kind, currency, page) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            attribution,
            kind,
            currency,
            page,
        })
    }
}

fn attribution_page(referrer: &str, size: u32, token: &str) -> Result<AttributionPage, Violations> {
    let mut fields = Fields::new();
    let referrer = fields.id("referrer_id", referrer);
    let page = fields.page(size, token);
    let (Some(referrer), Some(page)) = (referrer, page) else {
        return Err(fields.into());
    };
    fields.finish(AttributionPage { referrer, page })
}

fn referrer_query(id: &str) -> Result<ReferrerQuery, Violations> {
    let mut fields = Fields::new();
    let Some(id) = fields.id("referrer_id", id) else {
        return Err(fields.into());
    };
    fields.finish(ReferrerQuery(id))
}

/// An attribution on the wire.
pub(super) fn attribution(tie: &Tie) -> Result<pb::Attribution, Status> {
    let currencies: BTreeSet<Currency> = tie.rewards.keys().map(|(_, currency)| *currency).collect();
    let state = match &tie.bond {
        Bond::Attribution(bond) => match bond.bonus {
            BonusState::Open => pb::attribution::BonusState::Open,
            BonusState::Due => pb::attribution::BonusState::Due,
            BonusState::Void => pb::attribution::BonusState::Void,
        },
        Bond::Introduction(_) => pb::attribution::BonusState::Unspecified,
    };
    let totals = currencies.into_iter().map(|currency| total(tie, currency));
    Ok(pb::Attribution {
        id: tie.id.to_string(),
        referrer_id: tie.referrer.to_string(),
        referee_person_id: tie.payee.to_string(),
        join_time: tie.joined().map(to_wire_time),
        window_end_time: tie.window_end().map(to_wire_time),
        bonus_state: i32::from(state),
        terms_version: tie.first_terms().version,
        kind: i32::from(wire_referral_kind(tie.bond.kind())),
        totals: totals.collect::<Result<_, _>>()?,
    })
}

fn total(tie: &Tie, currency: Currency) -> Result<pb::AttributionTotal, Status> {
    let figures = |kind| tie.figures(kind, currency).map_err(Error::from);
    let base = |kind| tie.rewards.get(&(kind, currency)).map_or(0, |reward| reward.base);
    let all = RewardKind::ALL
        .into_iter()
        .map(figures)
        .collect::<Result<Vec<Figures>, _>>()?;
    let money = |minor: i64| Some(Money::new(minor, currency).into());
    Ok(pb::AttributionTotal {
        earnings: money(base(RewardKind::LifetimeShare)),
        window_earnings: money(base(RewardKind::WindowBonus)),
        lifetime_share: money(figures(RewardKind::LifetimeShare)?.due),
        bonus: money(figures(RewardKind::WindowBonus)?.due),
        sign_up_bonus: money(figures(RewardKind::SignUpBonus)?.due),
        held: money(all.iter().map(|it| it.held).sum()),
        pending: money(all.iter().map(|it| it.pending).sum()),
        released: money(all.iter().map(|it| it.released).sum()),
        referee_benefit: tie.benefit(currency).map(|(_, released)| released.into()),
    })
}
