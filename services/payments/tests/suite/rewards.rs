//! Rewards: cumulative amounts arrive, differences are posted.

use futures::future::join_all;
use tonic::Status;
use vouch_messaging::dead_letter;
use vouch_primitives::{AccountId, ClientId, EventId, Uuid};
use vouch_proto::{
    common::v1::Money,
    payments::v1 as pb,
    referral::v1::{RewardKind, RewardReleased},
};
use vouch_testkit::{TestDatabase, eventually, on_both_databases};

use crate::{
    tables::{count, tried},
    world::{SOON, World, refusal, released, request_id, usd},
};

on_both_databases! {
    the_difference_to_what_was_posted_is_posted,
    what_a_referee_gets_is_posted_and_summed_up_apart,
    older_and_repeated_releases_change_nothing,
    a_decrease_takes_what_is_there_and_the_rest_is_owed,
    a_new_epoch_goes_on_from_what_was_posted,
    a_contradicting_release_is_set_aside,
    a_reward_is_not_an_earning,
    a_reward_of_a_client_is_owed_by_the_client,
    a_client_pays_for_its_rewards_and_has_credit_for_what_is_taken_back,
    of_two_who_record_the_same_payment_one_is_refused,
    what_a_client_has_paid_stays_in_the_database,
}

fn tie(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

async fn hear(world: &World, release: &RewardReleased) {
    world.hear(EventId::new(), release).await;
}

async fn the_difference_to_what_was_posted_is_posted(database: TestDatabase) {
    let world = World::new(database).await;
    let dana = AccountId::new();
    for (sequence, cumulative, available) in [(1, 6_250, 6_250), (2, 10_000, 10_000), (3, 9_000, 9_000)] {
        hear(&world, &released(tie(1), dana, usd(cumulative), (1, sequence))).await;
        world.until_balances(dana, "USD", [0, available, 0]).await;
    }
    let bonus = RewardReleased {
        kind: RewardKind::WindowBonus.into(),
        ..released(tie(1), dana, usd(12_500), (1, 1))
    };
    hear(&world, &bonus).await;
    world.until_balances(dana, "USD", [0, 21_500, 0]).await;
    let posted = |kind: &str, minor, sequence| pb::RewardPosting {
        tie_id: tie(1).to_string(),
        kind: kind.to_owned(),
        posted: Some(usd(minor)),
        epoch: 1,
        sequence,
        account_id: dana.to_string(),
    };
    let expected = [posted("LIFETIME_SHARE", 9_000, 3), posted("WINDOW_BONUS", 12_500, 1)];
    assert_eq!(world.reward_postings(dana).await, expected);
    let lines = world.statement(dana, "USD", 0).await;
    let amounts: Vec<_> = lines
        .iter()
        .map(|line| line.amount.as_ref().map_or(0, |m| m.minor_units))
        .collect();
    assert_eq!(amounts, [6_250, 3_750, -1_000, 12_500]);
    assert!(
        lines
            .iter()
            .all(|line| line.kind == "REWARD" && line.source_id == tie(1).to_string())
    );
    world.stop().await;
}

// R24
async fn what_a_referee_gets_is_posted_and_summed_up_apart(database: TestDatabase) {
    let world = World::new(database).await;
    let dana = AccountId::new();
    hear(&world, &released(tie(1), dana, usd(21_500), (1, 1))).await;
    let benefit = RewardReleased {
        kind: RewardKind::RefereeBenefit.into(),
        ..released(tie(2), dana, usd(2_500), (1, 3))
    };
    hear(&world, &benefit).await;
    world.until_balances(dana, "USD", [0, 24_000, 0]).await;
    let request = pb::ListRewardPostingsRequest {
        account_id: dana.to_string(),
        ..Default::default()
    };
    let listed = world.ledger.clone().list_reward_postings(request).await;
    let listed = listed.expect("reward postings").into_inner();
    assert_eq!((listed.totals, listed.benefits), (vec![usd(21_500)], vec![usd(2_500)]));
    let void = RewardReleased {
        cumulative: Some(usd(0)),
        sequence: 4,
        ..benefit
    };
    hear(&world, &void).await;
    world.until_balances(dana, "USD", [0, 21_500, 0]).await;
    world.stop().await;
}

// R32
async fn a_reward_of_a_client_is_owed_by_the_client(database: TestDatabase) {
    let world = World::new(database).await;
    let (dana, client) = (AccountId::new(), ClientId::new());
    let reward = |cumulative, sequence| RewardReleased {
        kind: RewardKind::ClientReward.into(),
        funding_client_id: client.to_string(),
        ..released(tie(1), dana, usd(cumulative), (1, sequence))
    };
    hear(&world, &reward(20_000, 1)).await;
    world.until_balances(dana, "USD", [0, 20_000, 0]).await;
    assert_eq!(world.debts(client).await, [(0, 20_000, 0)]);
    assert!(
        world.receivables(&client.to_string()).await.is_empty(),
        "no invoice is owed"
    );
    hear(&world, &reward(0, 2)).await;
    world.until_balances(dana, "USD", [0, 0, 0]).await;
    assert!(world.debts(client).await.is_empty());
    // Without a client nobody would pay it.
    hear(
        &world,
        &RewardReleased {
            funding_client_id: String::new(),
            ..reward(500, 3)
        },
    )
    .await;
    hear(&world, &released(tie(2), dana, usd(1), (1, 1))).await;
    world.until_balances(dana, "USD", [0, 1, 0]).await;
    world.stop().await;
}

impl World {
    /// What a client owes for invoices and for rewards, and its credit, in US dollars.
    async fn debts(&self, client: ClientId) -> Vec<(i64, i64, i64)> {
        let request = pb::GetReceivablesRequest {
            client_id: client.to_string(),
        };
        let answer = self.billing.clone().get_receivables(request).await;
        let minor = |money: &Option<Money>| money.as_ref().map_or(0, |money| money.minor_units);
        let debts = answer.expect("an answer").into_inner().debts;
        debts
            .iter()
            .map(|one| (minor(&one.invoices), minor(&one.rewards), minor(&one.credit)))
            .collect()
    }

    /// All that a client has paid, page by page, newest first.
    async fn payments(&self, client: ClientId) -> Vec<pb::ClientPayment> {
        let (mut listed, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = pb::ListClientPaymentsRequest {
                client_id: client.to_string(),
                page_size: 1,
                page_token,
            };
            let page = self.billing.clone().list_client_payments(request).await;
            let page = page.expect("a page").into_inner();
            listed.extend(page.payments);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return listed;
            }
        }
    }

    async fn undo(&self, id: &str) -> Result<Option<Money>, Status> {
        let request = pb::UndoClientPaymentRequest {
            request_id: request_id(),
            client_payment_id: id.to_owned(),
        };
        let answer = self.billing.clone().undo_client_payment(request).await?;
        Ok(answer.into_inner().owed)
    }

    async fn pay(&self, client: ClientId, minor: i64, reference: &str) -> Result<Option<Money>, Status> {
        let request = pb::RecordClientPaymentRequest {
            request_id: request_id(),
            client_id: client.to_string(),
            amount: Some(usd(minor)),
            reference: reference.to_owned(),
            receive_time: None,
        };
        let answer = self.billing.clone().record_client_payment(request).await?;
        Ok(answer.into_inner().still_owed)
    }
}

