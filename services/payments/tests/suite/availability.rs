//! What is not available yet and why, and everything of a party at once.

use vouch_primitives::{AccountId, EventId, PersonId, Uuid};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    payments::v1::{self as pb, awaited_amount::Rule, statement_line::Part},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    hours::{add, hourly, time},
    hours_contracts::pause,
    tables::tried,
    world::{World, at, fixed_offer, milestones, money, released, request_id, start, usd},
};

on_both_databases! {
    every_amount_has_its_date_and_its_rule,
    the_amounts_add_up_in_pages_of_any_size,
    a_client_sees_all_of_it,
    talent_sees_all_of_it,
}

async fn explained(world: &World, account: AccountId, page_size: u32) -> (Vec<pb::Balance>, Vec<pb::AwaitedAmount>) {
    let (mut amounts, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ExplainAvailabilityRequest {
            account_id: account.to_string(),
            page_size,
            page_token,
        };
        let answer = world.reports.clone().explain_availability(request).await;
        let page = answer.expect("amounts").into_inner();
        amounts.extend(page.amounts);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return (page.balances, amounts);
        }
    }
}

async fn bonus(world: &World, contract: &str, amount: common::Money) {
    let request = pb::PayBonusRequest {
        request_id: request_id(),
        contract_id: contract.to_owned(),
        amount: Some(amount),
        message: "Thank you".to_owned(),
    };
    let given = world
        .bonuses
        .clone()
        .pay_bonus(request)
        .await
        .expect("a bonus")
        .into_inner();
    world.until_charged(&given.charge_id).await;
}

fn minor(amount: &Option<common::Money>) -> i64 {
    amount.as_ref().map_or(0, |money| money.minor_units)
}

// F6
async fn every_amount_has_its_date_and_its_rule(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(10_000)).await;
    let earning = world.earn(&milestones(&contract)[0].id).await;
    bonus(&world, &contract.id, usd(2_000)).await;
    world.dispute(&earning.id, usd(4_000)).await.expect("a dispute");
    let hourly = hourly(&world, PersonId::new(), ada, usd(6_000), 600).await;
    world.clock.set(at("2026-03-02T12:00:00Z")).expect("forwards");
    let entry = time(&hourly.id, "2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z");
    add(&world, entry).await.expect("time");
    world.clock.set(at("2026-03-09T12:00:00Z")).expect("forwards");
    // The milestone and the bonus have settled meanwhile; another milestone waits.
    let later = world.contract(ada, usd(500)).await;
    world.earn(&milestones(&later)[0].id).await;
    bonus(&world, &later.id, usd(100)).await;
    let pending = 5_400 + 450 + 90;
    world.until_balances(ada, "USD", [pending, 5_400 + 1_800, 0]).await;
    let (_, amounts) = explained(&world, ada, 0).await;
    let told: Vec<_> = amounts
        .iter()
        .map(|of| (of.part(), minor(&of.amount), of.rule(), of.available_time))
        .collect();
    let in_five_days = Some(to_wire_time(at("2026-03-14T12:00:00Z")));
    let mut expected = vec![
        (Part::Held, 3_600, Rule::DisputeOpen, None),
        (
            Part::Pending,
            5_400,
            Rule::WednesdayAfterWeek,
            Some(to_wire_time(at("2026-03-18T00:00:00Z"))),
        ),
        (Part::Pending, 450, Rule::FiveDaysAfterApproval, in_five_days),
        (Part::Pending, 90, Rule::FiveDaysAfterBonus, in_five_days),
    ];
    let key = |of: &(Part, i64, Rule, _)| (i32::from(of.2), of.1);
    expected.sort_by_key(key);
    let mut told = told;
    told.sort_by_key(key);
    assert_eq!(told, expected);
    // A client who pays late, and one who has not paid at all.
    let late = at("2026-03-23T08:00:00Z").as_micros();
    let paid_late = format!("UPDATE earning SET available_at = {late} WHERE source = 'INVOICE'");
    assert_eq!(tried(&world.db, &paid_late).await, Ok(1));
    let unpaid = "INSERT INTO invoice (id, contract_id, client_id, person_id, account_id, currency, week, rate_minor, \
        limit_minutes, minutes, minutes_over, amount_minor, state, paid_at) SELECT offer_id, contract_id, client_id, person_id, account_id, currency, \
        week + 604800000000, rate_minor, limit_minutes, minutes, minutes_over, amount_minor, 'UNPAID', NULL \
        FROM (SELECT i.*, c.offer_id FROM invoice i JOIN contract c ON c.id = i.contract_id) more";
    assert_eq!(tried(&world.db, unpaid).await, Ok(1));
    let (_, amounts) = explained(&world, ada, 0).await;
    let rules: Vec<_> = amounts.iter().map(pb::AwaitedAmount::rule).collect();
    assert!(rules.contains(&Rule::FiveDaysAfterCharge) && !rules.contains(&Rule::WednesdayAfterWeek));
    let last = amounts.last().expect("an invoice");
    assert_eq!(
        (last.rule(), minor(&last.amount), last.part()),
        (Rule::InvoiceUnpaid, 6_000, Part::Unspecified)
    );
    assert_eq!((last.available_time, last.earning_id.as_str()), (None, ""));
    world.stop().await;
}

