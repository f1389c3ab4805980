//! Withdrawals: what stands in their way, what they move, and what becomes of them.

use std::sync::Arc;

use futures::future::join_all;
use tonic::Code;
use vouch_messaging::MemoryBus;
use vouch_payments::{
    domain::{LedgerAccount, LedgerAccountKind},
    store,
};
use vouch_primitives::{AccountId, Currency, EventId, PersonId, Uuid};
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{AccountRegistered, PersonErased},
    payments::v1::{self as pb, PayoutMethodKind, payout::State},
};
use vouch_storage::StorageError;
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    payout_world::Remembering,
    tables::{count, told, tried},
    world::{SOON, World, money, refusal, request_id, start, usd},
};

on_both_databases! {
    nothing_leaves_without_an_active_method_and_a_tax_form,
    what_is_withdrawn_is_on_its_way_and_then_paid,
    a_payout_that_fails_gives_money_and_fee_back,
    a_payout_can_be_called_off_until_it_is_dispatched,
    what_came_back_after_it_was_paid_is_available_again,
    late_and_lost_answers_are_asked_for,
    of_many_withdrawals_at_once_only_what_there_is_leaves,
    calling_off_races_dispatch,
    a_crash_after_the_provider_s_answer_pays_once,
    what_is_given_back_pays_first_what_is_owed,
    who_is_erased_is_paid_nothing_more_and_nothing_shows_where,
    every_kind_of_money_has_a_place,
    the_tables_hold_their_rules,
    an_account_has_twenty_methods_at_most,
}

const REFUSED: Code = Code::FailedPrecondition;

fn refused<T: std::fmt::Debug>(outcome: Result<T, tonic::Status>) -> String {
    let (code, reason) = refusal(outcome);
    assert_eq!(code, REFUSED);
    reason
}

// F12
async fn nothing_leaves_without_an_active_method_and_a_tax_form(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    world.endow(ada, 50_000).await;
    let none = world.take_out(ada, "", Some(usd(5_000))).await;
    assert_eq!(refused(none), "NO_ACTIVE_PAYOUT_METHOD");
    let kind = PayoutMethodKind::BankTransfer;
    let method = world.add_method(ada, kind, ("btok-1", "USD")).await.expect("added");
    world.tax_form(ada).await;
    world.pass(3 * 24 * 60 - 1).await;
    for named in ["", &method.id] {
        let early = world.take_out(ada, named, Some(usd(5_000))).await;
        assert_eq!(refused(early), "NO_ACTIVE_PAYOUT_METHOD");
    }
    world.pass(1).await;
    let other = world.take_out(ada, &method.id, Some(money("EUR", 5_000))).await;
    assert_eq!(refused(other), "OTHER_CURRENCY");
    let none_for_it = world.take_out(ada, "", Some(money("EUR", 5_000))).await;
    assert_eq!(refused(none_for_it), "NO_ACTIVE_PAYOUT_METHOD");
    assert_eq!(refused(world.take_out(ada, "", Some(usd(999))).await), "BELOW_MINIMUM");
    let too_much = world.take_out(ada, "", Some(usd(50_001))).await;
    assert_eq!(refused(too_much), "TOO_LITTLE_AVAILABLE");
    // Without a tax form, and with a method of somebody else.
    let eve = AccountId::new();
    world.endow(eve, 50_000).await;
    let others = world.take_out(eve, &method.id, None).await;
    assert_eq!(refusal(others).0, Code::NotFound);
    world.add_method(eve, kind, ("btok-2", "USD")).await.expect("added");
    world.pass(3 * 24 * 60).await;
    assert_eq!(refused(world.take_out(eve, "", None).await), "TAX_FORM_REQUIRED");
    assert_eq!(
        count(&world.db, "payout").await,
        0,
        "nothing is written when it is refused"
    );
    assert_eq!(world.balances(ada, "USD").await, [0, 50_000, 0]);
    world.take_out(ada, "", Some(usd(50_000))).await.expect("all of it");
    // A method that was removed takes nothing any more.
    let request = pb::RemovePayoutMethodRequest {
        request_id: request_id(),
        payout_method_id: method.id.clone(),
    };
    world
        .payouts
        .clone()
        .remove_payout_method(request)
        .await
        .expect("removed");
    let gone = world.take_out(ada, &method.id, None).await;
    assert_eq!(refused(gone), "NO_ACTIVE_PAYOUT_METHOD");
    world.stop().await;
}