// R32
async fn a_client_pays_for_its_rewards_and_has_credit_for_what_is_taken_back(database: TestDatabase) {
    let world = World::new(database).await;
    let (dana, client) = (AccountId::new(), ClientId::new());
    let reward = |number, cumulative, sequence| RewardReleased {
        kind: RewardKind::ClientReward.into(),
        funding_client_id: client.to_string(),
        ..released(tie(number), dana, usd(cumulative), (1, sequence))
    };
    assert_eq!(refusal(world.pay(client, 1, "early").await).1, "CLIENT_OWES_LESS");
    hear(&world, &reward(1, 20_000, 1)).await;
    world.until_balances(dana, "USD", [0, 20_000, 0]).await;
    assert_eq!(
        refusal(world.pay(client, 20_001, "too much").await).1,
        "CLIENT_OWES_LESS"
    );
    assert_eq!(
        world.pay(client, 15_000, "2026-17").await.expect("paid"),
        Some(usd(5_000))
    );
    assert_eq!(
        refusal(world.pay(client, 5_000, "2026-17").await).1,
        "CLIENT_PAYMENT_EXISTS"
    );
    assert_eq!(world.debts(client).await, [(0, 5_000, 0)]);

    // What was paid for is taken back: the client has it to its credit, and the next reward is paid from it.
    hear(&world, &reward(1, 0, 2)).await;
    world.until_balances(dana, "USD", [0, 0, 0]).await;
    assert_eq!(world.debts(client).await, [(0, 0, 15_000)]);
    hear(&world, &reward(2, 16_000, 1)).await;
    world.until_balances(dana, "USD", [0, 16_000, 0]).await;
    assert_eq!(world.debts(client).await, [(0, 1_000, 0)]);
    assert_eq!(world.pay(client, 1_000, "2026-18").await.expect("paid"), Some(usd(0)));
    assert!(world.debts(client).await.is_empty());

    let listed = world.payments(client).await;
    let told: Vec<_> = listed
        .iter()
        .map(|it| (it.reference.as_str(), it.amount.clone()))
        .collect();
    assert_eq!(told, [("2026-18", Some(usd(1_000))), ("2026-17", Some(usd(15_000)))]);

    // The second one has bounced, and the first one was recorded for the wrong client.
    assert_eq!(world.undo(&listed[0].id).await.expect("undone"), Some(usd(1_000)));
    let undone = join_all((0..4).map(|_| world.undo(&listed[1].id))).await;
    assert_eq!(undone.iter().filter(|one| one.is_ok()).count(), 1, "{undone:?}");
    assert_eq!(refusal(world.undo(&listed[1].id).await).1, "CLIENT_PAYMENT_UNDONE");
    assert_eq!(world.debts(client).await, [(0, 16_000, 0)]);
    // One that is undone while the client has credit takes that first.
    assert_eq!(world.pay(client, 16_000, "2026-19").await.expect("paid"), Some(usd(0)));
    hear(&world, &reward(2, 10_000, 2)).await;
    world.until_balances(dana, "USD", [0, 10_000, 0]).await;
    assert_eq!(world.debts(client).await, [(0, 0, 6_000)]);
    let newest = &world.payments(client).await[0];
    assert_eq!(world.undo(&newest.id).await.expect("undone"), Some(usd(10_000)));
    world.stop().await;
}

