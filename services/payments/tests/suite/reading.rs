//! Lists and pages.

use tonic::Code;
use vouch_primitives::{AccountId, ClientId, ContractId, EarningId, EventId};
use vouch_proto::payments::v1::{self as pb, list_contracts_request::Party};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::world::{World, fixed_offer, milestones, money, refusal, start, usd};

on_both_databases! {
    contracts_are_listed_by_party_newest_first,
    earnings_are_listed_newest_first,
    a_statement_reads_the_same_in_pages_of_any_size,
    balances_are_told_by_currency,
    what_is_not_there_is_not_found,
}

async fn contracts_of(world: &World, party: Party, page_size: u32) -> Vec<pb::Contract> {
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListContractsRequest {
            party: Some(party.clone()),
            page_size,
            page_token,
        };
        let page = world
            .contracts
            .clone()
            .list_contracts(request)
            .await
            .expect("a page")
            .into_inner();
        assert!(!page.contracts.is_empty() || all.is_empty(), "no empty page at the end");
        all.extend(page.contracts);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

async fn contracts_are_listed_by_party_newest_first(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, client) = (AccountId::new(), ClientId::new());
    let mut ids = Vec::new();
    for number in 1..=4 {
        let mut offer = fixed_offer(ada, &[("One", usd(number)), ("Two", usd(number))]);
        if number != 2 {
            offer.client_id = client.to_string();
        }
        world.hear(EventId::new(), &offer).await;
        world.contract_of(&offer.contract_id).await;
        ids.push(offer.contract_id);
    }
    ids.reverse();
    for page_size in [0, 1, 2, 3, 100] {
        let listed = contracts_of(&world, Party::AccountId(ada.to_string()), page_size).await;
        assert_eq!(
            listed.iter().map(|contract| &contract.id).collect::<Vec<_>>(),
            ids.iter().collect::<Vec<_>>()
        );
        assert!(milestones(&listed[0]).is_empty(), "a list holds no milestones");
        assert_eq!(milestones(&world.contract_of(&ids[0]).await).len(), 2);
        let of_client = contracts_of(&world, Party::ClientId(client.to_string()), page_size).await;
        let expected = [&ids[0], &ids[1], &ids[3]];
        assert_eq!(
            of_client.iter().map(|contract| &contract.id).collect::<Vec<_>>(),
            expected
        );
    }
    let nobody = contracts_of(&world, Party::ClientId(ClientId::new().to_string()), 0).await;
    assert!(nobody.is_empty());
    world.stop().await;
}

async fn earnings_are_listed_newest_first(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let mut expected = Vec::new();
    for amount in 1..=3 {
        expected.insert(0, world.earning_of(ada, usd(amount)).await);
    }
    world.earning_of(AccountId::new(), usd(9)).await;
    for page_size in [0, 1, 2, 3] {
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListEarningsRequest {
                account_id: ada.to_string(),
                page_size,
                page_token,
            };
            let page = world
                .earnings
                .clone()
                .list_earnings(request)
                .await
                .expect("a page")
                .into_inner();
            listed.extend(page.earnings);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(listed, expected, "in pages of {page_size}");
    }
    world.stop().await;
}

async fn a_statement_reads_the_same_in_pages_of_any_size(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let earning = world.earn(&milestones(&contract)[0].id).await;
    world.earning_of(ada, money("KWD", 5_555)).await;
    world.clock.set(start().add_days(5)).expect("forwards");
    world.until_balances(ada, "USD", [0, 900, 0]).await;
    world.refund(&earning.id, usd(333)).await.expect("refunded");
    let whole = world.statement(ada, "USD", 100).await;
    // Approved, fee, settled (two sides), fee returned, refund.
    assert_eq!(whole.len(), 6);
    for page_size in 1..=6 {
        assert_eq!(
            world.statement(ada, "USD", page_size).await,
            whole,
            "in pages of {page_size}"
        );
    }
    // Each line follows from the one before it of the same part.
    let mut balances = std::collections::BTreeMap::new();
    for line in &whole {
        let minor = |money: &Option<_>| {
            money
                .as_ref()
                .map_or(0, |m: &vouch_proto::common::v1::Money| m.minor_units)
        };
        let balance = balances.entry(line.part).or_insert(0);
        *balance += minor(&line.amount);
        assert_eq!(*balance, minor(&line.balance_after), "{line:?}");
    }
    assert_eq!(world.statement(ada, "KWD", 0).await.len(), 4);
    assert!(world.statement(ada, "EUR", 0).await.is_empty());
    world.stop().await;
}

async fn balances_are_told_by_currency(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    for currency in ["USD", "JPY", "KWD"] {
        world.earning_of(ada, money(currency, 1_001)).await;
    }
    let balances = async |account_id: String| {
        let request = pb::GetBalancesRequest {
            account_id,
            as_of_time: None,
        };
        world
            .ledger
            .clone()
            .get_balances(request)
            .await
            .expect("balances")
            .into_inner()
            .balances
    };
    let pending: Vec<_> = balances(ada.to_string())
        .await
        .into_iter()
        .map(|balance| balance.pending)
        .collect();
    assert_eq!(
        pending,
        ["JPY", "KWD", "USD"].map(|currency| Some(money(currency, 901)))
    );
    assert!(balances(AccountId::new().to_string()).await.is_empty());
    // Neither a contract's escrow nor the platform's own accounts are anybody's balances.
    let contract = world.contract(ada, usd(1)).await;
    world.fund(&milestones(&contract)[0].id).await.expect("funded");
    assert!(balances(contract.id).await.is_empty());
    assert!(
        balances("00000000-0000-0000-0000-000000000000".to_owned())
            .await
            .is_empty()
    );
    world.stop().await;
}

async fn what_is_not_there_is_not_found(database: TestDatabase) {
    let world = World::new(database).await;
    let contract_id = ContractId::new().to_string();
    let contract = world
        .contracts
        .clone()
        .get_contract(pb::GetContractRequest { contract_id })
        .await;
    assert_eq!(refusal(contract), (Code::NotFound, "NOT_FOUND".to_owned()));
    let earning_id = EarningId::new().to_string();
    let earning = world
        .earnings
        .clone()
        .get_earning(pb::GetEarningRequest { earning_id })
        .await;
    assert_eq!(refusal(earning), (Code::NotFound, "NOT_FOUND".to_owned()));
    for answer in [
        world.fund(&ContractId::new().to_string()).await,
        world.submit(&ContractId::new().to_string()).await,
        world.approve(&ContractId::new().to_string()).await,
    ] {
        assert_eq!(refusal(answer), (Code::NotFound, "NOT_FOUND".to_owned()));
    }
    world.stop().await;
}
