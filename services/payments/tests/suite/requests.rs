//! Bad requests: everything that is wrong is told at once, and nothing is written.

use vouch_primitives::{AccountId, ContractId, EarningId};
use vouch_proto::payments::v1::{self as pb, list_contracts_request::Party};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::counts,
    world::{World, money, request_id, violations},
};

on_both_databases! {
    a_bad_milestone_is_told_everything,
    every_command_checks_its_ids,
    a_bad_query_is_told_everything,
}

async fn a_bad_milestone_is_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let mut contracts = world.contracts.clone();
    let nothing = contracts.create_milestone(pb::CreateMilestoneRequest::default()).await;
    let expected = [
        "request_id REQUIRED",
        "contract_id REQUIRED",
        "title REQUIRED",
        "amount REQUIRED",
    ];
    assert_eq!(violations(nothing), expected);
    for (title, amount, expected) in [
        (
            "x\ny",
            money("USD", 0),
            ["title INVALID_FORMAT", "amount.minor_units OUT_OF_RANGE"],
        ),
        (
            "\u{7}",
            money("usd", 1),
            ["title INVALID_FORMAT", "amount.currency_code UNKNOWN_CURRENCY"],
        ),
        (
            &"x".repeat(201),
            money("USD", -1),
            ["title TOO_LONG", "amount.minor_units OUT_OF_RANGE"],
        ),
    ] {
        let request = pb::CreateMilestoneRequest {
            request_id: request_id(),
            contract_id: ContractId::new().to_string(),
            title: title.to_owned(),
            amount: Some(amount),
        };
        assert_eq!(violations(contracts.create_milestone(request).await), expected);
    }
    assert!(
        counts(&world.db).await.iter().all(|(_, rows)| *rows == 0),
        "nothing is written"
    );
    world.stop().await;
}

async fn every_command_checks_its_ids(database: TestDatabase) {
    let world = World::new(database).await;
    let (mut contracts, mut earnings) = (world.contracts.clone(), world.earnings.clone());
    let bad = ["request_id INVALID_FORMAT", "milestone_id INVALID_FORMAT"];
    let (request_id, milestone_id) = ("1".to_owned(), "2".to_owned());
    let fund = pb::FundMilestoneRequest {
        request_id: request_id.clone(),
        milestone_id: milestone_id.clone(),
    };
    assert_eq!(violations(contracts.fund_milestone(fund).await), bad);
    let submit = pb::SubmitMilestoneRequest {
        request_id: request_id.clone(),
        milestone_id: milestone_id.clone(),
        message: "Done".to_owned(),
    };
    assert_eq!(violations(contracts.submit_milestone(submit).await), bad);
    let approve = pb::ApproveMilestoneRequest {
        request_id: request_id.clone(),
        milestone_id,
    };
    assert_eq!(violations(contracts.approve_milestone(approve).await), bad);
    let refund = pb::RefundEarningRequest {
        request_id,
        earning_id: String::new(),
        amount: Some(money("XXX", i64::MIN)),
    };
    let expected = [
        "request_id INVALID_FORMAT",
        "earning_id REQUIRED",
        "amount.currency_code UNKNOWN_CURRENCY",
        "amount.minor_units OUT_OF_RANGE",
    ];
    assert_eq!(violations(earnings.refund_earning(refund).await), expected);
    assert!(
        counts(&world.db).await.iter().all(|(_, rows)| *rows == 0),
        "nothing is written"
    );
    world.stop().await;
}

async fn a_bad_query_is_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let (mut contracts, mut earnings) = (world.contracts.clone(), world.earnings.clone());
    let mut ledger = world.ledger.clone();
    let contract = contracts.get_contract(pb::GetContractRequest::default()).await;
    assert_eq!(violations(contract), ["contract_id REQUIRED"]);
    let earning = earnings
        .get_earning(pb::GetEarningRequest {
            earning_id: "x".to_owned(),
        })
        .await;
    assert_eq!(violations(earning), ["earning_id INVALID_FORMAT"]);
    let balances = ledger.get_balances(pb::GetBalancesRequest::default()).await;
    assert_eq!(violations(balances), ["account_id REQUIRED"]);
    let postings = ledger
        .list_reward_postings(pb::ListRewardPostingsRequest::default())
        .await;
    assert_eq!(violations(postings), ["account_id REQUIRED"]);
    let page = ["page_size OUT_OF_RANGE", "page_token INVALID_FORMAT"];
    for (party, expected) in [
        (None, "party REQUIRED"),
        (Some(Party::AccountId("x".to_owned())), "account_id INVALID_FORMAT"),
        (Some(Party::ClientId(String::new())), "client_id REQUIRED"),
    ] {
        let request = pb::ListContractsRequest {
            party,
            page_size: 101,
            page_token: "x".to_owned(),
        };
        assert_eq!(
            violations(contracts.list_contracts(request).await),
            [expected, page[0], page[1]]
        );
    }
    let request = pb::ListEarningsRequest {
        account_id: AccountId::new().to_string(),
        page_size: u32::MAX,
        page_token: format!("{}x", EarningId::new()),
    };
    assert_eq!(violations(earnings.list_earnings(request).await), page);
    for page_token in ["12", "c", "1/12x", "x/12d", "é", "1/99999999999999999999d"] {
        let request = pb::ListStatementLinesRequest {
            account_id: String::new(),
            currency_code: "BTC".to_owned(),
            page_size: 101,
            page_token: page_token.to_owned(),
        };
        let expected = [
            "account_id REQUIRED",
            "currency_code UNKNOWN_CURRENCY",
            page[0],
            page[1],
        ];
        assert_eq!(violations(ledger.list_statement_lines(request).await), expected);
    }
    world.stop().await;
}
