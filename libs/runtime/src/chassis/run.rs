//! Start, wait, stop. The order of stopping is that of the work's way: no new calls, no new facts, no new timers, the
//! relay's last batch, mail, and then the connections.

use futures::FutureExt;
use futures::future::select_all;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use vouch_mail::Sender;
use vouch_messaging::Relay;

use super::{Chassis, ChassisError, Work, housekeeping, probe};
use crate::backlog::Workload;
use crate::fail_points::FailPoints;
use crate::operations::Operations;
use crate::server::{ServerError, Stopped};

/// A worker that runs.
struct Running {
    name: &'static str,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(name: &'static str, work: Work) -> Self {
        let stop = CancellationToken::new();
        let task = tokio::spawn(work(stop.clone()));
        Self { name, stop, task }
    }

    /// Ends it, by force when the time is up: what it was doing is in the database and comes again.
    async fn stop(mut self, by: Instant) {
        self.stop.cancel();
        match timeout_at(by, &mut self.task).await {
            Ok(Ok(())) => tracing::debug!(worker = self.name, "stopped"),
            Ok(Err(error)) => tracing::error!(worker = self.name, %error, "failed while stopping"),
            Err(_) => {
                tracing::warn!(worker = self.name, "did not stop in time");
                self.task.abort();
            }
        }
    }
}

impl Chassis {
    /// Runs until `shutdown` is cancelled, then drains and stops within `server.shutdown_grace`.
    ///
    /// # Errors
    /// When a part cannot start, or ends by itself; the rest is then stopped in the same order.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), ChassisError> {
        let grace = self.config.server.shutdown_grace;
        let (db, bus, name) = (self.db.clone(), self.bus.clone(), self.name);
        let workers = self.start_workers()?;
        let work = self.workload();
        let operations = Operations {
            commands: self.commands(),
            work: work.clone(),
            reappliers: std::mem::take(&mut self.reappliers),
            test_clock: self.clock.as_test(),
        };
        self = self.grpc(operations.server());
        if self.config.server.fail_points {
            self = self.grpc(FailPoints::server(db.clone()));
        }
        let health = self.server.health();
        health.set_ready(false).await;
        let watch = CancellationToken::new();
        let probe = tokio::spawn(probe::run(db.clone(), bus.clone(), health.clone(), watch.clone()));
        let gauges = tokio::spawn(self.gauges(work, watch.clone()));
        // A test clock leaps over months, and its user wants to look back on them.
        if self.clock.as_test().is_none() {
            tokio::spawn(housekeeping::run(
                db.clone(),
                self.config.nats.max_age_days,
                watch.clone(),
            ));
        }
        let drain = CancellationToken::new();
        // Most of the time is for the callers; a little is kept for the workers.
        let serving = tokio::spawn(self.server.serve(self.listener, drain.clone(), grace * 3 / 5));
        tracing::info!(service = name, address = %self.address, "serving");

        let (workers, serving, early) = watched(workers, serving, shutdown).await;
        tracing::info!(service = name, "stopping");
        let by = Instant::now() + grace;
        watch.cancel();
        let _ = probe.await;
        let _ = gauges.await;
        health.set_ready(false).await;
        drain.cancel();
        if let Some(serving) = serving {
            report(timeout_at(by, serving).await.ok());
        }
        for worker in workers {
            worker.stop(by).await;
        }
        // Without a connection there is nothing on its way, and nothing to wait for.
        let flushed = !bus.is_connected() || matches!(timeout_at(by, bus.flush()).await, Ok(Ok(())));
        let closed = matches!(timeout_at(by, db.close()).await, Ok(Ok(())));
        if !(flushed && closed) {
            tracing::warn!(flushed, closed, "the connections were not closed in good order");
        }
        tracing::info!(service = name, "stopped");
        early.map_or(Ok(()), Err)
    }

    /// The workers, in the order in which they stop.
    fn start_workers(&mut self) -> Result<Vec<Running>, ChassisError> {
        let mail = match (self.sends_mail, &self.config.mail) {
            (false, _) => None,
            (true, None) => return Err(ChassisError::NoMail),
            (true, Some(config)) => {
                let sender = Sender::try_new(self.db.clone(), self.clock.clock(), config)?;
                Some(sender.on_bounce(self.on_bounce.take()).recheck(self.recheck.take()))
            }
        };
        let relay = Relay::new(self.db.clone(), self.bus.clone());
        let http = self.http.drain(..).map(|work| Running::start("http", work));
        let consumers = self.consumers.drain(..).map(|work| Running::start("consumer", work));
        let timers = self.timers.drain(..).map(|work| Running::start("timers", work));
        let mut workers: Vec<Running> = http.chain(consumers).chain(timers).collect();
        workers.push(Running::start("relay", Box::new(move |stop| Box::pin(relay.run(stop)))));
        if let Some(sender) = mail {
            workers.push(Running::start("mail", Box::new(move |stop| Box::pin(sender.run(stop)))));
        }
        Ok(workers)
    }

    fn workload(&self) -> Workload {
        Workload {
            db: self.db.clone(),
            bus: self.bus.clone(),
            subscriptions: self.subscriptions.clone(),
            sends_mail: self.sends_mail,
        }
    }
}

type Serving = JoinHandle<Result<Stopped, ServerError>>;

/// Waits for the shutdown, or for a part that ends although nobody asked it to; gives back what still runs.
async fn watched(
    mut workers: Vec<Running>,
    mut serving: Serving,
    shutdown: CancellationToken,
) -> (Vec<Running>, Option<Serving>, Option<ChassisError>) {
    let ended = tokio::select! {
        () = shutdown.cancelled() => return (workers, Some(serving), None),
        result = &mut serving => {
            let error = match result {
                Ok(Err(error)) => ChassisError::Server(error),
                Ok(Ok(_)) | Err(_) => ChassisError::Ended("the gRPC server"),
            };
            return (workers, None, Some(error));
        }
        ((), index, _) = select_all(workers.iter_mut().map(|worker| (&mut worker.task).map(drop))) => index,
    };
    let worker = workers.remove(ended);
    tracing::error!(worker = worker.name, "has ended unexpectedly");
    (workers, Some(serving), Some(ChassisError::Ended(worker.name)))
}

fn report(stopped: Option<Result<Result<Stopped, ServerError>, tokio::task::JoinError>>) {
    match stopped {
        Some(Ok(Ok(Stopped::Drained))) => tracing::debug!("all calls were answered"),
        Some(Ok(Err(error))) => tracing::error!(error = vouch_storage::describe(&error), "the gRPC server failed"),
        Some(Err(error)) => tracing::error!(%error, "the gRPC server failed"),
        Some(Ok(Ok(Stopped::TimedOut))) | None => tracing::warn!("some calls or connections were cut off"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_ends_by_itself_ends_the_service() {
        let steady = Running::start(
            "relay",
            Box::new(|stop| Box::pin(async move { stop.cancelled().await })),
        );
        let broken = Running::start("timers", Box::new(|_| Box::pin(async { panic!("a bug") })));
        let serving = tokio::spawn(std::future::pending());
        let (left, serving, early) = watched(vec![steady, broken], serving, CancellationToken::new()).await;
        assert!(matches!(early, Some(ChassisError::Ended("timers"))), "{early:?}");
        assert!(serving.is_some());
        assert_eq!(left.iter().map(|worker| worker.name).collect::<Vec<_>>(), ["relay"]);
    }
}
