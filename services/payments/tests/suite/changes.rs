//! Work that is sent back, and milestones that are given up.

use tonic::{Code, Status};
use vouch_primitives::AccountId;
use vouch_proto::{
    convert::to_wire_time,
    payments::v1::{self as pb, milestone::State, milestone_event::Kind},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, tried},
    world::{World, milestones, refusal, request_id, start, usd, violations},
};

on_both_databases! {
    changes_are_asked_for_and_the_silence_begins_anew,
    what_silence_has_approved_is_changed_no_more,
    a_milestone_is_given_up_before_it_is_paid_for,
    the_talent_gives_back_what_is_in_escrow,
    what_was_said_stays_as_it_was_said,
}

impl World {
    async fn say(&self, milestone: &str, message: &str) -> Result<pb::Milestone, Status> {
        let request = pb::SubmitMilestoneRequest {
            request_id: request_id(),
            milestone_id: milestone.to_owned(),
            message: message.to_owned(),
        };
        let answer = self.contracts.clone().submit_milestone(request).await?;
        Ok(answer.into_inner().milestone.expect("a milestone"))
    }

    async fn ask(&self, milestone: &str, message: &str) -> Result<pb::Milestone, Status> {
        let request = pb::RequestChangesRequest {
            request_id: request_id(),
            milestone_id: milestone.to_owned(),
            message: message.to_owned(),
        };
        let answer = self.contracts.clone().request_changes(request).await?;
        Ok(answer.into_inner().milestone.expect("a milestone"))
    }

    pub async fn cancel(&self, milestone: &str) -> Result<pb::Milestone, Status> {
        let request = pb::CancelMilestoneRequest {
            request_id: request_id(),
            milestone_id: milestone.to_owned(),
        };
        let answer = self.contracts.clone().cancel_milestone(request).await?;
        Ok(answer.into_inner().milestone.expect("a milestone"))
    }

    pub async fn give_back(&self, milestone: &str) -> Result<pb::Milestone, Status> {
        let request = pb::RefundEscrowRequest {
            request_id: request_id(),
            milestone_id: milestone.to_owned(),
        };
        let answer = self.contracts.clone().refund_escrow(request).await?;
        Ok(answer.into_inner().milestone.expect("a milestone"))
    }

