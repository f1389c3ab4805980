//! Explaining one earning: what it pays for each tie, and why not where it does not.

use std::collections::BTreeSet;

use vouch_primitives::{Currency, EarningId, Money, ReferrerId, Timestamp};
use vouch_proto::{convert::to_wire_time, referral::v1 as pb};

use super::{App, books::wire_kind};
use crate::{
    domain::{Bond, Excluded, Gate, Grant, Movement, RewardKind, SignUp, Suspicion, Tie},
    error::Error,
    store,
};

impl App {
    /// Explains an earning to a referrer, or to an operator, who sees the ties of all.
    ///
    /// # Errors
    /// If there is no such earning, or the referrer has no tie with whoever earned it.
    pub async fn explain_earning(
        &self,
        referrer: Option<ReferrerId>,
        id: EarningId,
    ) -> Result<pb::ExplainEarningResponse, Error> {
        let conn = self.commands.db().read_tx().await?;
        let ids = BTreeSet::from([id]);
        let earning = store::earnings::with_ids(&conn, &ids).await?.pop();
        let earning = earning.ok_or_else(|| Error::not_found("earning", id))?;
        let loaded = store::ties::of_people(&conn, &BTreeSet::from([earning.person])).await?;
        let ties: Vec<Tie> = loaded
            .into_iter()
            .map(|loaded| loaded.tie)
            .filter(|tie| referrer.is_none_or(|referrer| tie.referrer == referrer))
            .collect();
        if ties.is_empty() && referrer.is_some() {
            return Err(Error::not_found("earning", id));
        }
        let reversals = store::earnings::reversals_of(&conn, &ids).await?;
        let back: i64 = reversals.iter().map(|reversal| reversal.amount.minor).sum();
        let remaining = Money::new(earning.amount.minor - back, earning.amount.currency);
        let movement = Movement {
            amount: remaining,
            ..earning.movement()
        };
        let now = self.now();
        let mut outcomes: Vec<_> = ties.iter().flat_map(|tie| outcomes(tie, &movement, now)).collect();
        if outcomes.is_empty() {
            outcomes.push(pb::EarningOutcome {
                verdict: i32::from(pb::EarningVerdict::NoAttribution),
                ..Default::default()
            });
        }
        Ok(pb::ExplainEarningResponse {
            earning_id: id.to_string(),
            amount: Some(earning.amount.into()),
            remaining: Some(remaining.into()),
            occur_time: Some(to_wire_time(earning.occurred_at)),
            outcomes,
        })
    }
}

/// The kinds of rewards that a tie can pay for an earning, each with its outcome.
fn outcomes(tie: &Tie, movement: &Movement, now: Timestamp) -> Vec<pb::EarningOutcome> {
    let kinds: &[RewardKind] = match &tie.bond {
        Bond::Attribution(_) => &[RewardKind::LifetimeShare, RewardKind::WindowBonus],
        Bond::Introduction(_) => &[RewardKind::IntroductionCommission],
    };
    let mut outcomes: Vec<_> = kinds.iter().map(|kind| outcome(tie, *kind, movement, now)).collect();
    outcomes.extend(sign_up(tie, movement.amount.currency));
    outcomes.extend(own_reward(tie, movement));
    outcomes
}

fn outcome(tie: &Tie, kind: RewardKind, movement: &Movement, now: Timestamp) -> pb::EarningOutcome {
    let from = tie.released_from(movement);
    let judged = tie.judge(kind, movement);
    let verdict = match judged {
        Err(excluded) => why_not(excluded),
        Ok(_) => match tie.gate(kind) {
            Gate::Void => pb::EarningVerdict::Void,
            Gate::Held if tie.suspicion == Suspicion::Open => pb::EarningVerdict::HeldForSignal,
            Gate::Held => pb::EarningVerdict::Held,
            Gate::Waits => pb::EarningVerdict::Waiting,
            Gate::Pays if tie.pending_until(movement).is_some_and(|until| now < until) => pb::EarningVerdict::Pending,
            Gate::Pays => pb::EarningVerdict::Released,
        },
    };
    let share = judged.map(|rate| rate.share_of(movement.amount.minor).ten_thousandths());
    pb::EarningOutcome {
        tie_id: tie.id.to_string(),
        kind: i32::from(wire_kind(kind)),
        verdict: i32::from(verdict),
        basis_points: judged.map_or(0, |rate| rate.get()),
        exact_ten_thousandths: share.unwrap_or(0).to_string(),
        release_time: judged.is_ok().then(|| to_wire_time(from)),
        terms_version: tie.version_of(kind, movement.occurred_at),
    }
}

/// What became of the sign-up bonus, where it was decided against.
fn sign_up(tie: &Tie, currency: Currency) -> Option<pb::EarningOutcome> {
    let capped = matches!(&tie.bond, Bond::Attribution(bond) if bond.sign_up == SignUp::Capped);
    let stated = tie.first_terms().sign_up.contains_key(&currency);
    (capped && stated).then(|| pb::EarningOutcome {
        tie_id: tie.id.to_string(),
        kind: i32::from(pb::RewardKind::SignUpBonus),
        verdict: i32::from(pb::EarningVerdict::Capped),
        exact_ten_thousandths: "0".to_owned(),
        terms_version: tie.first_terms().version,
        ..Default::default()
    })
}

/// What became of the client's own reward, where its budget was spent.
fn own_reward(tie: &Tie, movement: &Movement) -> Option<pb::EarningOutcome> {
    let Bond::Introduction(bond) = &tie.bond else {
        return None;
    };
    let spent = bond.own.is_some_and(|own| own.grant == Grant::Spent);
    (spent && bond.contracts.contains(&movement.contract)).then(|| pb::EarningOutcome {
        tie_id: tie.id.to_string(),
        kind: i32::from(pb::RewardKind::ClientReward),
        verdict: i32::from(pb::EarningVerdict::BudgetSpent),
        exact_ten_thousandths: "0".to_owned(),
        terms_version: tie.first_terms().version,
        ..Default::default()
    })
}

const fn why_not(excluded: Excluded) -> pb::EarningVerdict {
    match excluded {
        Excluded::BeforeJoining => pb::EarningVerdict::BeforeJoining,
        Excluded::OutsideWindow => pb::EarningVerdict::OutsideWindow,
        Excluded::ReferrerSuspended => pb::EarningVerdict::ReferrerSuspended,
        Excluded::RelatedParties => pb::EarningVerdict::RelatedParties,
        Excluded::NotIntroduced => pb::EarningVerdict::NotIntroduced,
        Excluded::NotInTerms => pb::EarningVerdict::NotInTerms,
    }
}
