//! The crash storm: people who use a real system while its processes are killed, until every answer is known; then the
//! books are compared with what an oracle in another language makes of the answers.
//!
//! | module | holds |
//! |---|---|
//! | `people` | who calls, and what |
//! | `chaos` | who kills whom, and when |
//! | [`points`] | processes that end at a named instant |
//! | `books` | what was answered, what is in the books, and the oracle that compares the two |

mod books;
mod chaos;
mod people;
pub mod points;

use std::{fmt, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use vouch_primitives::Timestamp;
use vouch_testkit::Engine;

use self::{
    books::Answers,
    chaos::{Chaos, Killed},
    people::{House, Lane},
};
use crate::{Cluster, Error, cluster::Plan};

/// What a dead consumer had in hand comes again so soon, not after the half minute of production.
const SOON_AGAIN: (&str, &str) = ("NATS__ACK_WAIT_SECONDS", "2");
/// How often the caller hears how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// Time goes on by so much…
const TICK_HOURS: u64 = 8;
/// … so often; a storm of a minute and a half is a month.
const TICK: Duration = Duration::from_secs(1);
/// Time stands still from here on, so that everything can still be refunded.
const MOST_TICKS: u64 = 400;
/// Everything has settled and every window has ended so long after the storm.
const AFTERMATH_MONTHS: u32 = 5;
/// Lanes that work on each contract.
const LANES: usize = 3;
/// Somebody new is hired so often.
const HIRED_EVERY: Duration = Duration::from_secs(8);

/// How long a storm lasts: until all of these are reached.
#[derive(Clone, Copy, Debug)]
pub struct Storm {
    /// The database.
    pub engine: Engine,
    /// What chance does.
    pub seed: u64,
    /// So long at least.
    pub at_least: Duration,
    /// So many commands were carried out.
    pub commands: u64,
    /// So many processes were killed.
    pub kills: u32,
}

/// How far a storm is, and at its end what it came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Since the first command.
    pub lasted: Duration,
    /// Commands with a known outcome.
    pub commands: u64,
    /// Processes that were killed.
    pub killed: Killed,
    /// What the oracle compared, in its words; empty before the end.
    pub verdict: String,
}

impl Storm {
    /// Plays it on a fresh system; `tell` hears every few seconds how far it is.
    ///
    /// # Errors
    /// If something is lost, done twice, or does not come back; or the oracle finds other books.
    pub async fn play(self, mut tell: impl FnMut(&Report)) -> Result<Report, Error> {
        let plan = Plan {
            test_clock: Some(first_moment()?),
            settings: vec![SOON_AGAIN],
            ..Plan::new(self.engine)
        };
        let cluster = Cluster::start(plan, |_| ()).await?;
        let answers = Arc::new(Answers::new(cluster.directory())?);
        let house = Arc::new(Box::pin(House::open(cluster.story()?, answers)).await?);
        let stop = CancellationToken::new();
        let mut people = self.people(&house, &stop);
        let mut chaos = Chaos::new(cluster, StdRng::seed_from_u64(self.seed));
        let (began, mut told, before) = (Instant::now(), Instant::now(), house.answers.commands());
        let report = |chaos: &Chaos| Report {
            lasted: began.elapsed(),
            commands: house.answers.commands() - before,
            killed: chaos.killed.clone(),
            verdict: String::new(),
        };
        while !self.is_over(&report(&chaos)) {
            if let Some(ended) = people.try_join_next() {
                ended??;
                return Err("somebody stopped calling before the storm was over".into());
            }
            chaos.strike().await?;
            if told.elapsed() >= TOLD_EVERY {
                told = Instant::now();
                tell(&report(&chaos));
            }
        }
        stop.cancel();
        while let Some(ended) = people.join_next().await {
            ended??;
        }
        let report = report(&chaos);
        let verdict = house.aftermath(chaos.into_cluster(), AFTERMATH_MONTHS).await?;
        Ok(Report { verdict, ..report })
    }

    fn is_over(self, report: &Report) -> bool {
        report.lasted >= self.at_least && report.commands >= self.commands && report.killed.all() >= self.kills
    }

    fn people(self, house: &Arc<House>, stop: &CancellationToken) -> JoinSet<Result<(), Error>> {
        let mut rng = StdRng::seed_from_u64(self.seed ^ 0x5EED);
        let mut people = JoinSet::new();
        for contract in house.contracts() {
            for _ in 0..LANES {
                let lane = Lane::new(Arc::clone(house), contract.clone(), rng.random());
                people.spawn(lane.work(stop.clone()));
            }
        }
        people.spawn(Arc::clone(house).hire_on(stop.clone(), HIRED_EVERY, rng.random()));
        people.spawn(Arc::clone(house).let_time_pass(stop.clone(), TICK, TICK_HOURS, MOST_TICKS));
        people
    }
}

/// The day on which everything begins: three months later there is no such day.
fn first_moment() -> Result<Timestamp, Error> {
    Ok("2026-11-30T09:00:00Z".parse()?)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.lasted.as_secs().max(1);
        write!(
            f,
            "{seconds} s, {} commands ({}/s), killed: {}",
            self.commands,
            self.commands / seconds,
            self.killed
        )?;
        if self.verdict.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.verdict)
        }
    }
}
