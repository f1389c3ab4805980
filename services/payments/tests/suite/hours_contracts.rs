//! Contracts are paused, go on, end, and get other weekly limits.

use tonic::Status;
use vouch_primitives::{AccountId, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    payments::v1::{
        self as pb, WeeklyLimit,
        contract::{Author, Pay, State},
        contract_changed::{Change, Paused, Resumed, WeeklyLimitChanged},
        contract_service_client::ContractServiceClient,
    },
};
use vouch_runtime::access::Caller;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    hours::{add, change, hourly, refused, remove, time},
    hours_invoices::until_invoices,
    tables::{count, counts, told, tried},
    world::{World, at, milestones, refusal, request_id, start, usd},
};

on_both_databases! {
    a_paused_contract_takes_nothing_new_and_goes_on,
    hours_are_not_billed_in_which_the_client_could_not_pay,
    a_contract_that_is_paused_takes_no_new_escrow,
    who_has_paused_a_contract_lets_it_go_on,
    an_ended_contract_stays_ended_and_is_told,
    a_contract_with_escrow_does_not_end,
    a_weekly_limit_rises_at_once_and_falls_on_monday,
    a_contract_and_its_limits_cannot_be_wrong,
}

pub async fn pause(world: &World, contract: &str) -> Result<pb::Contract, Status> {
    let request = pb::PauseContractRequest {
        request_id: request_id(),
        contract_id: contract.to_owned(),
        reason: "On holiday".to_owned(),
    };
    let answer = world.contracts.clone().pause_contract(request).await?;
    Ok(answer.into_inner().contract.expect("a contract"))
}

pub async fn resume(world: &World, contract: &str) -> Result<pb::Contract, Status> {
    let request = pb::ResumeContractRequest {
        request_id: request_id(),
        contract_id: contract.to_owned(),
    };
    let answer = world.contracts.clone().resume_contract(request).await?;
    Ok(answer.into_inner().contract.expect("a contract"))
}

pub async fn end(world: &World, contract: &str) -> Result<pb::Contract, Status> {
    let request = pb::EndContractRequest {
        request_id: request_id(),
        contract_id: contract.to_owned(),
        reason: "All is done".to_owned(),
    };
    let answer = world.contracts.clone().end_contract(request).await?;
    Ok(answer.into_inner().contract.expect("a contract"))
}

pub async fn limit(world: &World, contract: &str, minutes: u32) -> Result<pb::Contract, Status> {
    let request = pb::ChangeWeeklyLimitRequest {
        request_id: request_id(),
        contract_id: contract.to_owned(),
        weekly_limit_minutes: minutes,
    };
    let answer = world.contracts.clone().change_weekly_limit(request).await?;
    Ok(answer.into_inner().contract.expect("a contract"))
}

pub async fn changes(world: &World) -> Vec<Change> {
    let told = told::<pb::ContractChanged>(&world.db).await;
    told.into_iter().map(|event| event.change.expect("a change")).collect()
}

