//! Payouts by schedule: who is paid, who is passed over and why, and that a run which is killed goes on.

use std::{collections::BTreeMap, sync::Arc};

use tokio_util::sync::CancellationToken;
use vouch_messaging::MemoryBus;
use vouch_primitives::{AccountId, Timestamp};
use vouch_proto::{
    common::v1::Money,
    convert::to_wire_time,
    payments::v1::{self as pb, PayoutFrequency, PayoutMethodKind},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    payout_crowd::crowd,
    payout_world::Remembering,
    tables::{count, told},
    world::{Place, SOON, World, at, refusal, request_id, usd},
};

on_both_databases! {
    whoever_is_due_is_paid_and_the_others_are_passed_over_with_the_reason,
    a_run_that_is_killed_goes_on_and_pays_everybody_once,
    settings_say_what_a_payout_needs,
}

async fn set(
    world: &World,
    account: AccountId,
    method: &pb::PayoutMethod,
    frequency: PayoutFrequency,
    minimum: Option<Money>,
) -> Result<pb::PayoutSchedule, tonic::Status> {
    let request = pb::SetPayoutScheduleRequest {
        request_id: request_id(),
        account_id: account.to_string(),
        payout_method_id: method.id.clone(),
        frequency: frequency.into(),
        minimum,
    };
    let answer = world.payouts.clone().set_payout_schedule(request).await?;
    Ok(answer.into_inner().schedule.expect("a schedule"))
}

/// The run of this moment, once it has gone through all.
async fn finished(world: &World, due: Timestamp) -> pb::PayoutRun {
    eventually("the payout run", SOON, async || {
        let request = pb::ListPayoutRunsRequest::default();
        let answer = world.payouts.clone().list_payout_runs(request).await;
        let runs = answer.map_err(|status| status.to_string())?.into_inner().payout_runs;
        let run = runs.iter().find(|run| run.due_time == Some(to_wire_time(due)));
        run.filter(|run| run.finish_time.is_some())
            .cloned()
            .ok_or_else(|| format!("{runs:?}"))
    })
    .await
}

