//! Disputes: what is held, and how they end.

use futures::future::join_all;
use tonic::{Code, Status};
use vouch_primitives::{AccountId, DisputeId, Timestamp};
use vouch_proto::{
    common::v1 as common,
    convert::to_wire_time,
    payments::v1::{self as pb, dispute, dispute::State, dispute_note::Author, resolve_dispute_request::Outcome},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    tables::{count, counts, told, tried},
    world::{SOON, World, money, refusal, request_id, start, usd, violations},
};

on_both_databases! {
    a_dispute_that_the_client_wins_is_a_refund,
    a_dispute_that_the_talent_wins_leaves_everything,
    a_split_after_the_rest_has_settled,
    a_dispute_is_withdrawn,
    a_dispute_has_its_limits,
    of_many_disputes_one_is_opened,
    both_sides_have_their_say,
    old_disputes_are_found_by_operators,
    the_tables_refuse_what_cannot_be,
}

impl World {
    pub async fn dispute(&self, earning: &str, amount: common::Money) -> Result<pb::Dispute, Status> {
        let request = pb::OpenDisputeRequest {
            request_id: request_id(),
            earning_id: earning.to_owned(),
            amount: Some(amount),
            reason: dispute::Reason::NotAsAgreed.into(),
            description: "Not what we said".to_owned(),
        };
        let answer = self.disputes.clone().open_dispute(request).await?;
        Ok(answer.into_inner().dispute.expect("a dispute"))
    }

    pub async fn resolve(&self, dispute: &str, outcome: Outcome, share: Option<i64>) -> Result<pb::Dispute, Status> {
        let request = pb::ResolveDisputeRequest {
            request_id: request_id(),
            dispute_id: dispute.to_owned(),
            outcome: outcome.into(),
            talent_share: share.map(usd),
            explanation: "It is so".to_owned(),
        };
        let answer = self.disputes.clone().resolve_dispute(request).await?;
        Ok(answer.into_inner().dispute.expect("a dispute"))
    }

    async fn withdraw(&self, dispute: &str) -> Result<pb::Dispute, Status> {
        let request = pb::WithdrawDisputeRequest {
            request_id: request_id(),
            dispute_id: dispute.to_owned(),
        };
        let answer = self.disputes.clone().withdraw_dispute(request).await?;
        Ok(answer.into_inner().dispute.expect("a dispute"))
    }

    pub async fn read_dispute(&self, id: &str) -> pb::Dispute {
        let request = pb::GetDisputeRequest {
            dispute_id: id.to_owned(),
        };
        let answer = self.disputes.clone().get_dispute(request).await;
        answer.expect("a dispute").into_inner().dispute.expect("a dispute")
    }

    async fn note(&self, dispute: &str, text: &str) -> Result<pb::DisputeNote, Status> {
        let request = pb::AddDisputeNoteRequest {
            request_id: request_id(),
            dispute_id: dispute.to_owned(),
            text: text.to_owned(),
        };
        let answer = self.disputes.clone().add_dispute_note(request).await?;
        Ok(answer.into_inner().note.expect("a note"))
    }

    async fn disputes(&self, contract: &str, state: State, before: Option<Timestamp>) -> Vec<String> {
        let (mut ids, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListDisputesRequest {
                contract_id: contract.to_owned(),
                state: state.into(),
                opened_before: before.map(to_wire_time),
                page_size: 1,
                page_token,
            };
            let page = self.disputes.clone().list_disputes(request).await;
            let page = page.expect("a list").into_inner();
            ids.extend(page.disputes.into_iter().map(|dispute| dispute.id));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return ids;
            }
        }
    }

    /// Lets the five days of an earning pass, and waits until it has settled.
    pub async fn settle(&self) {
        let before = told::<pb::EarningSettled>(&self.db).await.len();
        self.clock.set(start().add_days(5)).expect("forwards");
        eventually("the settlement", SOON, async || {
            let now = told::<pb::EarningSettled>(&self.db).await.len();
            if now > before {
                Ok(())
            } else {
                Err("not yet".to_owned())
            }
        })
        .await;
    }
}

fn not(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}

async fn a_dispute_that_the_client_wins_is_a_refund(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(1_000)).await;
    let dispute = world.dispute(&earning.id, usd(1_000)).await.expect("opened");
    assert_eq!((dispute.held, dispute.state), (Some(usd(900)), State::Open.into()));
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([0, 0, 0], 900)
    );
    world.settle().await;
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([0, 0, 0], 900)
    );
    let resolved = world
        .resolve(&dispute.id, Outcome::Client, None)
        .await
        .expect("resolved");
    assert_eq!(
        (resolved.state(), &resolved.refunded),
        (State::Resolved, &Some(usd(1_000)))
    );
    assert_eq!(resolved.close_time, Some(to_wire_time(start().add_days(5))));
    assert_eq!(world.read_dispute(&dispute.id).await, resolved);
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([0, 0, 0], 0)
    );
    let after = world.earning(&earning.id).await;
    assert_eq!(
        (after.refunded, after.disputed, after.fee),
        (Some(usd(1_000)), Some(usd(0)), Some(usd(0)))
    );
    // The whole is told once, and what was taken back of it once.
    let settled = told::<pb::EarningSettled>(&world.db).await;
    let reversed = told::<pb::EarningReversed>(&world.db).await;
    let amounts = (
        settled.into_iter().map(|e| e.amount),
        reversed.into_iter().map(|e| e.amount),
    );
    assert_eq!(
        (amounts.0.collect::<Vec<_>>(), amounts.1.collect::<Vec<_>>()),
        (vec![Some(usd(1_000))], vec![Some(usd(1_000))])
    );
    assert_eq!(refusal(world.withdraw(&dispute.id).await), not("DISPUTE_CLOSED"));
    world.stop().await;
}