// B6
async fn a_paused_contract_takes_nothing_new_and_goes_on(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = hourly(&world, PersonId::new(), AccountId::new(), usd(6_000), 2_400).await;
    let fixed = world.contract(AccountId::new(), usd(1_000)).await;
    assert_eq!((contract.state(), contract.state_time), (State::Active, None));
    world.clock.set(at("2026-03-03T12:00:00Z")).expect("forwards");
    let morning = time(&contract.id, "2026-03-03T08:00:00Z", "2026-03-03T09:00:00Z");
    let morning = add(&world, morning).await.expect("added");
    let paused = pause(&world, &contract.id).await.expect("paused");
    assert_eq!(
        (paused.state(), paused.state_reason.as_str()),
        (State::Paused, "On holiday")
    );
    assert_eq!(paused.state_time, Some(to_wire_time(at("2026-03-03T12:00:00Z"))));
    world.clock.set(at("2026-03-03T13:00:00Z")).expect("forwards");
    assert_eq!(pause(&world, &contract.id).await.expect("paused already"), paused);
    let before = || time(&contract.id, "2026-03-03T11:00:00Z", "2026-03-03T12:00:00Z");
    add(&world, before()).await.expect("worked before the pause");
    let within = || time(&contract.id, "2026-03-03T12:00:00Z", "2026-03-03T13:00:00Z");
    assert_eq!(refusal(add(&world, within()).await), refused("TIME_WHILE_PAUSED"));
    remove(&world, &morning).await.expect("less is no new time");
    assert_eq!(resume(&world, &contract.id).await.expect("resumed"), contract);
    assert_eq!(resume(&world, &contract.id).await.expect("active already"), contract);
    assert_eq!(
        refusal(add(&world, within()).await),
        refused("TIME_WHILE_PAUSED"),
        "then, too"
    );
    world.clock.set(at("2026-03-03T14:00:00Z")).expect("forwards");
    let after = time(&contract.id, "2026-03-03T13:00:00Z", "2026-03-03T14:00:00Z");
    add(&world, after).await.expect("worked after the pause");
    assert_eq!(
        changes(&world).await,
        [Change::Paused(Paused {}), Change::Resumed(Resumed {})]
    );
    // Money for what was done still flows.
    let funded = &milestones(&fixed)[0].id;
    world.fund(funded).await.expect("funded");
    pause(&world, &fixed.id).await.expect("paused");
    assert_eq!(
        refusal(world.milestone(&fixed.id, usd(5)).await),
        refused("CONTRACT_PAUSED")
    );
    world.submit(funded).await.expect("submitted");
    world.approve(funded).await.expect("approved");
    world.stop().await;
}

// B6: whoever noted their work before keeps it, and nobody bills later what was worked meanwhile.
async fn hours_are_not_billed_in_which_the_client_could_not_pay(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = hourly(&world, PersonId::new(), ada, usd(6_000), 2_400).await;
    let a_day_late = world.bill(&contract.client_id, "sandbox-declines-1").await;
    a_day_late.expect("a billing method");
    let worked = |start, end| time(&contract.id, start, end);
    world.advance_to(at("2026-03-09T10:30:00Z")).await;
    let billed = worked("2026-03-03T10:00:00Z", "2026-03-03T11:00:00Z");
    add(&world, billed).await.expect("added");
    let early = worked("2026-03-09T09:00:00Z", "2026-03-09T10:00:00Z");
    let mut early = add(&world, early).await.expect("added");
    world.advance_to(at("2026-03-09T13:00:00Z")).await;
    let held_up = world.contract_of(&contract.id).await;
    assert_eq!(held_up.unpaid_time, Some(to_wire_time(at("2026-03-09T12:00:00Z"))));
    let edge = || worked("2026-03-09T11:59:00Z", "2026-03-09T12:01:00Z");
    assert_eq!(refusal(add(&world, edge()).await), refused("CONTRACT_UNPAID"));
    early.end_time = Some(to_wire_time(at("2026-03-09T12:00:00Z")));
    early = change(&world, &early).await.expect("worked before the charge failed");
    let longer = pb::TimeEntry {
        end_time: Some(to_wire_time(at("2026-03-09T12:30:00Z"))),
        ..early.clone()
    };
    assert_eq!(refusal(change(&world, &longer).await), refused("CONTRACT_UNPAID"));
    // The client has paid: what it was not good for meanwhile stays unbilled, and what was written stays.
    world.advance_to(at("2026-03-10T13:00:00Z")).await;
    assert_eq!(world.contract_of(&contract.id).await.unpaid_time, None);
    let late = || worked("2026-03-10T11:00:00Z", "2026-03-10T12:01:00Z");
    for one in [edge(), late()] {
        assert_eq!(refusal(add(&world, one).await), refused("TIME_WHILE_PAUSED"));
    }
    assert_eq!(refusal(change(&world, &longer).await), refused("TIME_WHILE_PAUSED"));
    early.description = "Drafts, and a letter".to_owned();
    change(&world, &early).await.expect("other words");
    let after = worked("2026-03-10T12:00:00Z", "2026-03-10T13:00:00Z");
    add(&world, after).await.expect("worked after it");
    world.advance_to(at("2026-03-17T12:00:00Z")).await;
    let invoices = until_invoices(&world, ada, 2).await;
    let minutes: Vec<_> = invoices.iter().map(|invoice| invoice.minutes).collect();
    assert_eq!(minutes, [240, 60]);
    world.stop().await;
}

