//! Who kills whom, and when.

use std::{collections::BTreeMap, fmt, time::Duration};

use rand::{Rng, RngExt, rngs::StdRng};
use tokio::time::{Instant, sleep};

use crate::{Cluster, Error, SERVICES};

/// The pause before the next kill, in milliseconds.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 200..=2_000;
/// How long what was killed stays dead, at most.
const DEAD_MS: u64 = 300;
/// Two are killed at once, one time in so many.
const TWO_IN: u32 = 6;
/// PostgreSQL recovers from its log after each kill; it is left so long to work in between.
const POSTGRES_EVERY: Duration = Duration::from_secs(15);

/// Kills processes of a cluster, and starts them again.
pub(super) struct Chaos {
    cluster: Cluster,
    rng: StdRng,
    postgres_killed: Instant,
    pub killed: Killed,
}

/// How often each process was killed.
#[derive(Clone, Debug, Default)]
pub struct Killed(BTreeMap<&'static str, u32>);

/// A process, in the order in which they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Postgres,
    Nats,
    Service(usize),
}

impl Chaos {
    pub fn new(cluster: Cluster, rng: StdRng) -> Self {
        Self {
            cluster,
            rng,
            postgres_killed: Instant::now(),
            killed: Killed::default(),
        }
    }

    pub fn into_cluster(self) -> Cluster {
        self.cluster
    }

    /// Waits a little, kills one or two processes with SIGKILL, and starts them again.
    pub async fn strike(&mut self) -> Result<(), Error> {
        sleep(Duration::from_millis(self.rng.random_range(PAUSE_MS))).await;
        self.cluster.all_running()?;
        let mut victims = vec![self.victim()];
        if self.rng.random_ratio(1, TWO_IN) {
            victims.push(self.victim());
        }
        victims.sort();
        victims.dedup();
        for victim in &victims {
            self.kill(*victim).await?;
        }
        sleep(Duration::from_millis(self.rng.random_range(0..=DEAD_MS))).await;
        for victim in victims {
            self.start_again(victim).await?;
        }
        Ok(())
    }

    fn victim(&mut self) -> Victim {
        if self.cluster.postgres.is_some() && self.postgres_killed.elapsed() >= POSTGRES_EVERY {
            self.postgres_killed = Instant::now();
            return Victim::Postgres;
        }
        match below(&mut self.rng, SERVICES.len() + 1) {
            service if service < SERVICES.len() => Victim::Service(service),
            _ => Victim::Nats,
        }
    }

    async fn kill(&mut self, victim: Victim) -> Result<(), Error> {
        let name = match victim {
            Victim::Postgres => "postgres",
            Victim::Nats => "nats",
            Victim::Service(index) => SERVICES[index],
        };
        *self.killed.0.entry(name).or_default() += 1;
        match (victim, &mut self.cluster.postgres) {
            (Victim::Postgres, Some(server)) => server.kill().await?,
            (Victim::Postgres, None) => {}
            (Victim::Nats, _) => self.cluster.nats.kill().await?,
            (Victim::Service(index), _) => self.cluster.kill(index).await?,
        }
        Ok(())
    }

    async fn start_again(&mut self, victim: Victim) -> Result<(), Error> {
        match (victim, &mut self.cluster.postgres) {
            (Victim::Postgres, Some(server)) => server.start_again().await?,
            (Victim::Postgres, None) => {}
            (Victim::Nats, _) => self.cluster.nats.start_again().await?,
            (Victim::Service(index), _) => self.cluster.start_again(index).await?,
        }
        Ok(())
    }
}

fn below(rng: &mut impl Rng, end: usize) -> usize {
    rng.random_range(0..end)
}

impl Killed {
    /// How many kills there were.
    #[must_use]
    pub fn all(&self) -> u32 {
        self.0.values().sum()
    }
}

impl fmt::Display for Killed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.all())?;
        let each: Vec<_> = self.0.iter().map(|(name, times)| format!("{name} {times}")).collect();
        if each.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", each.join(", "))
        }
    }
}
