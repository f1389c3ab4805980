//! A real server that speaks Stripe's API: Python's localstripe, which this project did not write. What it holds is in its memory.

use std::{process::Command, time::Duration};

use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{
    Process, TestkitError,
    tools::{free_port, python},
};

/// Python and aiohttp take a second to begin with, on a busy machine more.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often another port is tried when somebody else was quicker.
const TRIES: u32 = 5;
const PROGRAM: &str = include_str!("stripe_server.py");

/// A running server that knows nobody yet, and lives as long as this value. It takes any secret key.
#[derive(Debug)]
pub struct StripeServer {
    _process: Process,
    port: u16,
    _directory: TempDir,
}

impl StripeServer {
    /// Starts it.
    ///
    /// # Errors
    /// If there is no Python with localstripe.
    pub async fn start() -> Result<Self, TestkitError> {
        let mut tries = 1;
        loop {
            match Self::start_once().await {
                Err(TestkitError::Failed { .. }) if tries < TRIES => tries += 1,
                outcome => return outcome,
            }
        }
    }

    async fn start_once() -> Result<Self, TestkitError> {
        let directory = tempfile::tempdir().map_err(TestkitError::io("make a directory for the stripe server"))?;
        let port = free_port()?;
        let mut command = Command::new(python()?);
        command
            .args(["-c", PROGRAM, &port.to_string()])
            .current_dir(directory.path());
        let log = directory.path().join("stripe.log");
        let process = Process::spawn("the stripe server (run `make setup`?)", &command, &log)?;
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if !process.is_running() {
                return Err(process.failed("ended while it started"));
            }
            if Instant::now() > deadline {
                return Err(process.failed("does not get ready"));
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(Self {
            _process: process,
            port,
            _directory: directory,
        })
    }

    /// Its address, in plaintext.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
