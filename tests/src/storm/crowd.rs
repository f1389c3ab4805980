//! Everybody who uses a system, until they are told to stop.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    books::Answers,
    people::{House, Lane},
};
use crate::{Cluster, Error};

/// Time goes on by so much…
const TICK_HOURS: u64 = 8;
/// … so often; a minute and a half is a month.
const TICK: Duration = Duration::from_secs(1);
/// Time stands still from here on, so that everything can still be refunded.
const MOST_TICKS: u64 = 400;
/// Lanes that work on each contract.
const LANES: usize = 3;
/// Somebody new is hired so often.
const HIRED_EVERY: Duration = Duration::from_secs(8);

/// People who work, are hired, and let time pass on a system.
pub struct Crowd {
    house: Arc<House>,
    people: JoinSet<Result<(), Error>>,
    stop: CancellationToken,
}

impl Crowd {
    /// Opens a house on a fresh system and lets everybody begin; what they do follows from the seed.
    ///
    /// # Errors
    /// If the house cannot be opened.
    pub async fn gather(cluster: &Cluster, seed: u64) -> Result<Self, Error> {
        let answers = Arc::new(Answers::new(cluster.directory())?);
        let house = Arc::new(Box::pin(House::open(cluster.story()?, answers)).await?);
        let stop = CancellationToken::new();
        let mut rng = StdRng::seed_from_u64(seed);
        let mut people = JoinSet::new();
        for contract in house.contracts() {
            for _ in 0..LANES {
                let lane = Lane::new(Arc::clone(&house), contract.clone(), rng.random());
                people.spawn(lane.work(stop.clone()));
            }
        }
        people.spawn(Arc::clone(&house).hire_on(stop.clone(), HIRED_EVERY, rng.random()));
        people.spawn(Arc::clone(&house).let_time_pass(stop.clone(), TICK, TICK_HOURS, MOST_TICKS));
        Ok(Self { house, people, stop })
    }

    /// The house that they use.
    #[must_use]
    pub fn house(&self) -> &Arc<House> {
        &self.house
    }

    /// Whether nobody has stopped calling.
    ///
    /// # Errors
    /// If somebody has, and why.
    pub fn all_calling(&mut self) -> Result<(), Error> {
        match self.people.try_join_next() {
            None => Ok(()),
            Some(ended) => {
                ended??;
                Err("somebody stopped calling before they were told to".into())
            }
        }
    }

    /// Tells everybody to stop, and waits until each has the last answer.
    ///
    /// # Errors
    /// If somebody had to give up.
    pub async fn disperse(mut self) -> Result<Arc<House>, Error> {
        self.stop.cancel();
        while let Some(ended) = self.people.join_next().await {
            ended??;
        }
        Ok(self.house)
    }
}