async fn skips(world: &World, run: &str) -> BTreeMap<String, String> {
    let (mut skips, mut page_token) = (BTreeMap::new(), String::new());
    loop {
        let request = pb::ListPayoutSkipsRequest {
            payout_run_id: run.to_owned(),
            page_size: 2,
            page_token,
        };
        let page = world.payouts.clone().list_payout_skips(request).await.expect("skips");
        let page = page.into_inner();
        skips.extend(page.skips.into_iter().map(|skip| (skip.account_id, skip.reason)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return skips;
        }
    }
}

/// Accounts that are due on Wednesday, 25 March 2026: two who are paid weekly, of whom one cannot be paid, and one who is paid
/// monthly; and four who are passed over, with the reasons.
struct Cast {
    paid: AccountId,
    fails: AccountId,
    poor: AccountId,
    passed_over: BTreeMap<String, String>,
}

async fn cast(world: &World) -> Cast {
    use PayoutFrequency::{Monthly, Weekly};
    let (paid, with_paid) = world.ready(50_000, "btok-paid").await;
    let (fails, with_fails) = world.ready(50_000, "sandbox-fails").await;
    let (poor, with_poor) = world.ready(99, "btok-poor").await;
    let (gone, with_gone) = world.ready(50_000, "btok-gone").await;
    let (monthly, with_monthly) = world.ready(50_000, "btok-monthly").await;
    let (formless, late) = (AccountId::new(), AccountId::new());
    for account in [formless, late] {
        world.endow(account, 50_000).await;
    }
    let kind = PayoutMethodKind::BankTransfer;
    let with_formless = world
        .add_method(formless, kind, ("btok-f", "USD"))
        .await
        .expect("added");
    world.tax_form(late).await;
    world.clock.set(at("2026-03-23T09:00:00Z")).expect("forwards");
    let with_late = world.add_method(late, kind, ("btok-l", "USD")).await.expect("added");
    for (account, method, frequency) in [
        (paid, &with_paid, Weekly),
        (fails, &with_fails, Weekly),
        (poor, &with_poor, Weekly),
        (gone, &with_gone, Weekly),
        (formless, &with_formless, Weekly),
        (late, &with_late, Weekly),
        (monthly, &with_monthly, Monthly),
    ] {
        let schedule = set(world, account, method, frequency, None).await.expect("set");
        assert_eq!(schedule.next_time, Some(to_wire_time(at("2026-03-25T12:00:00Z"))));
    }
    let remove = pb::RemovePayoutMethodRequest {
        request_id: request_id(),
        payout_method_id: with_gone.id,
    };
    world
        .payouts
        .clone()
        .remove_payout_method(remove)
        .await
        .expect("removed");
    let passed_over = [
        (poor, "BELOW_MINIMUM"),
        (gone, "NO_ACTIVE_PAYOUT_METHOD"),
        (formless, "TAX_FORM_REQUIRED"),
        (late, "NO_ACTIVE_PAYOUT_METHOD"),
    ];
    let passed_over = passed_over.map(|(account, reason)| (account.to_string(), reason.to_owned()));
    Cast {
        paid,
        fails,
        poor,
        passed_over: passed_over.into(),
    }
}

async fn whoever_is_due_is_paid_and_the_others_are_passed_over_with_the_reason(database: TestDatabase) {
    let world = World::new(database).await;
    let cast = cast(&world).await;
    let wednesday = at("2026-03-25T12:00:00Z");
    world.clock.set(wednesday).expect("forwards");
    let run = finished(&world, wednesday).await;
    assert_eq!([run.due, run.made, run.skipped], [7, 3, 4]);
    assert_eq!(skips(&world, &run.id).await, cast.passed_over);
    assert_eq!(world.balances(cast.paid, "USD").await, [0, 0, 0]);
    world.pass(10).await;
    world.until_balances(cast.fails, "USD", [0, 50_000, 0]).await;
    let request = pb::GetPayoutRunRequest {
        payout_run_id: run.id.clone(),
    };
    eventually("what became of the payouts", SOON, async || {
        let answer = world.payouts.clone().get_payout_run(request.clone()).await;
        let run = answer.map_err(|status| status.to_string())?.into_inner().payout_run;
        let ended = run.as_ref().map(|run| [run.paid, run.failed]);
        (ended == Some([2, 1])).then_some(()).ok_or_else(|| format!("{run:?}"))
    })
    .await;
    // A week later the monthly one is not due, and whoever was passed over is looked at again: one method is active by now.
    let next = wednesday.add_days(7);
    world.clock.set(next).expect("forwards");
    let run = finished(&world, next).await;
    assert_eq!([run.due, run.made, run.skipped], [6, 2, 4]);
    let settings = pb::GetPayoutSettingsRequest {
        account_id: cast.poor.to_string(),
    };
    let settings = world
        .payouts
        .clone()
        .get_payout_settings(settings)
        .await
        .expect("settings");
    let schedule = settings.into_inner().schedules.remove(0);
    assert_eq!(schedule.skip_reason, "BELOW_MINIMUM");
    assert_eq!(schedule.skip_time, Some(to_wire_time(next)));
    assert_eq!(schedule.next_time, Some(to_wire_time(next.add_days(7))));
    world.stop().await;
}

/// A service on a runtime of its own, so that it can be killed.
async fn until_killed<T>(place: &Place, work: impl AsyncFnOnce() -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let there = place.clone();
    runtime.spawn(async move {
        let service = there.another_service().await;
        service.run(CancellationToken::new()).await
    });
    let done = work().await;
    // Whatever it is at is left where it is.
    runtime.shutdown_background();
    done
}

async fn until_there_are(place: &Place, what: &str, enough: i64) {
    eventually(what, SOON, async || {
        let there = count(&place.db, what).await;
        (there >= enough)
            .then_some(())
            .ok_or_else(|| format!("{there} of {enough}"))
    })
    .await;
}

async fn a_run_that_is_killed_goes_on_and_pays_everybody_once(database: TestDatabase) {
    const CROWD: i64 = 2_000;
    let gateway = Arc::new(Remembering::default());
    let place = Place::new(&database, MemoryBus::faultless(), gateway.clone()).await;
    let wednesday = at("2026-03-11T12:00:00Z");
    crowd(&place.db, CROWD, wednesday).await;
    place.clock.set(wednesday).expect("forwards");
    // Killed twice in the run, and twice while the payouts are sent.
    for enough in [1, 501] {
        until_killed(&place, async || until_there_are(&place, "payout", enough).await).await;
    }
    until_killed(&place, async || {
        until_there_are(&place, "payout_run WHERE finished_at IS NOT NULL", 1).await;
    })
    .await;
    place.clock.set(wednesday.add_days(1)).expect("forwards");
    for enough in [1, 301] {
        let sent = "payout WHERE state <> 'REQUESTED'";
        until_killed(&place, async || until_there_are(&place, sent, enough).await).await;
    }
    let world = World::at(place, database).await;
    eventually("everybody is paid", SOON * 2, async || {
        let paid = count(&world.db, "payout WHERE state = 'PAID'").await;
        if paid == CROWD {
            return Ok(());
        }
        // What was leased by who died is free after a minute.
        world.pass(1).await;
        Err(format!("{paid} are paid"))
    })
    .await;
    let run = finished(&world, wednesday).await;
    let all = u64::try_from(CROWD).expect("positive");
    assert_eq!(
        [run.due, run.made, run.skipped, run.paid, run.failed],
        [all, all, 0, all, 0]
    );
    let told = gateway.told();
    assert_eq!(told.len(), usize::try_from(CROWD).expect("positive"));
    assert!(
        told.values().all(|times| *times == 1),
        "the provider was told of each once"
    );
    let left = "balance b JOIN ledger_account a ON a.id = b.account_id \
         WHERE a.kind IN ('IN_TRANSIT', 'AVAILABLE') AND b.amount_minor <> 0";
    assert_eq!(count(&world.db, left).await, 0, "nothing is left behind");
    assert_eq!(told_of_payouts(&world).await, [CROWD; 3]);
    world.stop().await;
}

async fn told_of_payouts(world: &World) -> [i64; 3] {
    let length = |all: usize| i64::try_from(all).expect("small");
    [
        length(told::<pb::PayoutRequested>(&world.db).await.len()),
        length(told::<pb::PayoutDispatched>(&world.db).await.len()),
        length(told::<pb::PayoutPaid>(&world.db).await.len()),
    ]
}

// F12
async fn settings_say_what_a_payout_needs(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let settings = async || {
        let request = pb::GetPayoutSettingsRequest {
            account_id: ada.to_string(),
        };
        let answer = world.payouts.clone().get_payout_settings(request).await;
        answer.expect("settings").into_inner()
    };
    let first = settings().await;
    assert!(!first.has_active_method && !first.has_tax_form && first.schedules.is_empty());
    assert!(first.tariffs.iter().any(|tariff| tariff.minimum == Some(usd(1_000))));
    let wallet = PayoutMethodKind::Wallet;
    let method = world
        .add_method(ada, wallet, ("wallet-4242", "USD"))
        .await
        .expect("added");
    assert_eq!(
        (method.label.as_str(), method.state()),
        ("•••• 4242", pb::payout_method::State::Waiting)
    );
    let again = world.add_method(ada, wallet, ("wallet-4242", "USD")).await;
    assert_eq!(refusal(again).1, "PAYOUT_METHOD_EXISTS");
    let dinars = world.add_method(ada, wallet, ("wallet-4242", "KWD")).await;
    assert_eq!(refusal(dinars).1, "PAYOUT_NOT_OFFERED");
    let added = told::<pb::PayoutMethodAdded>(&world.db).await;
    assert_eq!((added.len(), added[0].fingerprint_sha256.len()), (1, 32));
    world.tax_form(ada).await;
    let weekly = PayoutFrequency::Weekly;
    let low = set(&world, ada, &method, weekly, Some(usd(499))).await;
    assert_eq!(refusal(low).1, "BELOW_MINIMUM");
    let others = set(&world, AccountId::new(), &method, weekly, None).await;
    assert_eq!(refusal(others).0, tonic::Code::NotFound);
    set(&world, ada, &method, weekly, Some(usd(10_000))).await.expect("set");
    world.pass(3 * 24 * 60).await;
    let then = settings().await;
    assert!(then.has_active_method && then.has_tax_form);
    assert_eq!(then.schedules[0].minimum, Some(usd(10_000)));
    set(&world, ada, &method, PayoutFrequency::OnDemand, None)
        .await
        .expect("set");
    let last = settings().await.schedules.remove(0);
    assert_eq!((last.frequency(), last.next_time), (PayoutFrequency::OnDemand, None));
    let request = pb::ListPayoutMethodsRequest {
        account_id: ada.to_string(),
        ..pb::ListPayoutMethodsRequest::default()
    };
    let listed = world
        .payouts
        .clone()
        .list_payout_methods(request)
        .await
        .expect("a list");
    assert_eq!(listed.into_inner().payout_methods.len(), 1);
    world.stop().await;
}
