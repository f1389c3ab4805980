//! Facts in: which function takes which event of another service.

use vouch_messaging::{Fact, Router};
use vouch_primitives::{Money, PersonId, terms::RecurringPay};
use vouch_proto::{
    Fields, Violations,
    common::v1::{FixedPay, HourlyPay},
    onboarding::v1::{AccountRegistered, OfferAccepted, PersonErased, offer_accepted},
    referral::v1::{RewardKind as WireRewardKind, RewardReleased},
    terms::recurring_pay,
};

use crate::{
    app::{App, accounts::RegisteredAccount, contracts::AcceptedOffer},
    domain::{Pay, Release, RewardKey, RewardKind},
    error::Error,
};

/// The table.
#[must_use]
pub fn router() -> Router<App, Error> {
    Router::<App, Error>::new(crate::NAME)
        .on::<AccountRegistered>(|app, txn, facts| {
            Box::pin(async move {
                let accounts = facts.iter().map(|fact| registered_account(&fact.body));
                app.on_accounts_registered(txn, &accounts.collect::<Result<Vec<_>, _>>()?)
                    .await
            })
        })
        .on::<PersonErased>(|app, txn, facts| {
            Box::pin(async move {
                let people = facts.iter().map(|fact| erased_person(&fact.body));
                app.on_people_erased(txn, &people.collect::<Result<Vec<_>, _>>()?).await
            })
        })
        .on::<OfferAccepted>(|app, txn, facts| {
            Box::pin(async move {
                let offers = facts.iter().map(accepted_offer).collect::<Result<Vec<_>, _>>()?;
                app.on_offers_accepted(txn, &offers).await
            })
        })
        .on::<RewardReleased>(|app, txn, facts| {
            Box::pin(async move {
                let releases = facts.iter().map(|fact| release(&fact.body));
                app.on_rewards_released(txn, &releases.collect::<Result<Vec<_>, _>>()?)
                    .await
            })
        })
}

fn registered_account(event: &AccountRegistered) -> Result<RegisteredAccount, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("account_id", &event.account_id);
    let person_id = fields.id("person_id", &event.person_id);
    let (Some(id), Some(person_id)) = (id, person_id) else {
        return Err(fields.into());
    };
    fields.finish(RegisteredAccount { id, person_id })
}

fn erased_person(event: &PersonErased) -> Result<PersonId, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("person_id", &event.person_id);
    id.ok_or_else(|| fields.into())
}

type Milestones = Vec<(String, Money)>;

fn accepted_offer(fact: &Fact<OfferAccepted>) -> Result<Fact<AcceptedOffer>, Violations> {
    let event = &fact.body;
    let mut fields = Fields::new();
    let offer_id = fields.id("offer_id", &event.offer_id);
    let contract_id = fields.id("contract_id", &event.contract_id);
    let client_id = fields.id("client_id", &event.client_id);
    let person_id = fields.id("person_id", &event.person_id);
    let account_id = fields.id("account_id", &event.account_id);
    let start_at = fields.time("start_time", event.start_time.as_ref());
    let accepted_at = fields.time("accept_time", event.accept_time.as_ref());
    let pay = match &event.pay {
        Some(offer_accepted::Pay::Hourly(pay)) => fields.within("hourly", |fields| hourly(fields, pay)),
        Some(offer_accepted::Pay::Fixed(pay)) => fields.within("fixed", |fields| fixed(fields, pay)),
        Some(offer_accepted::Pay::Recurring(pay)) => fields
            .within("recurring", |fields| recurring_pay(fields, pay))
            .map(|RecurringPay { amount, every }| (Pay::Recurring { amount, every }, vec![])),
        None => {
            fields.refuse("pay", "REQUIRED", "is required");
            None
        }
    };
    let (Some(offer_id), Some(contract_id), Some(client_id)) = (offer_id, contract_id, client_id) else {
        return Err(fields.into());
    };
    let (Some(person_id), Some(account_id), Some((pay, milestones))) = (person_id, account_id, pay) else {
        return Err(fields.into());
    };
    let (Some(start_at), Some(accepted_at)) = (start_at, accepted_at) else {
        return Err(fields.into());
    };
    let body = fields.finish(AcceptedOffer {
        offer_id,
        contract_id,
        client_id,
        person_id,
        account_id,
        pay,
        milestones,
        start_at,
        accepted_at,
    })?;
    Ok(Fact {
        id: fact.id,
        time: fact.time,
        body,
        traceparent: fact.traceparent.clone(),
    })
}