// B6: nobody is charged for new work of a contract that is paused; what was paid for before is submitted all the same.
async fn a_contract_that_is_paused_takes_no_new_escrow(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let funded = milestones(&contract)[0].id.clone();
    world.fund(&funded).await.expect("funded");
    let agreed = world.milestone(&contract.id, usd(500)).await.expect("agreed").id;
    pause(&world, &contract.id).await.expect("paused");
    let charges = count(&world.db, "charge").await;
    assert_eq!(refusal(world.fund(&agreed).await), refused("CONTRACT_PAUSED"));
    world.fund(&funded).await.expect("funded already");
    resume(&world, &contract.id).await.expect("resumed");
    // A gift that the client cannot pay holds the contract up.
    let declines = world.bill(&contract.client_id, "sandbox-insufficient-funds").await;
    declines.expect("a billing method");
    world.give(&contract.id, usd(100)).await.expect("given");
    let accepts = world.bill(&contract.client_id, "sandbox-accepts").await;
    accepts.expect("a billing method");
    assert_eq!(refusal(world.fund(&agreed).await), refused("CONTRACT_UNPAID"));
    world.submit(&funded).await.expect("submitted");
    assert_eq!(count(&world.db, "charge").await, charges + 1, "of the gift alone");
    let failed = world.charges_of(&contract.client_id, "").await.remove(0);
    world.retry(&failed.id).await.expect("tried again");
    world.until_charged(&failed.id).await;
    world.fund(&agreed).await.expect("funded");
    world.stop().await;
}

// B6
async fn who_has_paused_a_contract_lets_it_go_on(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = hourly(&world, PersonId::new(), AccountId::new(), usd(6_000), 2_400).await;
    let as_of = |caller| ContractServiceClient::new(world.channel(caller));
    let mut client = as_of(Caller::Client(contract.client_id.parse().expect("an id")));
    let mut talent = as_of(Caller::Person(contract.person_id.parse().expect("an id")));
    let pausing = || pb::PauseContractRequest {
        request_id: request_id(),
        contract_id: contract.id.clone(),
        reason: "Not now".to_owned(),
    };
    let resuming = || pb::ResumeContractRequest {
        request_id: request_id(),
        contract_id: contract.id.clone(),
    };
    let paused = client.pause_contract(pausing()).await.expect("paused").into_inner();
    let author = paused.contract.expect("a contract").state_author();
    assert_eq!(author, Author::Client);
    talent.pause_contract(pausing()).await.expect("paused already");
    let by_other = refused("CONTRACT_PAUSED_BY_OTHER");
    assert_eq!(refusal(talent.resume_contract(resuming()).await), by_other);
    client.resume_contract(resuming()).await.expect("resumed");
    talent.pause_contract(pausing()).await.expect("paused");
    assert_eq!(refusal(client.resume_contract(resuming()).await), by_other);
    assert_eq!(resume(&world, &contract.id).await.expect("by an operator"), contract);
    let pauses = count(&world.db, "contract_pause").await;
    assert_eq!(pauses, 1, "what began and ended in one moment is one");
    world.stop().await;
}