async fn a_dispute_that_the_talent_wins_leaves_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(1_000)).await;
    let dispute = world.dispute(&earning.id, usd(500)).await.expect("opened");
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([450, 0, 0], 450)
    );
    let resolved = world
        .resolve(&dispute.id, Outcome::Talent, None)
        .await
        .expect("resolved");
    assert_eq!(resolved.refunded, Some(usd(0)));
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([900, 0, 0], 0)
    );
    assert_eq!(world.earning(&earning.id).await, earning);
    assert!(told::<pb::EarningReversed>(&world.db).await.is_empty());
    world.settle().await;
    assert_eq!(world.balances(ada, "USD").await, [0, 900, 0]);
    world.stop().await;
}

async fn a_split_after_the_rest_has_settled(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(1_000)).await;
    let dispute = world.dispute(&earning.id, usd(400)).await.expect("opened");
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([540, 0, 0], 360)
    );
    assert_eq!(
        refusal(world.refund(&earning.id, usd(601)).await),
        not("REFUND_TOO_LARGE"),
        "what is disputed is not the talent's to give"
    );
    world.settle().await;
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([0, 540, 0], 360)
    );
    for share in [0, 400] {
        let answer = world.resolve(&dispute.id, Outcome::Split, Some(share)).await;
        let code = answer.expect_err("no share").code();
        assert!(
            [Code::InvalidArgument, Code::FailedPrecondition].contains(&code),
            "{share}: {code}"
        );
    }
    let both = world.resolve(&dispute.id, Outcome::Talent, Some(100)).await;
    assert_eq!(violations(both), ["talent_share OUT_OF_RANGE"]);
    let resolved = world
        .resolve(&dispute.id, Outcome::Split, Some(100))
        .await
        .expect("resolved");
    assert_eq!(resolved.refunded, Some(usd(300)));
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([0, 630, 0], 0)
    );
    let kinds: Vec<_> = world
        .statement(ada, "USD", 0)
        .await
        .into_iter()
        .map(|line| line.kind)
        .collect();
    for kind in ["HELD", "HOLD_RELEASED", "REFUND"] {
        assert!(kinds.iter().any(|told| told == kind), "{kind} is not in {kinds:?}");
    }
    world.stop().await;
}

async fn a_dispute_is_withdrawn(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(1_000)).await;
    let dispute = world.dispute(&earning.id, usd(1_000)).await.expect("opened");
    let withdrawn = world.withdraw(&dispute.id).await.expect("withdrawn");
    assert_eq!((withdrawn.state(), withdrawn.refunded), (State::Withdrawn, None));
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([900, 0, 0], 0)
    );
    let again = world.dispute(&earning.id, usd(1)).await.expect("another one");
    assert_eq!(again.state(), State::Open);
    world.settle().await;
    world.withdraw(&again.id).await.expect("withdrawn");
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([0, 900, 0], 0)
    );
    world.stop().await;
}

async fn a_dispute_has_its_limits(database: TestDatabase) {
    let world = World::new(database).await;
    let earning = world.earning_of(AccountId::new(), usd(1_000)).await;
    world.refund(&earning.id, usd(400)).await.expect("refunded");
    world.rest().await;
    let before = counts(&world.db).await;
    let disputed = async |amount| refusal(world.dispute(&earning.id, amount).await);
    assert_eq!(disputed(usd(601)).await, not("DISPUTE_TOO_LARGE"));
    assert_eq!(disputed(money("EUR", 1)).await, not("OTHER_CURRENCY"));
    let nowhere = world
        .resolve(&DisputeId::new().to_string(), Outcome::Client, None)
        .await;
    assert_eq!(refusal(nowhere).0, Code::NotFound);
    assert_eq!(counts(&world.db).await, before, "a refusal writes nothing");
    // From this moment the money is available, whether the timer has come or not.
    world.clock.set(start().add_days(5)).expect("forwards");
    assert_eq!(disputed(usd(1)).await, not("DISPUTE_TOO_LATE"));
    world.stop().await;
}