fn hourly(fields: &mut Fields, pay: &HourlyPay) -> Option<(Pay, Milestones)> {
    let rate = fields.positive_money("rate", pay.rate.as_ref())?;
    let weekly_limit_minutes = pay.weekly_limit_minutes;
    if !(1..=10_080).contains(&weekly_limit_minutes) {
        fields.refuse("weekly_limit_minutes", "OUT_OF_RANGE", "must be 1 to 10,080");
    }
    let pay = Pay::Hourly {
        rate,
        weekly_limit_minutes,
    };
    Some((pay, vec![]))
}

fn fixed(fields: &mut Fields, pay: &FixedPay) -> Option<(Pay, Milestones)> {
    let mut milestones = Milestones::new();
    for (index, terms) in pay.milestones.iter().enumerate() {
        let read = |fields: &mut Fields| {
            let title = fields.line("title", &terms.title, 1..=200);
            let amount = fields.positive_money("amount", terms.amount.as_ref());
            title.zip(amount)
        };
        milestones.push(fields.within(&format!("milestones[{index}]"), read)?);
    }
    let Some((_, first)) = milestones.first() else {
        fields.refuse("milestones", "REQUIRED", "must have at least one");
        return None;
    };
    let currency = first.currency;
    if milestones.iter().any(|(_, amount)| amount.currency != currency) {
        fields.refuse("milestones", "OTHER_CURRENCY", "must all be in one currency");
    }
    Some((Pay::Fixed { currency }, milestones))
}

fn release(event: &RewardReleased) -> Result<Release, Violations> {
    let mut fields = Fields::new();
    let tie_id = fields
        .id("tie_id", &event.tie_id)
        .map(vouch_primitives::AttributionId::as_uuid);
    let account_id = fields.id("account_id", &event.account_id);
    let released_at = fields.time("release_time", event.release_time.as_ref());
    let kind = match event.kind() {
        WireRewardKind::LifetimeShare => Some(RewardKind::LifetimeShare),
        WireRewardKind::WindowBonus => Some(RewardKind::WindowBonus),
        WireRewardKind::SignUpBonus => Some(RewardKind::SignUpBonus),
        WireRewardKind::IntroductionCommission => Some(RewardKind::IntroductionCommission),
        WireRewardKind::ClientReward => Some(RewardKind::ClientReward),
        WireRewardKind::RefereeBenefit => Some(RewardKind::RefereeBenefit),
        WireRewardKind::Unspecified => {
            fields.refuse("kind", "REQUIRED", "is not a kind of reward that is known here");
            None
        }
    };
    let cumulative = event.cumulative.clone().unwrap_or_default();
    let currency = fields.within("cumulative", |fields| {
        fields.currency("currency_code", &cumulative.currency_code)
    });
    // Only a reward of a client has somebody else than the programme to pay it.
    let funder = match kind {
        Some(RewardKind::ClientReward) => fields.id("funding_client_id", &event.funding_client_id).map(Some),
        _ => Some(None),
    };
    let key = tie_id.zip(kind).zip(currency);
    let (Some(((tie_id, kind), currency)), Some(account_id), Some(released_at), Some(funder)) =
        (key, account_id, released_at, funder)
    else {
        return Err(fields.into());
    };
    fields.finish(Release {
        key: RewardKey { tie_id, kind, currency },
        account_id,
        cumulative_minor: cumulative.minor_units,
        epoch: event.epoch,
        sequence: event.sequence,
        released_at,
        funder,
    })
}