    async fn said(&self, milestone: &str) -> Vec<(Kind, String)> {
        let (mut said, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListMilestoneEventsRequest {
                milestone_id: milestone.to_owned(),
                page_size: 2,
                page_token,
            };
            let page = self.contracts.clone().list_milestone_events(request).await;
            let page = page.expect("events").into_inner();
            said.extend(page.events.into_iter().map(|event| (event.kind(), event.message)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return said;
            }
        }
    }
}

fn not(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}

// B7, F6
async fn changes_are_asked_for_and_the_silence_begins_anew(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    assert_eq!(refusal(world.ask(id, "Early").await), not("MILESTONE_NOT_SUBMITTED"));
    world.fund(id).await.expect("funded");
    world.say(id, "First").await.expect("submitted");
    world.clock.set(start().add_days(10)).expect("forwards");
    let sent_back = world.ask(id, "Larger").await.expect("sent back");
    assert_eq!((sent_back.state(), sent_back.submit_time), (State::Funded, None));
    assert_eq!(count(&world.db, "timer").await, 0, "silence approves nothing now");
    assert_eq!(refusal(world.approve(id).await), not("MILESTONE_NOT_SUBMITTED"));
    world.clock.set(start().add_days(20)).expect("forwards");
    let again = world.say(id, "Second").await.expect("submitted");
    assert_eq!(again.auto_approve_time, Some(to_wire_time(start().add_days(34))));
    world.clock.set(start().add_days(33)).expect("forwards");
    assert_eq!(world.balances(ada, "USD").await, [0, 0, 0]);
    world.clock.set(start().add_days(34)).expect("forwards");
    world.until_balances(ada, "USD", [900, 0, 0]).await;
    let read = world.contract_of(&contract.id).await;
    let earning = world.earning(&milestones(&read)[0].earning_id).await;
    assert_eq!(
        (earning.occur_time, earning.available_time),
        (
            Some(to_wire_time(start().add_days(20))),
            Some(to_wire_time(start().add_days(39)))
        ),
        "the submission that was approved is the one that counts"
    );
    let said = [
        (Kind::Submitted, "First"),
        (Kind::ChangesRequested, "Larger"),
        (Kind::Submitted, "Second"),
    ];
    assert_eq!(world.said(id).await, said.map(|(kind, text)| (kind, text.to_owned())));
    world.stop().await;
}

// B7
async fn what_silence_has_approved_is_changed_no_more(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    world.fund(id).await.expect("funded");
    world.submit(id).await.expect("submitted");
    world.clock.set(start().add_days(14)).expect("forwards");
    // Whether the timer has come or not.
    assert_eq!(refusal(world.ask(id, "Late").await), not("MILESTONE_NOT_SUBMITTED"));
    assert_eq!(refusal(world.give_back(id).await), not("MILESTONE_NOT_IN_ESCROW"));
    world.until_balances(ada, "USD", [900, 0, 0]).await;
    world.stop().await;
}

// B7
async fn a_milestone_is_given_up_before_it_is_paid_for(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    assert_eq!(refusal(world.give_back(id).await), not("MILESTONE_NOT_IN_ESCROW"));
    assert_eq!(world.cancel(id).await.expect("cancelled").state(), State::Cancelled);
    assert_eq!(world.cancel(id).await.expect("a repeat").state(), State::Cancelled);
    assert_eq!(refusal(world.fund(id).await), not("MILESTONE_NOT_AGREED"));
    assert_eq!(count(&world.db, "transfer").await, 0, "nobody has paid");
    let other = world.milestone(&contract.id, usd(500)).await.expect("a milestone");
    world.fund(&other.id).await.expect("funded");
    assert_eq!(refusal(world.cancel(&other.id).await), not("MILESTONE_NOT_AGREED"));
    world.stop().await;
}

// B7
async fn the_talent_gives_back_what_is_in_escrow(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = AccountId::new();
    let contract = world.contract(ada, usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    let other = world.milestone(&contract.id, usd(500)).await.expect("a milestone");
    for id in [id, &other.id] {
        world.fund(id).await.expect("funded");
    }
    world.submit(id).await.expect("submitted");
    assert_eq!(world.give_back(id).await.expect("given back").state(), State::Cancelled);
    let moved = count(&world.db, "transfer").await;
    assert_eq!(world.give_back(id).await.expect("a repeat").state(), State::Cancelled);
    assert_eq!(count(&world.db, "transfer").await, moved, "the client is paid once");
    world.rest().await;
    assert_eq!(count(&world.db, "timer").await, 0, "silence approves nothing");
    let in_escrow = "UPDATE balance SET amount_minor = amount_minor WHERE amount_minor = 500 \
                     AND account_id = (SELECT id FROM ledger_account WHERE kind = 'ESCROW')";
    assert_eq!(tried(&world.db, in_escrow).await, Ok(1), "what is left is the other's");
    assert_eq!(refusal(world.approve(id).await), not("MILESTONE_NOT_SUBMITTED"));
    world.earn_funded(&other.id).await;
    assert_eq!(world.balances(ada, "USD").await, [450, 0, 0]);
    world.stop().await;
}

impl World {
    async fn earn_funded(&self, milestone: &str) {
        self.submit(milestone).await.expect("submitted");
        self.approve(milestone).await.expect("approved");
    }
}

async fn what_was_said_stays_as_it_was_said(database: TestDatabase) {
    let world = World::new(database).await;
    let contract = world.contract(AccountId::new(), usd(1_000)).await;
    let id = &milestones(&contract)[0].id;
    world.fund(id).await.expect("funded");
    assert_eq!(violations(world.say(id, "").await), ["message REQUIRED"]);
    assert_eq!(
        violations(world.say(id, &"x".repeat(5_001)).await),
        ["message TOO_LONG"]
    );
    world.say(id, &"x".repeat(5_000)).await.expect("submitted");
    for change in [
        "UPDATE milestone_event SET message = 'y'",
        "DELETE FROM milestone_event",
    ] {
        let answer = tried(&world.db, change).await;
        assert!(
            answer.as_ref().is_err_and(|e| e.contains("append-only")),
            "{change}: {answer:?}"
        );
    }
    world.stop().await;
}
