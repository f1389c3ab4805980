//! The crash storm: people who use a real system while its processes are killed, until every answer is known; then the
//! books are compared with what an oracle in another language makes of the answers.
//!
//! | module | holds |
//! |---|---|
//! | `people` | who calls, and what |
//! | [`Crowd`] | all of them, and a system that they use |
//! | `chaos` | who kills whom, and when |
//! | [`points`] | processes that end at a named instant |
//! | `books` | what was answered, what is in the books, and the oracle that compares the two |

mod books;
mod chaos;
mod crowd;
mod people;
pub mod points;

use std::{fmt, sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng};
use tokio::time::Instant;
use vouch_primitives::Timestamp;
use vouch_testkit::Engine;

use self::chaos::{Chaos, Killed};
pub use self::{
    crowd::Crowd,
    people::{Contract, House, Leave},
};
use crate::{Cluster, Error, cluster::Plan};

/// What a dead consumer had in hand comes again so soon, not after the half minute of production.
const SOON_AGAIN: (&str, &str) = ("NATS__ACK_WAIT_SECONDS", "2");
/// How often the caller hears how far it is.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// Everything has settled and every window has ended so long after the storm.
const AFTERMATH_MONTHS: u32 = 5;

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
        let cluster = Cluster::start(plan(self.engine)?, |_| ()).await?;
        let mut crowd = Crowd::gather(&cluster, self.seed ^ 0x5EED).await?;
        let house = Arc::clone(crowd.house());
        let mut chaos = Chaos::new(cluster, StdRng::seed_from_u64(self.seed));
        let (began, mut told, before) = (Instant::now(), Instant::now(), house.commands());
        let report = |chaos: &Chaos| Report {
            lasted: began.elapsed(),
            commands: house.commands() - before,
            killed: chaos.killed.clone(),
            verdict: String::new(),
        };
        while !self.is_over(&report(&chaos)) {
            crowd.all_calling()?;
            chaos.strike().await?;
            if told.elapsed() >= TOLD_EVERY {
                told = Instant::now();
                tell(&report(&chaos));
            }
        }
        crowd.disperse().await?;
        let report = report(&chaos);
        let verdict = house.aftermath(chaos.into_cluster()).await?;
        Ok(Report { verdict, ..report })
    }

    fn is_over(self, report: &Report) -> bool {
        report.lasted >= self.at_least && report.commands >= self.commands && report.killed.all() >= self.kills
    }
}

/// A system for people whose answers are compared: on a test clock, and soon to try again what was handed out in vain.
///
/// # Errors
/// Never: the first moment is one.
pub fn plan(engine: Engine) -> Result<Plan, Error> {
    Ok(Plan {
        test_clock: Some(first_moment()?),
        settings: vec![SOON_AGAIN],
        ..Plan::new(engine)
    })
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
