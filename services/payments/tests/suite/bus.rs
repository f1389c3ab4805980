//! A bus that repeats, shuffles, holds back and loses: the money is the same.

use vouch_messaging::{MemoryBus, dead_letter};
use vouch_primitives::{AccountId, EventId, Uuid};
use vouch_proto::payments::v1 as pb;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, told},
    world::{World, fixed_offer, milestones, released, usd},
};

on_both_databases! { with_seed_1, with_seed_2, with_seed_3 }

async fn with_seed_1(database: TestDatabase) {
    amounts_are_right(World::on(database, MemoryBus::new(1)).await).await;
}

async fn with_seed_2(database: TestDatabase) {
    amounts_are_right(World::on(database, MemoryBus::new(2)).await).await;
}

async fn with_seed_3(database: TestDatabase) {
    amounts_are_right(World::on(database, MemoryBus::new(3)).await).await;
}

async fn amounts_are_right(world: World) {
    let (ada, dana) = (AccountId::new(), AccountId::new());
    let offers: Vec<_> = (1..=5)
        .map(|number| fixed_offer(ada, &[("Work", usd(1_000 * number))]))
        .collect();
    for offer in &offers {
        world.hear(EventId::new(), offer).await;
    }
    for tie in 1..=3_u8 {
        for sequence in 1..=10 {
            let amount = usd(7 * sequence * i64::from(tie));
            let release = released(Uuid::from_u128(tie.into()), dana, amount, (1, sequence));
            world.hear(EventId::new(), &release).await;
        }
    }
    for offer in &offers {
        let contract = world.contract_of(&offer.contract_id).await;
        world.earn(&milestones(&contract)[0].id).await;
    }
    world.until_balances(ada, "USD", [13_500, 0, 0]).await;
    world.until_balances(dana, "USD", [0, 420, 0]).await;
    assert_eq!(
        (count(&world.db, "contract").await, count(&world.db, "milestone").await),
        (5, 5)
    );
    assert_eq!(told::<pb::ContractStarted>(&world.db).await.len(), 5);
    assert_eq!(dead_letter::count(world.db.reader()).await.expect("a number"), 0);
    world.stop().await;
}