async fn what_is_withdrawn_is_on_its_way_and_then_paid(database: TestDatabase) {
    use pb::statement_line::Part::{Available, InTransit};
    let world = World::new(database).await;
    let (ada, method) = world.ready(50_000, "btok-1").await;
    let payout = world.take_out(ada, "", Some(usd(20_000))).await.expect("a payout");
    assert_eq!(
        (payout.state(), &payout.payout_method_id),
        (State::Requested, &method.id)
    );
    let shown = |payout: &pb::Payout| {
        [&payout.amount, &payout.fee, &payout.sent].map(|money| money.as_ref().map(|money| money.minor_units))
    };
    assert_eq!(shown(&payout), [20_000, 99, 19_901].map(Some));
    assert_eq!(world.balances(ada, "USD").await, [0, 30_000, 0]);
    assert_eq!(world.in_transit(ada).await, 19_901);
    world.pass(10).await;
    let paid = world.until_payout(&payout.id, State::Paid).await;
    assert_eq!(shown(&paid), shown(&payout));
    assert_eq!(world.balances(ada, "USD").await, [0, 30_000, 0]);
    assert_eq!(world.in_transit(ada).await, 0);
    let lines = world.statement(ada, "USD", 3).await;
    let lines: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line.kind.as_str(),
                line.part(),
                line.amount.as_ref().map_or(0, |m| m.minor_units),
            )
        })
        .collect();
    let expected = [
        ("REWARD", Available, 50_000),
        ("PAYOUT", Available, -19_901),
        ("PAYOUT", InTransit, 19_901),
        ("PAYOUT_FEE", Available, -99),
        ("PAYOUT_PAID", InTransit, -19_901),
    ];
    assert_eq!(lines, expected);
    assert_eq!(told::<pb::PayoutRequested>(&world.db).await.len(), 1);
    assert_eq!(told::<pb::PayoutDispatched>(&world.db).await.len(), 1);
    assert_eq!(told::<pb::PayoutPaid>(&world.db).await[0].sent, Some(usd(19_901)));
    let request = pb::ListPayoutsRequest {
        account_id: ada.to_string(),
        ..pb::ListPayoutsRequest::default()
    };
    let listed = world.payouts.clone().list_payouts(request).await.expect("a list");
    assert_eq!(listed.into_inner().payouts, [paid]);
    world.stop().await;
}

async fn a_payout_that_fails_gives_money_and_fee_back(database: TestDatabase) {
    let world = World::new(database).await;
    for token in ["sandbox-fails", "sandbox-late-fails"] {
        let (ada, _) = world.ready(50_000, token).await;
        let payout = world.take_out(ada, "", None).await.expect("a payout");
        assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
        world.pass(10).await;
        if token == "sandbox-late-fails" {
            world.until_payout(&payout.id, State::Dispatched).await;
            world.until_quiet(&payout.id).await;
            world.pass(1).await;
        }
        let failed = world.until_payout(&payout.id, State::Failed).await;
        assert_eq!(failed.reason, "DESTINATION_CLOSED", "{token}");
        assert_eq!(world.balances(ada, "USD").await, [0, 50_000, 0], "{token}");
        assert_eq!(world.in_transit(ada).await, 0, "{token}");
    }
    let told: Vec<_> = told::<pb::PayoutFailed>(&world.db).await;
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].amount, Some(usd(50_000)));
    assert_eq!(told[0].outcome(), pb::payout_failed::Outcome::Refused);
    world.stop().await;
}

async fn a_payout_can_be_called_off_until_it_is_dispatched(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ready(50_000, "btok-1").await;
    let payout = world.take_out(ada, "", None).await.expect("a payout");
    world.pass(9).await;
    let cancelled = world.call_off(&payout.id).await.expect("called off");
    assert_eq!(cancelled.state(), State::Cancelled);
    assert_eq!(world.balances(ada, "USD").await, [0, 50_000, 0]);
    assert_eq!(world.call_off(&payout.id).await.expect("again is no error"), cancelled);
    world.pass(10).await;
    let second = world.take_out(ada, "", None).await.expect("a payout");
    world.pass(10).await;
    world.until_payout(&second.id, State::Paid).await;
    assert_eq!(refused(world.call_off(&second.id).await), "PAYOUT_DISPATCHED");
    assert_eq!(world.payout(&payout.id).await.state(), State::Cancelled);
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    world.stop().await;
}