/// A client owes 200.00 for a reward of its own.
async fn owes_for_a_reward(world: &World, client: ClientId) {
    let dana = AccountId::new();
    let reward = RewardReleased {
        kind: RewardKind::ClientReward.into(),
        funding_client_id: client.to_string(),
        ..released(tie(1), dana, usd(20_000), (1, 1))
    };
    hear(world, &reward).await;
    world.until_balances(dana, "USD", [0, 20_000, 0]).await;
}

async fn of_two_who_record_the_same_payment_one_is_refused(database: TestDatabase) {
    let world = World::new(database).await;
    let client = ClientId::new();
    owes_for_a_reward(&world, client).await;
    let both = join_all((0..8).map(|_| world.pay(client, 6_000, "2026-17"))).await;
    assert_eq!(both.iter().filter(|one| one.is_ok()).count(), 1, "{both:?}");
    // And together they never pay more than is owed.
    let names: Vec<_> = (0..8).map(|number| format!("bill {number}")).collect();
    let all = join_all(names.iter().map(|name| world.pay(client, 6_000, name))).await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 2, "{all:?}");
    assert_eq!(world.debts(client).await, [(0, 2_000, 0)]);
    world.stop().await;
}

async fn what_a_client_has_paid_stays_in_the_database(database: TestDatabase) {
    let world = World::new(database).await;
    let client = ClientId::new();
    owes_for_a_reward(&world, client).await;
    world.pay(client, 6_000, "2026-17").await.expect("paid");
    world.pay(client, 5_000, "2026-18").await.expect("paid");
    let listed = world.payments(client).await;
    world.undo(&listed[0].id).await.expect("undone");
    for change in [
        "UPDATE client_payment SET amount_minor = amount_minor - 1",
        "UPDATE client_payment SET reference = reference || 'x', undone_at = 1 WHERE undone_at IS NULL",
        "UPDATE client_payment SET undone_at = NULL WHERE undone_at IS NOT NULL",
        "DELETE FROM client_payment",
    ] {
        let answer = tried(&world.db, change).await;
        assert!(
            answer.as_ref().is_err_and(|e| e.contains("append-only")),
            "{change}: {answer:?}"
        );
    }
    // It is not the test that is refused everything.
    let undone = "UPDATE client_payment SET undone_at = 1 WHERE undone_at IS NULL";
    assert_eq!(tried(&world.db, undone).await, Ok(1));
    world.stop().await;
}

