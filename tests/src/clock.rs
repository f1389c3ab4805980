//! Moves the test clock of all four services together: to the earliest moment at which one of them has something to do,
//! then waits until all rest, then on.

use std::time::Duration;

use futures::future::try_join_all;
use vouch_primitives::Timestamp;
use vouch_proto::{
    convert::{from_wire_time, to_wire_time},
    operations::v1::{
        GetTestClockRequest, GetTestClockResponse, SetTestClockRequest,
        operations_service_client::OperationsServiceClient,
    },
};
use vouch_runtime::access::Signed;

use crate::{Clients, Error, SERVICES, clients::until_definite};

/// How long the services may take to come to rest.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// The one clock of a system.
#[derive(Clone, Debug)]
pub struct TestClock {
    operations: [OperationsServiceClient<Signed>; SERVICES.len()],
}

/// What a system has done, all services together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Events that were recorded, and published since.
    pub events: u64,
    /// Events that could not be applied.
    pub dead_letters: u64,
}

impl TestClock {
    /// The clock of this system.
    #[must_use]
    pub fn of(clients: &Clients) -> Self {
        Self {
            operations: clients.operations.clone(),
        }
    }

    /// What time it is.
    ///
    /// # Errors
    /// If a service cannot be asked.
    pub async fn now(&self) -> Result<Timestamp, Error> {
        let states = self.look().await?;
        let now = states
            .iter()
            .filter_map(|state| state.now.as_ref().and_then(from_wire_time))
            .max();
        now.ok_or_else(|| "no service tells the time".into())
    }

    /// What the system has done so far.
    ///
    /// # Errors
    /// If a service cannot be asked.
    pub async fn activity(&self) -> Result<Activity, Error> {
        let states = self.look().await?;
        Ok(states.iter().fold(Activity::default(), |sum, state| Activity {
            events: sum.events + state.events_recorded,
            dead_letters: sum.dead_letters + state.dead_letters,
        }))
    }

    /// Waits until nothing is left to do at this moment, in any service.
    ///
    /// All must be quiet twice in a row with the same counts of commits: then there was an instant between the two looks
    /// at which all were quiet at once, and a system that is quiet stays so until the clock moves or somebody calls.
    ///
    /// # Errors
    /// If the services do not come to rest within a minute; the message says what is left.
    pub async fn settle(&self) -> Result<(), Error> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut before = None;
        loop {
            let states = self.look().await?;
            let quiet = states.iter().all(|state| left_to_do(state) == 0);
            let commits: Vec<u64> = states.iter().map(|state| state.commits).collect();
            if quiet && before.as_ref() == Some(&commits) {
                return Ok(());
            }
            before = quiet.then_some(commits);
            if tokio::time::Instant::now() > deadline {
                return Err(format!("the services do not come to rest: {}", describe(&states)).into());
            }
            if !quiet {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Moves to `to`, stopping at each moment at which something is due; `at` is told each of them.
    ///
    /// # Errors
    /// If the services do not come to rest, or `to` lies in the past.
    pub async fn advance_to(&self, to: Timestamp, mut at: impl FnMut(Timestamp)) -> Result<(), Error> {
        self.settle().await?;
        loop {
            let next = self.step_to(to).await?;
            at(next);
            if next == to {
                return Ok(());
            }
        }
    }

    /// Moves to the next moment at which something is due, at most to `to`, waits until all rest, and says which it was.
    ///
    /// # Errors
    /// If the services do not come to rest, or `to` lies in the past.
    pub async fn step_to(&self, to: Timestamp) -> Result<Timestamp, Error> {
        let next = self.next_due().await?.filter(|next| *next < to).unwrap_or(to);
        self.set(next.max(self.now().await?)).await?;
        self.settle().await?;
        Ok(next)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, Error> {
        let states = self.look().await?;
        Ok(states
            .iter()
            .filter_map(|state| state.next_due_time.as_ref().and_then(from_wire_time))
            .min())
    }

    async fn set(&self, to: Timestamp) -> Result<(), Error> {
        try_join_all((0..SERVICES.len()).map(|index| self.set_one(index, to))).await?;
        Ok(())
    }

    /// Moves the clock of one service, by its place in [`SERVICES`], as soon as it can be moved.
    ///
    /// # Errors
    /// If `to` lies in its past.
    pub async fn set_one(&self, index: usize, to: Timestamp) -> Result<(), Error> {
        let request = SetTestClockRequest {
            time: Some(to_wire_time(to)),
        };
        let send = || {
            let mut service = self.operations[index].clone();
            async move { service.set_test_clock(request).await }
        };
        until_definite(send).await?;
        Ok(())
    }

    async fn look(&self) -> Result<Vec<GetTestClockResponse>, Error> {
        // A service that has just lost the bus, or found it again, cannot tell what is left there.
        let answers = try_join_all(self.operations.iter().map(|service| async move {
            let ask = || {
                let mut service = service.clone();
                async move { service.get_test_clock(GetTestClockRequest {}).await }
            };
            until_definite(ask).await.map(tonic::Response::into_inner)
        }));
        Ok(answers.await?)
    }
}

fn left_to_do(state: &GetTestClockResponse) -> u64 {
    state.backlog.as_ref().map_or(0, |backlog| {
        backlog.unpublished_events + backlog.unapplied_events + backlog.due_timers + backlog.due_mails
    })
}

fn describe(states: &[GetTestClockResponse]) -> String {
    let line =
        |(name, state): (&&str, &GetTestClockResponse)| format!("{name}: {:?}", state.backlog.unwrap_or_default());
    SERVICES.iter().zip(states).map(line).collect::<Vec<_>>().join(", ")
}