async fn what_came_back_after_it_was_paid_is_available_again(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ready(50_000, "sandbox-returns").await;
    let payout = world.take_out(ada, "", None).await.expect("a payout");
    world.pass(10).await;
    world.until_payout(&payout.id, State::Paid).await;
    world.pass(5 * 24 * 60).await;
    let returned = world.until_payout(&payout.id, State::Returned).await;
    assert_eq!(returned.reason, "RETURNED");
    assert_eq!(world.balances(ada, "USD").await, [0, 50_000, 0]);
    // One whose return the provider tells by itself.
    let (eve, _) = world.ready(50_000, "btok-2").await;
    let payout = world.take_out(eve, "", None).await.expect("a payout");
    let request = pb::RecordPayoutReturnRequest {
        request_id: request_id(),
        payout_id: payout.id.clone(),
    };
    let early = world.payouts.clone().record_payout_return(request.clone()).await;
    assert_eq!(refused(early), "PAYOUT_NOT_PAID");
    world.pass(10).await;
    world.until_payout(&payout.id, State::Paid).await;
    for _ in 0..2 {
        let request = pb::RecordPayoutReturnRequest {
            request_id: request_id(),
            ..request.clone()
        };
        world
            .payouts
            .clone()
            .record_payout_return(request)
            .await
            .expect("recorded");
        assert_eq!(world.balances(eve, "USD").await, [0, 50_000, 0]);
    }
    world.stop().await;
}

async fn late_and_lost_answers_are_asked_for(database: TestDatabase) {
    let gateway = Arc::new(Remembering::default());
    let world = World::with(database, MemoryBus::faultless(), gateway.clone()).await;
    for token in ["sandbox-late", "sandbox-times-out-paid"] {
        let (ada, _) = world.ready(50_000, token).await;
        let payout = world.take_out(ada, "", None).await.expect("a payout");
        world.pass(10).await;
        world.until_quiet(&payout.id).await;
        assert_eq!(world.payout(&payout.id).await.state(), State::Dispatched, "{token}");
        assert_eq!(world.in_transit(ada).await, 49_901, "{token}");
        world.pass(1).await;
        world.until_payout(&payout.id, State::Paid).await;
        assert_eq!(world.balances(ada, "USD").await, [0, 0, 0], "{token}");
    }
    assert!(gateway.told().values().all(|times| *times == 1), "nobody is paid twice");
    // Nobody ever hears of this one: after a day it is given up.
    let (eve, _) = world.ready(50_000, "sandbox-times-out-unpaid").await;
    let payout = world.take_out(eve, "", None).await.expect("a payout");
    world.pass(10).await;
    world.until_quiet(&payout.id).await;
    assert_eq!(world.payout(&payout.id).await.state(), State::Dispatched);
    world.pass(24 * 60).await;
    let failed = world.until_payout(&payout.id, State::Failed).await;
    assert_eq!(failed.reason, "NOT_CARRIED_OUT");
    assert_eq!(world.balances(eve, "USD").await, [0, 50_000, 0]);
    world.stop().await;
}

async fn of_many_withdrawals_at_once_only_what_there_is_leaves(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, _) = world.ready(50_000, "btok-1").await;
    let answers = join_all((0..16).map(|_| world.take_out(ada, "", Some(usd(7_000))))).await;
    let (made, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), others.len()), (7, 9));
    for other in others {
        assert_eq!(refused(other), "TOO_LITTLE_AVAILABLE");
    }
    assert_eq!(world.balances(ada, "USD").await, [0, 1_000, 0]);
    assert_eq!(world.in_transit(ada).await, 7 * 6_901);
    world.stop().await;
}