async fn older_and_repeated_releases_change_nothing(database: TestDatabase) {
    let world = World::new(database).await;
    let dana = AccountId::new();
    hear(&world, &released(tie(1), dana, usd(500), (1, 5))).await;
    world.until_balances(dana, "USD", [0, 500, 0]).await;
    // The series ends on the oldest: nothing that comes after it puts right what it did.
    for (sequence, mark) in [5, 4, 2, 3, 1].into_iter().zip(1..) {
        hear(&world, &released(tie(1), dana, usd(100 * sequence), (1, sequence))).await;
        hear(&world, &released(tie(2), dana, usd(mark), (1, mark))).await;
        world.until_balances(dana, "USD", [0, 500 + mark, 0]).await;
        assert_eq!(count(&world.db, "reward_posting").await, 1 + mark, "after {sequence}");
    }
    // A whole batch in the wrong order: only its newest counts.
    for sequence in [7, 9, 6, 8, 9, 6] {
        hear(&world, &released(tie(3), dana, usd(1_000 * sequence), (1, sequence))).await;
    }
    hear(&world, &released(tie(2), dana, usd(6), (1, 6))).await;
    world.until_balances(dana, "USD", [0, 9_506, 0]).await;
    let postings = world.reward_postings(dana).await;
    let standing: Vec<_> = postings.iter().map(|posting| posting.sequence).collect();
    assert_eq!(standing, [5, 6, 9]);
    assert_eq!(dead_letter::count(world.db.reader()).await.expect("a number"), 0);
    world.stop().await;
}

async fn a_decrease_takes_what_is_there_and_the_rest_is_owed(database: TestDatabase) {
    let world = World::new(database).await;
    let dana = AccountId::new();
    hear(&world, &released(tie(1), dana, usd(500), (1, 1))).await;
    hear(&world, &released(tie(2), dana, usd(300), (1, 1))).await;
    world.until_balances(dana, "USD", [0, 800, 0]).await;
    hear(&world, &released(tie(1), dana, usd(0), (1, 2))).await;
    world.until_balances(dana, "USD", [0, 300, 0]).await;
    hear(&world, &released(tie(2), dana, usd(0), (1, 2))).await;
    world.until_balances(dana, "USD", [0, 0, 0]).await;
    world.stop().await;
}

async fn a_new_epoch_goes_on_from_what_was_posted(database: TestDatabase) {
    let world = World::new(database).await;
    let dana = AccountId::new();
    hear(&world, &released(tie(1), dana, usd(500), (1, 40))).await;
    world.until_balances(dana, "USD", [0, 500, 0]).await;
    // The referral database was rebuilt: it counts from 1 again, and finds a little less.
    hear(&world, &released(tie(1), dana, usd(480), (2, 1))).await;
    world.until_balances(dana, "USD", [0, 480, 0]).await;
    hear(&world, &released(tie(1), dana, usd(9_999), (1, 41))).await;
    hear(&world, &released(tie(1), dana, usd(600), (2, 2))).await;
    world.until_balances(dana, "USD", [0, 600, 0]).await;
    assert_eq!(count(&world.db, "reward_posting").await, 3);
    world.stop().await;
}

async fn a_contradicting_release_is_set_aside(database: TestDatabase) {
    let world = World::new(database).await;
    let (dana, eve) = (AccountId::new(), AccountId::new());
    let good = released(tie(1), dana, usd(500), (1, 1));
    hear(&world, &good).await;
    world.until_balances(dana, "USD", [0, 500, 0]).await;
    let bad = [
        released(tie(1), dana, usd(501), (1, 1)),
        released(tie(1), eve, usd(900), (1, 2)),
        released(tie(1), dana, usd(-1), (1, 3)),
        released(tie(1), dana, usd(900), (1, 0)),
        RewardReleased {
            kind: 99,
            ..good.clone()
        },
        RewardReleased {
            cumulative: Some(Money::default()),
            ..good.clone()
        },
        RewardReleased {
            cumulative: None,
            account_id: String::new(),
            ..good
        },
    ];
    for bad in &bad {
        hear(&world, bad).await;
    }
    hear(&world, &released(tie(2), dana, usd(7), (1, 1))).await;
    world.until_balances(dana, "USD", [0, 507, 0]).await;
    eventually("the dead letters", SOON, async || {
        let letters = dead_letter::list(world.db.reader(), 100)
            .await
            .map_err(|e| e.to_string())?;
        let told: Vec<_> = letters.iter().map(|letter| letter.error.clone()).collect();
        if told.len() == bad.len() {
            Ok(())
        } else {
            Err(format!("{told:?}"))
        }
    })
    .await;
    assert_eq!(world.balances(eve, "USD").await, [0, 0, 0]);
    world.stop().await;
}

async fn a_reward_is_not_an_earning(database: TestDatabase) {
    let world = World::new(database).await;
    let dana = AccountId::new();
    hear(&world, &released(tie(1), dana, usd(500), (1, 1))).await;
    world.until_balances(dana, "USD", [0, 500, 0]).await;
    assert_eq!(
        (count(&world.db, "earning").await, count(&world.db, "outbox").await),
        (0, 0)
    );
    world.stop().await;
}