async fn the_amounts_add_up_in_pages_of_any_size(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    for number in 1..=7 {
        let currency = ["USD", "JPY", "KWD"][usize::try_from(number % 3).expect("small")];
        let earning = world.earning_of(ada, money(currency, 1_000 * number + 1)).await;
        if number % 2 == 0 {
            world
                .dispute(&earning.id, money(currency, 100 * number))
                .await
                .expect("a dispute");
        }
    }
    let whole = explained(&world, ada, 100).await;
    assert_eq!(whole.1.len(), 7 + 3);
    for page_size in 1..=8 {
        assert_eq!(
            explained(&world, ada, page_size).await,
            whole,
            "in pages of {page_size}"
        );
    }
    for balance in &whole.0 {
        let currency = &balance.pending.as_ref().expect("money").currency_code;
        let sum = |part: Part| -> i64 {
            let of = whole.1.iter().filter(|of| of.part() == part);
            let of = of.filter_map(|of| of.amount.as_ref().filter(|money| money.currency_code == *currency));
            of.map(|money| money.minor_units).sum()
        };
        assert_eq!(
            (sum(Part::Pending), sum(Part::Held)),
            (minor(&balance.pending), minor(&balance.held)),
            "{currency}"
        );
    }
    world.stop().await;
}

// B2
async fn a_client_sees_all_of_it(database: TestDatabase) {
    let world = World::new(database).await;
    let offer = fixed_offer(
        AccountId::new(),
        &[("One", usd(1_000)), ("Two", usd(700)), ("Three", usd(50))],
    );
    world.hear(EventId::new(), &offer).await;
    let contract = world.contract_of(&offer.contract_id).await;
    let earning = world.earn(&milestones(&contract)[0].id).await;
    world.refund(&earning.id, usd(100)).await.expect("refunded");
    world.dispute(&earning.id, usd(300)).await.expect("a dispute");
    world.fund(&milestones(&contract)[1].id).await.expect("funded");
    let mut second = fixed_offer(AccountId::new(), &[("Four", money("JPY", 9))]);
    second.client_id.clone_from(&offer.client_id);
    world.hear(EventId::new(), &second).await;
    world.contract_of(&second.contract_id).await;
    let overview = async |client_id: &str| {
        let request = pb::GetClientOverviewRequest {
            client_id: client_id.to_owned(),
        };
        let answer = world.reports.clone().get_client_overview(request).await;
        answer.expect("an overview").into_inner()
    };
    let told = overview(&offer.client_id).await;
    assert_eq!(
        told.contracts.map(|of| (of.active, of.paused, of.ended)),
        Some((2, 0, 0))
    );
    let none = Some(pb::Tally {
        count: 0,
        amount: Some(usd(0)),
    });
    let expected = pb::ClientMoney {
        escrow: Some(usd(700)),
        spent: Some(usd(900)),
        open_invoices: none.clone(),
        paid_invoices: none.clone(),
        unpaid_invoices: none,
        open_disputes: Some(pb::Tally {
            count: 1,
            amount: Some(usd(300)),
        }),
    };
    let [usd_money] = told.money.as_slice() else {
        panic!("nothing of it is in yen yet: {told:?}");
    };
    assert_eq!(*usd_money, expected);
    // What waits for a payment is paused, here as where it is shown.
    let declines = world.bill(&offer.client_id, "sandbox-declines-1").await;
    declines.expect("a billing method");
    world.give(&contract.id, usd(5)).await.expect("given");
    let held_up = overview(&offer.client_id).await;
    let counted = |told: Option<pb::ContractCounts>| told.map(|of| (of.active, of.paused, of.ended));
    assert_eq!(counted(held_up.contracts), Some((1, 1, 0)));
    pause(&world, &second.contract_id).await.expect("paused");
    let both = overview(&offer.client_id).await;
    assert_eq!(counted(both.contracts), Some((0, 2, 0)), "for either reason");
    let request = pb::GetTalentOverviewRequest {
        account_id: offer.account_id.clone(),
    };
    let talent = world.reports.clone().get_talent_overview(request).await;
    assert_eq!(
        counted(talent.expect("an overview").into_inner().contracts),
        Some((0, 1, 0))
    );
    let nobody = overview(&PersonId::new().to_string()).await;
    assert_eq!(nobody.money, []);
    world.stop().await;
}

// B2
async fn talent_sees_all_of_it(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    world.earning_of(ada, usd(10_000)).await;
    world.clock.set(start().add_days(1)).expect("forwards");
    let second = world.earning_of(ada, usd(1_000)).await;
    world.refund(&second.id, usd(500)).await.expect("refunded");
    world
        .hear(EventId::new(), &released(Uuid::from_u128(1), ada, usd(77), (1, 1)))
        .await;
    world.until_balances(ada, "USD", [9_450, 77, 0]).await;
    let request = pb::GetTalentOverviewRequest {
        account_id: ada.to_string(),
    };
    let answer = world.reports.clone().get_talent_overview(request).await;
    let told = answer.expect("an overview").into_inner();
    assert_eq!(
        told.contracts.map(|of| (of.active, of.paused, of.ended)),
        Some((2, 0, 0))
    );
    let [of] = told.money.as_slice() else {
        panic!("one currency: {told:?}");
    };
    let balance = of.balance.clone().expect("a balance");
    assert_eq!((balance.pending, balance.available), (Some(usd(9_450)), Some(usd(77))));
    assert_eq!(of.next_available_time, Some(to_wire_time(start().add_days(5))));
    assert_eq!(of.next_available, Some(usd(9_000)));
    assert_eq!(
        (minor(&of.earned), minor(&of.fees), minor(&of.rewards)),
        (10_500, 1_050, 77)
    );
    world.stop().await;
}
