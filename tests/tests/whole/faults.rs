//! The surroundings fail while people work: NATS, the databases, the disks, the wires. Whoever calls gets an answer that
//! says what to do, no process ends, and afterwards the books agree with the answers to the minor unit.
//!
//! `VOUCH_FAULTS_SEED=17` lets people do, and wires fail, as another time.

mod bus;
mod databases;
mod wires;

use std::{env, fs, sync::Arc, time::Duration};

use tokio::time::Instant;
use vouch_suite::{
    Cluster, SERVICES,
    clients::Tried,
    cluster::Plan,
    storm::{self, Crowd, House},
};
use vouch_testkit::{Engine, eventually};

const PAYMENTS: usize = 2;
const REFERRAL: usize = 3;
/// The longest that a service works on a call; whoever asks for no less hears within a second more.
const DEADLINE: (&str, &str) = ("SERVER__DEADLINE", "5s");
const LONGEST: Duration = Duration::from_secs(6);
/// How soon all is well again once a fault is over.
const SOON: Duration = Duration::from_secs(10);
/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(60);
/// What somebody new is told about a contract that comes with an event.
const NOT_YET: &str = "NotFound NOT_FOUND";
/// So many commands show that people go on.
const SOME: u64 = 20;

/// A system under load.
struct Scene {
    cluster: Cluster,
    crowd: Crowd,
}

/// A system for these tests; its seed is told.
fn plan(engine: Engine) -> (Plan, u64) {
    let seed = env::var("VOUCH_FAULTS_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a number"));
    eprintln!("VOUCH_FAULTS_SEED={seed}");
    let mut plan = storm::plan(engine).expect("a plan");
    plan.settings.push(DEADLINE);
    (plan, seed)
}

impl Scene {
    async fn begin((plan, seed): (Plan, u64)) -> Self {
        let cluster = Cluster::start(plan, |_| ()).await.expect("a cluster");
        let crowd = Box::pin(Crowd::gather(&cluster, seed)).await.expect("people");
        let scene = Self { cluster, crowd };
        scene.tried();
        scene
    }

    fn house(&self) -> &Arc<House> {
        self.crowd.house()
    }

    /// What became of the calls since it was last asked.
    fn tried(&self) -> Tried {
        self.house().story.clients.tally.take()
    }

    /// Waits until people have carried out so many more commands.
    async fn until_done(&mut self, commands: u64, limit: Duration) {
        let wanted = self.house().commands() + commands;
        let (crowd, cluster) = (&mut self.crowd, &self.cluster);
        eventually("people go on", limit, async || {
            crowd
                .all_calling()
                .map_err(|error| error.to_string())
                .expect("all call");
            cluster
                .all_running()
                .map_err(|error| error.to_string())
                .expect("no service has ended");
            match crowd.house().commands() {
                done if done >= wanted => Ok(()),
                done => Err(format!("{} are missing", wanted - done)),
            }
        })
        .await;
    }

    /// Waits until a fault has lasted so long, with people working or trying to.
    async fn endure(&mut self, lasting: Duration) {
        let end = Instant::now() + lasting;
        while Instant::now() < end {
            self.crowd.all_calling().expect("all call");
            self.cluster.all_running().expect("no service has ended");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Everybody stops; the books agree with the answers.
    async fn end(self) {
        let house = self.crowd.disperse().await.expect("everybody has an answer");
        let verdict = Box::pin(house.aftermath(self.cluster)).await;
        eprintln!("{}", verdict.unwrap_or_else(|error| panic!("{error}")));
    }

    async fn all_ready(&self) {
        for (index, name) in SERVICES.iter().enumerate() {
            assert!(
                self.cluster.is_ready(index).await.expect("an answer"),
                "{name} is not ready"
            );
        }
    }

    /// How much memory a service has, in bytes.
    fn memory(&self, index: usize) -> u64 {
        let id = self.cluster.process(index).expect("running").id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.expect("a size") * 1024
    }
}

/// Every call was answered in time, and those that were refused were told what to do: to try again.
fn assert_decided(what: &str, tried: &Tried) {
    eprintln!("{what}: {tried:?}");
    for refusal in tried.refused.keys().filter(|refusal| *refusal != NOT_YET) {
        let (code, reason) = refusal.split_once(' ').expect("a code and a reason");
        let again = ["Unavailable", "ResourceExhausted", "DeadlineExceeded"].contains(&code);
        let stable = reason
            .chars()
            .all(|letter| letter.is_ascii_uppercase() || letter == '_');
        assert!(again && stable, "{what}: {refusal}: {tried:?}");
    }
    assert!(tried.slowest < LONGEST, "{what}: {:?}", tried.slowest);
}