async fn an_ended_contract_stays_ended_and_is_told(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let agreed = world.milestone(&contract.id, usd(70)).await.expect("a milestone");
    let submitted = &milestones(&contract)[0].id;
    world.fund(submitted).await.expect("funded");
    world.submit(submitted).await.expect("submitted");
    let ended = end(&world, &contract.id).await.expect("ended");
    assert_eq!(
        (ended.state(), ended.state_reason.as_str()),
        (State::Ended, "All is done")
    );
    let left: Vec<_> = milestones(&ended).iter().map(pb::Milestone::state).collect();
    let [given_up, waits] = [pb::milestone::State::Cancelled, pb::milestone::State::Submitted];
    assert_eq!(left, [waits, given_up], "what was only agreed is cancelled");
    assert_eq!(refusal(world.fund(&agreed.id).await), refused("MILESTONE_NOT_AGREED"));
    world.clock.set(start().add_days(1)).expect("forwards");
    assert_eq!(end(&world, &contract.id).await.expect("ended already"), ended);
    let over = refused("CONTRACT_ENDED");
    assert_eq!(refusal(pause(&world, &contract.id).await), over);
    assert_eq!(refusal(resume(&world, &contract.id).await), over);
    assert_eq!(refusal(world.milestone(&contract.id, usd(5)).await), over);
    world
        .approve(submitted)
        .await
        .expect("money for what was done still flows");
    let event = pb::ContractEnded {
        contract_id: contract.id,
        offer_id: contract.offer_id,
        client_id: contract.client_id,
        person_id: contract.person_id,
        account_id: contract.account_id,
        end_time: Some(to_wire_time(start())),
    };
    assert_eq!(told::<pb::ContractEnded>(&world.db).await, [event]);
    assert!(changes(&world).await.is_empty());
    let hourly = hourly(&world, PersonId::new(), AccountId::new(), usd(6_000), 2_400).await;
    world.clock.set(at("2026-03-03T12:00:00Z")).expect("forwards");
    end(&world, &hourly.id).await.expect("ended");
    world.clock.set(at("2026-03-03T18:00:00Z")).expect("forwards");
    let worked = time(&hourly.id, "2026-03-03T11:00:00Z", "2026-03-03T12:00:00Z");
    add(&world, worked).await.expect("worked before the end");
    let later = time(&hourly.id, "2026-03-03T12:00:00Z", "2026-03-03T13:00:00Z");
    assert_eq!(refusal(add(&world, later).await), refused("TIME_AFTER_END"));
    assert_eq!(refusal(limit(&world, &hourly.id, 60).await), over);
    world.stop().await;
}

async fn a_contract_with_escrow_does_not_end(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    world.fund(id).await.expect("funded");
    let before = counts(&world.db).await;
    assert_eq!(refusal(end(&world, &contract.id).await), refused("FUNDED_MILESTONES"));
    assert_eq!(counts(&world.db).await, before);
    assert_eq!(world.contract_of(&contract.id).await.state(), State::Active);
    world.submit(id).await.expect("submitted");
    end(&world, &contract.id).await.expect("ended");
    world.stop().await;
}

