//! A client writes its offer anew.

use tonic::{Code, Status};
use vouch_proto::{
    common::v1::{ContractTerms, PayPeriod, RecurringPay, contract_terms::Pay},
    onboarding::v1::{self as pb, case},
};
use vouch_runtime::access::Caller;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    callers::{acme, nda, person, signed},
    example::{acceptance, fixed_terms, request_id},
    tables::{count, told},
    world::{World, refusal},
};

on_both_databases! {
    the_talent_sees_the_newest_offer,
    an_offer_may_be_paid_per_period,
    an_offer_that_is_closed_stays_as_it_is,
}

pub async fn change(world: &World, caller: Caller, case: &pb::Case, terms: ContractTerms) -> Result<pb::Case, Status> {
    let request = pb::ChangeOfferRequest {
        request_id: request_id(),
        case_id: case.id.clone(),
        contract_terms: Some(terms),
    };
    let answer = world.cases_of(caller).change_offer(request).await?;
    Ok(answer.into_inner().case.expect("a case"))
}

pub async fn review(world: &World, case: &pb::Case, offer_version: u32) -> Result<pb::Case, Status> {
    let request = pb::ReviewContractRequest {
        request_id: request_id(),
        case_id: case.id.clone(),
        offer_version,
    };
    let answer = world.cases_of(person(&case.person_id)).review_contract(request).await?;
    Ok(answer.into_inner().case.expect("a case"))
}

pub fn richer() -> ContractTerms {
    let mut terms = fixed_terms();
    let Some(Pay::Fixed(fixed)) = &mut terms.pay else {
        panic!("fixed pay")
    };
    fixed.milestones[0].amount.as_mut().expect("an amount").minor_units = 200_000;
    terms
}

fn precondition(reason: &str) -> (Code, String) {
    (Code::FailedPrecondition, reason.to_owned())
}

// B19, B22
async fn the_talent_sees_the_newest_offer(database: TestDatabase) {
    let world = World::new(database).await;
    world.require(nda()).await;
    let (ada, case) = world.ada().await;
    let ada = person(&ada.id);
    review(&world, &case, 0).await.expect("reviewed");
    let task = world.tasks_of(&case.id).await.remove(0);
    world.start(&ada, &task).await.expect("started");
    world.submit(&ada, &task, signed()).await.expect("signed");

    let same = change(&world, acme(), &case, fixed_terms()).await.expect("as it is");
    assert_eq!(
        (same.state(), same.offer.map(|offer| offer.version)),
        (case::State::AcceptOffer, Some(1))
    );
    let stranger = Caller::Client("019c0000-0000-7000-8000-0000000000ff".parse().expect("an id"));
    let refused = change(&world, stranger, &case, richer()).await;
    assert_eq!(refusal(refused), (Code::NotFound, "NOT_FOUND".to_owned()));
    assert_eq!(
        refusal(change(&world, ada, &case, richer()).await),
        (Code::PermissionDenied, "CALLER_NOT_ALLOWED".to_owned())
    );

    let mails = count(&world.db, "mail").await;
    let changed = change(&world, acme(), &case, richer()).await.expect("changed");
    let offer = changed.offer.clone().expect("an offer");
    assert_eq!((changed.state(), offer.version), (case::State::ReviewContract, 2));
    assert_eq!(
        offer.lapse_time,
        case.offer.clone().and_then(|offer| offer.lapse_time),
        "the day stays"
    );
    assert_eq!(count(&world.db, "mail").await, mails + 1);
    assert_eq!(
        refusal(world.accept(acceptance(&case, "Hello")).await),
        precondition("CONTRACT_NOT_REVIEWED")
    );
    for read_before in [0, 1, 3] {
        assert_eq!(
            refusal(review(&world, &case, read_before).await),
            precondition("OFFER_CHANGED")
        );
    }
    let reviewed = review(&world, &case, 2).await.expect("reviewed");
    assert_eq!(
        reviewed.state(),
        case::State::AcceptOffer,
        "what was confirmed stays so"
    );
    world.accept(acceptance(&case, "Hello")).await.expect("accepted");
    let event = told::<pb::OfferAccepted>(&world.db).await.remove(0);
    let Some(pb::offer_accepted::Pay::Fixed(pay)) = event.pay else {
        panic!("fixed pay")
    };
    assert_eq!(
        pay.milestones[0].amount.as_ref().map(|amount| amount.minor_units),
        Some(200_000)
    );
    world.stop().await;
}

// B2
async fn an_offer_may_be_paid_per_period(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    let Some(Pay::Fixed(fixed)) = fixed_terms().pay else {
        panic!("fixed pay")
    };
    let pay = RecurringPay {
        amount: fixed.milestones[0].amount.clone(),
        every: PayPeriod::TwoWeeks.into(),
    };
    let terms = ContractTerms {
        pay: Some(Pay::Recurring(pay.clone())),
        ..fixed_terms()
    };
    let changed = change(&world, acme(), &case, terms.clone()).await.expect("changed");
    let offer = changed.offer.expect("an offer");
    assert_eq!(offer.contract_terms, Some(terms));
    review(&world, &case, offer.version).await.expect("reviewed");
    world.accept(acceptance(&case, "Hello")).await.expect("accepted");
    let event = told::<pb::OfferAccepted>(&world.db).await.remove(0);
    assert_eq!(event.pay, Some(pb::offer_accepted::Pay::Recurring(pay)));
    world.stop().await;
}

async fn an_offer_that_is_closed_stays_as_it_is(database: TestDatabase) {
    let world = World::new(database).await;
    let (_, case) = world.ada().await;
    world.decline(&case.id, "").await.expect("declined");
    assert_eq!(
        refusal(change(&world, acme(), &case, richer()).await),
        precondition("OFFER_DECLINED")
    );
    let cloud = world.invitations.send_to_cloud("bob@example.com");
    let activated = world
        .activate(crate::example::activation(&cloud, "bob@example.com"))
        .await;
    let case = activated.expect("an account").case.expect("a case");
    assert_eq!(
        refusal(change(&world, acme(), &case, richer()).await),
        precondition("NO_OFFER")
    );
    world.stop().await;
}
