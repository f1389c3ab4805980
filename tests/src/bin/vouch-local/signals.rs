//! Ctrl-C and SIGTERM.

use std::{fmt, future::Future, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::timeout,
};
use vouch_suite::Error;

/// How much later than a child we may hear of a signal.
const HEARSAY: Duration = Duration::from_millis(200);

/// Somebody asked the program to stop.
#[derive(Debug)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Listens for both from the moment it is made: none is lost, and none ends the process.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> Result<Self, Error> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Does the work unless a signal comes first; then the work is dropped, with all that it has started.
    pub async fn unless_interrupted<T>(&mut self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let done = tokio::select! {
            biased;
            () = self.next() => return Err(Interrupted.into()),
            done = work => done,
        };
        // A child that the terminal has signalled, too, may fail a moment before we hear of it.
        match done {
            Err(_) if timeout(HEARSAY, self.next()).await.is_ok() => Err(Interrupted.into()),
            done => done,
        }
    }
}