async fn calling_off_races_dispatch(database: TestDatabase) {
    let gateway = Arc::new(Remembering::default());
    let world = World::with(database, MemoryBus::faultless(), gateway.clone()).await;
    let (ada, _) = world.ready(200_000, "btok-1").await;
    let instant = PayoutMethodKind::Instant;
    let method = world.add_method(ada, instant, ("card-1", "USD")).await.expect("added");
    world.pass(3 * 24 * 60).await;
    let race = async || {
        let payout = world
            .take_out(ada, &method.id, Some(usd(10_000)))
            .await
            .expect("a payout");
        (world.call_off(&payout.id).await, payout.id)
    };
    let mut ends = Vec::new();
    for _ in 0..5 {
        ends.extend(join_all((0..4).map(|_| race())).await);
    }
    let mut paid = 0;
    for (answer, id) in ends {
        let state = match answer {
            Ok(_) => State::Cancelled,
            Err(status) => {
                assert_eq!(refused(Err::<(), _>(status)), "PAYOUT_DISPATCHED");
                paid += 1;
                State::Paid
            }
        };
        world.until_payout(&id, state).await;
    }
    assert_eq!(world.balances(ada, "USD").await, [0, 200_000 - paid * 10_000, 0]);
    assert_eq!(world.in_transit(ada).await, 0);
    let told = gateway.told();
    assert_eq!(
        i64::try_from(told.len()),
        Ok(paid),
        "what was called off was never sent"
    );
    assert!(told.values().all(|times| *times == 1));
    world.stop().await;
}

async fn a_crash_after_the_provider_s_answer_pays_once(database: TestDatabase) {
    let gateway = Arc::new(Remembering::default());
    let world = World::with(database, MemoryBus::faultless(), gateway.clone()).await;
    let (ada, _) = world.ready(50_000, "btok-1").await;
    let payout = world.take_out(ada, "", None).await.expect("a payout");
    *gateway.panics_once.lock().expect("no panic") = true;
    world.pass(10).await;
    world.until_failure(&payout.id).await;
    assert_eq!(world.payout(&payout.id).await.state(), State::Dispatched);
    assert_eq!(refused(world.call_off(&payout.id).await), "PAYOUT_DISPATCHED");
    world.pass(1).await;
    world.until_payout(&payout.id, State::Paid).await;
    let told: Vec<u32> = gateway.told().into_values().collect();
    assert_eq!(told, [1], "the provider was told once");
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    world.stop().await;
}

/// A refund finds nothing available, because all is on its way out; then the payout fails.
async fn what_is_given_back_pays_first_what_is_owed(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let kind = PayoutMethodKind::BankTransfer;
    world
        .add_method(ada, kind, ("sandbox-fails", "USD"))
        .await
        .expect("added");
    world.tax_form(ada).await;
    let earning = world.earning_of(ada, usd(10_000)).await;
    world.pass(5 * 24 * 60).await;
    world.until_balances(ada, "USD", [0, 9_000, 0]).await;
    let payout = world.take_out(ada, "", None).await.expect("a payout");
    world.refund(&earning.id, usd(4_000)).await.expect("refunded");
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 3_600]);
    // What comes in is owed: nothing can be withdrawn before that is paid.
    assert_eq!(refused(world.take_out(ada, "", None).await), "BELOW_MINIMUM");
    world.pass(10).await;
    world.until_payout(&payout.id, State::Failed).await;
    assert_eq!(world.balances(ada, "USD").await, [0, 5_400, 0]);
    world.stop().await;
}

async fn who_is_erased_is_paid_nothing_more_and_nothing_shows_where(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, method) = world.ready(50_000, "btok-ada").await;
    let (eve, _) = world.ready(50_000, "btok-eve").await;
    let people = [(ada, PersonId::new()), (eve, PersonId::new())];
    for (account, person) in people {
        let registered = AccountRegistered {
            account_id: account.to_string(),
            person_id: person.to_string(),
            ..AccountRegistered::default()
        };
        world.hear(EventId::new(), &registered).await;
    }
    let on_its_way = world.take_out(ada, "", Some(usd(10_000))).await.expect("a payout");
    eventually("the accounts", SOON, async || match count(&world.db, "account").await {
        2 => Ok(()),
        other => Err(format!("{other} accounts")),
    })
    .await;
    let erased = PersonErased {
        person_id: people[0].1.to_string(),
        erase_time: Some(to_wire_time(start())),
    };
    world.hear(EventId::new(), &erased).await;
    eventually("nothing to show", SOON, async || {
        match count(&world.db, "payout_method WHERE label = ''").await {
            1 => Ok(()),
            other => Err(format!("{other} methods")),
        }
    })
    .await;
    let gone = world.take_out(ada, &method.id, None).await;
    assert_eq!(refused(gone), "NO_ACTIVE_PAYOUT_METHOD");
    world.take_out(eve, "", None).await.expect("eve is still there");
    world.pass(10).await;
    world.until_payout(&on_its_way.id, State::Paid).await;
    world.stop().await;
}

