//! Processes that end at a named instant, again and again.

use std::{os::unix::process::ExitStatusExt, sync::Arc, time::Duration};

use tokio::time::timeout;
use vouch_proto::operations::v1::{ArmFailPointRequest, FailPoint};
use vouch_testkit::{Engine, Signal};

use super::{
    books::Answers,
    people::{House, Leave},
};
use crate::{Cluster, Error, SERVICES};

/// All instants at which a process can be told to end.
pub const ALL: [FailPoint; 4] = [
    FailPoint::CommittedNotPublished,
    FailPoint::PublishedNotMarked,
    FailPoint::AppliedNotCommitted,
    FailPoint::CommittedNotAcknowledged,
];

/// How long a process may take until it comes to its fail point.
const PATIENCE: Duration = Duration::from_secs(30);
/// An earning becomes available after so long, which is news for referral, whose reward is news for payments.
const SETTLING_DAYS: u32 = 5;

/// Ends a service at each fail point, `times` times, alternating between payments and referral, while money moves; then
/// compares the books. Returns the oracle's words.
///
/// # Errors
/// If a service does not come to its point or does not come back; or the oracle finds other books.
pub async fn play(engine: Engine, times: u32, mut tell: impl FnMut(FailPoint, u32)) -> Result<String, Error> {
    let mut plan = super::plan(engine)?;
    plan.settings.push(("SERVER__FAIL_POINTS", "true"));
    let mut cluster = Cluster::start(plan, |_| ()).await?;
    let answers = Arc::new(Answers::new(cluster.directory())?);
    let house = Box::pin(House::open(cluster.story()?, answers)).await?;
    for point in ALL {
        for time in 0..times {
            let name = if time % 2 == 0 { "payments" } else { "referral" };
            let index = SERVICES.iter().position(|service| *service == name).unwrap_or_default();
            end_at(&mut cluster, &house, index, point, time).await?;
            tell(point, time + 1);
        }
    }
    house.aftermath(cluster).await
}

async fn end_at(cluster: &mut Cluster, house: &House, index: usize, point: FailPoint, time: u32) -> Result<(), Error> {
    let clock = &house.story.clock;
    let contracts = house.contracts();
    let contract = &contracts[usize::try_from(time)? % contracts.len()];
    house.pay(contract, 10_000 + 7 * i64::from(time), Leave::Paid).await?;
    clock.settle().await?;
    let to = clock.now().await?.add_days(SETTLING_DAYS);
    let request = ArmFailPointRequest {
        fail_point: point.into(),
    };
    house.story.clients.fail_points[index]
        .clone()
        .arm_fail_point(request)
        .await?;
    let moved = async { futures::future::try_join_all((0..SERVICES.len()).map(|each| clock.set_one(each, to))).await };
    let came_back = async {
        let ended = cluster.process(index)?.ended(PATIENCE).await?;
        if ended.signal() != Some(Signal::ABORT.as_raw()) {
            return Err(format!("{} ended in another way: {ended}", SERVICES[index]).into());
        }
        cluster.start_again(index).await
    };
    let both = async { tokio::try_join!(moved, came_back) };
    timeout(2 * PATIENCE, both).await??;
    clock.settle().await
}