async fn of_many_disputes_one_is_opened(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let earning = world.earning_of(ada, usd(1_000)).await;
    let answers = join_all((0..10).map(|_| world.dispute(&earning.id, usd(100)))).await;
    let (opened, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((opened.len(), refused.len()), (1, 9));
    for answer in refused {
        assert_eq!(refusal(answer), not("DISPUTE_EXISTS"));
    }
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([810, 0, 0], 90)
    );
    let dispute = opened.into_iter().flatten().next().expect("one").id;
    let answers = join_all((0..10).map(|_| world.resolve(&dispute, Outcome::Client, None))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    assert_eq!(count(&world.db, "reversal").await, 1);
    assert_eq!(
        (world.balances(ada, "USD").await, world.held(ada, "USD").await),
        ([810, 0, 0], 0)
    );
    world.stop().await;
}

async fn both_sides_have_their_say(database: TestDatabase) {
    let world = World::new(database).await;
    let earning = world.earning_of(AccountId::new(), usd(1_000)).await;
    let dispute = world.dispute(&earning.id, usd(100)).await.expect("opened");
    for text in ["One", "Two", "Three"] {
        let note = world.note(&dispute.id, text).await.expect("said");
        assert_eq!(note.author(), Author::Operator, "the test calls as an operator");
    }
    let (mut texts, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListDisputeNotesRequest {
            dispute_id: dispute.id.clone(),
            page_size: 2,
            page_token,
        };
        let page = world.disputes.clone().list_dispute_notes(request).await;
        let page = page.expect("notes").into_inner();
        texts.extend(page.notes.into_iter().map(|note| note.text));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(texts, ["One", "Two", "Three"]);
    world.withdraw(&dispute.id).await.expect("withdrawn");
    assert_eq!(refusal(world.note(&dispute.id, "Late").await), not("DISPUTE_CLOSED"));
    world.stop().await;
}

async fn old_disputes_are_found_by_operators(database: TestDatabase) {
    let world = World::new(database).await;
    let first = world.earning_of(AccountId::new(), usd(1_000)).await;
    let old = world.dispute(&first.id, usd(1)).await.expect("opened").id;
    let second = world.earning_of(AccountId::new(), usd(1_000)).await;
    let closed = world.dispute(&second.id, usd(1)).await.expect("opened").id;
    world.withdraw(&closed).await.expect("withdrawn");
    world.clock.set(start().add_days(29)).expect("forwards");
    let third = world.earning_of(AccountId::new(), usd(1_000)).await;
    let new = world.dispute(&third.id, usd(1)).await.expect("opened").id;
    let month_ago = start().add_days(1);
    assert_eq!(world.disputes("", State::Open, Some(month_ago)).await, [old.as_str()]);
    assert_eq!(
        world.disputes("", State::Open, None).await,
        [old.as_str(), new.as_str()]
    );
    assert_eq!(
        world.disputes("", State::Unspecified, None).await,
        [old.as_str(), closed.as_str(), new.as_str()]
    );
    assert_eq!(
        world.disputes(&third.contract_id, State::Unspecified, None).await,
        [new.as_str()]
    );
    assert_eq!(
        world.disputes("", State::Open, Some(start())).await,
        [""; 0],
        "none was opened before"
    );
    world.stop().await;
}

async fn the_tables_refuse_what_cannot_be(database: TestDatabase) {
    let world = World::new(database).await;
    let earning = world.earning_of(AccountId::new(), usd(1_000)).await;
    world.earning_of(AccountId::new(), money("JPY", 1_000)).await;
    let dispute = world.dispute(&earning.id, usd(100)).await.expect("opened");
    world.note(&dispute.id, "Once").await.expect("said");
    let second = "INSERT INTO dispute SELECT contract_id, earning_id, contract_id, currency, amount_minor, held_minor, \
                  reason, description, state, opened_at, closed_at, refunded_minor, explanation FROM dispute";
    for (sql, why) in [
        (second, "dispute.earning_id|dispute_is_open_once"),
        (
            "UPDATE earning SET refunded_minor = gross_minor - 99 WHERE disputed_minor > 0",
            "earning_is_refunded_at_most_once",
        ),
        (
            "UPDATE earning SET disputed_minor = -1",
            "earning_is_refunded_at_most_once",
        ),
        ("UPDATE dispute SET currency = 'JPY'", "FOREIGN KEY|dispute_earning"),
        (
            "UPDATE dispute SET amount_minor = 0",
            "dispute_amount_is_positive|dispute_holds_a_part",
        ),
        ("UPDATE dispute SET held_minor = 101", "dispute_holds_a_part"),
        (
            "UPDATE dispute SET state = 'RESOLVED'",
            "dispute_end_is_told|dispute_resolution_is_told",
        ),
        ("UPDATE dispute SET closed_at = 1", "dispute_end_is_told"),
        ("UPDATE dispute_note SET text = 'Twice'", "append-only"),
        ("DELETE FROM dispute_note", "append-only"),
    ] {
        let answer = tried(&world.db, sql).await;
        let told = |error: &String| why.split('|').any(|part| error.contains(part));
        assert!(answer.as_ref().is_err_and(told), "{sql}: {answer:?}");
    }
    world.stop().await;
}