async fn every_kind_of_money_has_a_place(database: TestDatabase) {
    let world = World::new(database).await;
    for (number, kind) in LedgerAccountKind::ALL.into_iter().enumerate() {
        let id = Uuid::from_u128(1_000 + u128::try_from(number).expect("small"));
        let place = LedgerAccount {
            kind,
            owner: id,
            currency: Currency::USD,
        };
        let opened = world.db.write_tx(|txn| async move {
            store::ledger::open(&txn, [place]).await?;
            Ok::<_, StorageError>(())
        });
        opened.await.unwrap_or_else(|error| panic!("{kind:?}: {error}"));
    }
    world.stop().await;
}

async fn the_tables_hold_their_rules(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, method) = world.ready(50_000, "btok-1").await;
    let payout = world.take_out(ada, "", Some(usd(10_000))).await.expect("a payout");
    assert_eq!(payout.payout_method_id, method.id);
    for (sql, rule) in [
        ("UPDATE payout SET fee_minor = amount_minor", "payout_sends_something"),
        (
            "UPDATE payout SET amount_minor = 0, fee_minor = -1",
            "payout_sends_something",
        ),
        ("UPDATE payout SET state = 'PAID'", "payout_state_is_told"),
        (
            "UPDATE payout SET state = 'LOST', state_at = 1",
            "payout_state_is_known",
        ),
        (
            "UPDATE payout SET state = 'FAILED', state_at = 1",
            "payout_reason_is_told",
        ),
        (
            "UPDATE payout_method SET provider_token = ''",
            "payout_method_leads_somewhere",
        ),
        ("UPDATE payout_method SET kind = 'CASH'", "payout_method_kind_is_known"),
        (
            "UPDATE payout_method SET removed_at = added_at - 1",
            "payout_method_is_removed_after_it_was_added",
        ),
        // A payout to a method of another currency.
        ("UPDATE payout SET currency = 'EUR'", ""),
        ("DELETE FROM payout_method", ""),
    ] {
        let refused = tried(&world.db, sql).await.expect_err(sql);
        assert!(refused.contains(rule), "{sql}: {refused}");
    }
    let balance = "UPDATE balance SET amount_minor = -1 WHERE amount_minor > 0";
    let refused = tried(&world.db, balance).await.expect_err("never negative");
    assert!(refused.contains("balance_is_not_negative"), "{refused}");
    world.stop().await;
}

async fn an_account_has_twenty_methods_at_most(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let kind = PayoutMethodKind::BankTransfer;
    let tokens: Vec<String> = (0..25).map(|number| format!("btok-{number}")).collect();
    let added = join_all(tokens.iter().map(|token| world.add_method(ada, kind, (token, "USD")))).await;
    let (added, too_many): (Vec<_>, Vec<_>) = added.into_iter().partition(Result::is_ok);
    assert_eq!((added.len(), too_many.len()), (20, 5), "however many are added at once");
    for one in too_many {
        assert_eq!(refused(one), "TOO_MANY_PAYOUT_METHODS");
    }
    let one = added[0].as_ref().expect("added");
    let request = pb::RemovePayoutMethodRequest {
        request_id: request_id(),
        payout_method_id: one.id.clone(),
    };
    let removed = world.payouts.clone().remove_payout_method(request).await;
    removed.expect("removed");
    world
        .add_method(ada, kind, ("btok-more", "USD"))
        .await
        .expect("in its place");
    let other = world.add_method(AccountId::new(), kind, ("btok-1", "USD")).await;
    other.expect("another account");
    world.stop().await;
}