// B6
async fn a_weekly_limit_rises_at_once_and_falls_on_monday(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = hourly(&world, PersonId::new(), AccountId::new(), usd(6_000), 600).await;
    let shown = |contract: &pb::Contract| {
        let Some(Pay::Hourly(pay)) = &contract.pay else {
            panic!("not hourly: {contract:?}")
        };
        (pay.weekly_limit_minutes, contract.next_weekly_limit)
    };
    let waiting = |minutes| {
        Some(WeeklyLimit {
            from_time: Some(to_wire_time(at("2026-03-09"))),
            minutes,
        })
    };
    assert_eq!(shown(&contract), (600, None));
    let id = &contract.id;
    assert_eq!(
        shown(&limit(&world, id, 300).await.expect("lower")),
        (600, waiting(300))
    );
    assert_eq!(
        shown(&limit(&world, id, 400).await.expect("lower")),
        (600, waiting(400))
    );
    assert_eq!(
        shown(&limit(&world, id, 400).await.expect("the same")),
        (600, waiting(400))
    );
    assert_eq!(shown(&limit(&world, id, 900).await.expect("higher")), (900, None));
    assert_eq!(
        shown(&limit(&world, id, 500).await.expect("lower")),
        (900, waiting(500))
    );
    world.clock.set(at("2026-03-08T23:59:59.999999Z")).expect("forwards");
    assert_eq!(shown(&world.contract_of(id).await), (900, waiting(500)));
    world.clock.set(at("2026-03-09")).expect("forwards");
    assert_eq!(shown(&world.contract_of(id).await), (500, None));
    let list = pb::ListContractsRequest {
        party: Some(pb::list_contracts_request::Party::ClientId(contract.client_id.clone())),
        page_size: 0,
        page_token: String::new(),
    };
    let listed = world.contracts.clone().list_contracts(list).await.expect("a page");
    assert_eq!(shown(&listed.into_inner().contracts[0]), (500, None));
    let change = |from: &str, minutes| {
        Change::WeeklyLimit(WeeklyLimitChanged {
            from_time: Some(to_wire_time(at(from))),
            minutes,
        })
    };
    let expected = [
        change("2026-03-09", 300),
        change("2026-03-09", 400),
        change("2026-03-02", 900),
        change("2026-03-09", 500),
    ];
    assert_eq!(changes(&world).await, expected);
    assert_eq!(count(&world.db, "weekly_limit").await, 2);
    let fixed = world.contract(AccountId::new(), usd(1_000)).await;
    assert_eq!(
        refusal(limit(&world, &fixed.id, 60).await),
        refused("CONTRACT_NOT_HOURLY")
    );
    world.stop().await;
}

async fn a_contract_and_its_limits_cannot_be_wrong(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = hourly(&world, PersonId::new(), AccountId::new(), usd(6_000), 600).await;
    limit(&world, &contract.id, 700).await.expect("raised");
    let other = hourly(&world, PersonId::new(), AccountId::new(), usd(6_000), 600).await;
    pause(&world, &other.id).await.expect("paused");
    for (sql, why) in [
        (
            "UPDATE contract SET halted_by = 'CLIENT'",
            "contract_is_halted_by_somebody",
        ),
        (
            "UPDATE contract SET halted_by = 'PAPA' WHERE state = 'PAUSED'",
            "contract_is_halted_by_somebody",
        ),
        (
            "UPDATE contract_pause SET until_at = from_at - 1",
            "contract_pause_ends_after_it_begins",
        ),
        (
            "INSERT INTO contract_pause SELECT contract_id, from_at + 1, NULL FROM contract_pause",
            "contract_pause",
        ),
        (
            "UPDATE contract SET state = 'ASLEEP', state_at = 1, state_reason = 'x'",
            "contract_state_is_known",
        ),
        ("UPDATE contract SET state = 'ENDED'", "contract_halt_is_told"),
        (
            "UPDATE contract SET state_at = 1, state_reason = 'x'",
            "contract_halt_is_told",
        ),
        (
            "UPDATE contract SET state = 'PAUSED', state_at = 1",
            "contract_halt_is_told",
        ),
        ("UPDATE weekly_limit SET minutes = 0", "weekly_limit_fits_a_week"),
        ("UPDATE weekly_limit SET minutes = 10081", "weekly_limit_fits_a_week"),
        (
            "UPDATE weekly_limit SET week = week + 1",
            "weekly_limit_begins_on_monday",
        ),
    ] {
        let answer = tried(&world.db, sql).await;
        assert!(
            answer.as_ref().is_err_and(|error| error.contains(why)),
            "{sql}: {answer:?}"
        );
    }
    let next_week = "UPDATE weekly_limit SET week = week + 604800000000, minutes = 10080";
    assert_eq!(tried(&world.db, next_week).await, Ok(1), "the rest of it is right");
    world.stop().await;
}
