//! Accepted offers begin contracts.

use std::collections::HashSet;

use tonic::Code;
use vouch_messaging::dead_letter;
use vouch_primitives::{AccountId, ContractId, EventId};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    onboarding::v1::{OfferAccepted, offer_accepted::Pay},
    payments::v1 as pb,
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    tables::{count, told},
    world::{SOON, World, at, fixed_offer, milestones, money, offer, refusal, start, usd},
};

on_both_databases! {
    an_accepted_offer_begins_one_contract,
    an_hourly_contract_has_no_milestones,
    a_bad_offer_is_set_aside_and_the_rest_begins,
    milestones_are_added_to_fixed_prices_in_their_currency,
}

async fn an_accepted_offer_begins_one_contract(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let offer = fixed_offer(ada, &[("Translation", usd(100_000)), ("Notes", usd(25_050))]);
    // Once more as the same event, and once more as another one.
    let id = EventId::new();
    for id in [id, id, EventId::new()] {
        world.hear(id, &offer).await;
    }
    let contract = world.contract_of(&offer.contract_id).await;
    let agreed: Vec<_> = milestones(&contract)
        .iter()
        .map(|m| (m.title.as_str(), m.amount.clone(), m.state()))
        .collect();
    let state = pb::milestone::State::Agreed;
    assert_eq!(
        agreed,
        [
            ("Translation", Some(usd(100_000)), state),
            ("Notes", Some(usd(25_050)), state)
        ]
    );
    assert_eq!(
        contract.fee_terms,
        Some(pb::FeeTerms {
            version: 1,
            talent_basis_points: 1_000
        })
    );
    assert_eq!(contract.start_time, Some(to_wire_time(at("2026-03-09"))));
    assert_eq!(contract.create_time, Some(to_wire_time(start())));
    let last = fixed_offer(ada, &[("Later", usd(1))]);
    world.hear(EventId::new(), &last).await;
    world.contract_of(&last.contract_id).await;
    assert_eq!(
        (count(&world.db, "contract").await, count(&world.db, "milestone").await),
        (2, 3)
    );
    let started = told::<pb::ContractStarted>(&world.db).await;
    let expected = pb::ContractStarted {
        contract_id: offer.contract_id,
        offer_id: offer.offer_id,
        client_id: offer.client_id,
        person_id: offer.person_id,
        account_id: offer.account_id,
        begin_time: offer.accept_time,
    };
    assert_eq!(started.iter().filter(|event| **event == expected).count(), 1);
    assert_eq!(started.len(), 2);
    assert_eq!(dead_letter::count(world.db.reader()).await.expect("a number"), 0);
    world.stop().await;
}

async fn an_hourly_contract_has_no_milestones(database: TestDatabase) {
    let world = World::new(database).await;
    let pay = common::HourlyPay {
        rate: Some(money("JPY", 9_000)),
        weekly_limit_minutes: 2_400,
    };
    let offer = offer(AccountId::new(), Pay::Hourly(pay.clone()));
    world.hear(EventId::new(), &offer).await;
    let contract = world.contract_of(&offer.contract_id).await;
    assert_eq!(contract.pay, Some(pb::contract::Pay::Hourly(pay)));
    let refused = refusal(world.milestone(&contract.id, money("JPY", 1)).await);
    assert_eq!(
        refused,
        (Code::FailedPrecondition, "CONTRACT_NOT_FIXED_PRICE".to_owned())
    );
    world.stop().await;
}

async fn a_bad_offer_is_set_aside_and_the_rest_begins(database: TestDatabase) {
    let world = World::new(database).await;
    let good = fixed_offer(AccountId::new(), &[("Translation", usd(100))]);
    let two = |first, second| fixed_offer(AccountId::new(), &[("One", first), ("Two", second)]);
    let pay = common::HourlyPay {
        rate: Some(usd(0)),
        weekly_limit_minutes: 10_081,
    };
    let bad = [
        fixed_offer(AccountId::new(), &[]),
        two(usd(100), money("EUR", 100)),
        two(usd(100), usd(-1)),
        two(usd(100), money("ZZZ", 1)),
        offer(AccountId::new(), Pay::Hourly(pay)),
        OfferAccepted {
            pay: None,
            ..good.clone()
        },
        OfferAccepted {
            contract_id: "1".to_owned(),
            ..good.clone()
        },
        // The offer is taken by the good contract, and the contract by the good offer.
        OfferAccepted {
            contract_id: ContractId::new().to_string(),
            ..good.clone()
        },
        OfferAccepted {
            offer_id: ContractId::new().to_string(),
            ..good.clone()
        },
    ];
    world.hear(EventId::new(), &good).await;
    world.contract_of(&good.contract_id).await;
    let mut later = Vec::new();
    for bad in &bad {
        world.hear(EventId::new(), bad).await;
        let good = fixed_offer(AccountId::new(), &[("Translation", usd(100))]);
        world.hear(EventId::new(), &good).await;
        later.push(good.contract_id);
    }
    for id in &later {
        world.contract_of(id).await;
    }
    let letters = eventually("the dead letters", SOON, async || {
        let letters = dead_letter::list(world.db.reader(), 100)
            .await
            .map_err(|e| e.to_string())?;
        if letters.len() == bad.len() {
            Ok(letters)
        } else {
            Err(format!("{} of {}", letters.len(), bad.len()))
        }
    })
    .await;
    let told: HashSet<_> = letters.iter().map(|letter| letter.error.as_str()).collect();
    assert_eq!(told.len(), bad.len(), "each with its own reason: {told:?}");
    assert_eq!(
        count(&world.db, "contract").await,
        1 + i64::try_from(bad.len()).expect("small")
    );
    world.stop().await;
}

async fn milestones_are_added_to_fixed_prices_in_their_currency(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(100)).await;
    let added = world.milestone(&contract.id, usd(7)).await.expect("a milestone");
    assert_eq!(milestones(&world.contract_of(&contract.id).await)[1], added);
    let refused = refusal(world.milestone(&contract.id, money("EUR", 7)).await);
    assert_eq!(refused, (Code::FailedPrecondition, "OTHER_CURRENCY".to_owned()));
    let nowhere = ContractId::new().to_string();
    assert_eq!(refusal(world.milestone(&nowhere, usd(7)).await).0, Code::NotFound);
    world.stop().await;
}
