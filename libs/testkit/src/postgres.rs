//! Real PostgreSQL servers: one that all test processes share, and private ones to stop and kill.
//!
//! Both keep `fsync` on, listen on 127.0.0.1 only, trust every local connection and have one superuser, `postgres`.
//! PostgreSQL refuses to run as root, so root runs it as the system's user `postgres`.

use std::{fs, io, path::Path, process::Command, time::Duration};

use rustix::process::{Pid, kill_process};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{
    Process, Signal, TestkitError,
    tools::{free_port, postgres_bin},
};

mod cluster;
mod shared;

pub(crate) use cluster::run;
use cluster::{Postmaster, forget_postgres_settings, give_to_postgres, initialise, log_of, other_user, settings};
pub(crate) use cluster::{create_database, drop_database, url};
pub(crate) use shared::port as shared_port;
pub use shared::stop as stop_shared;

/// How long a start, a stop or an administrative command may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A PostgreSQL server of one test, that lives as long as this value. Port and data survive all ways of stopping it.
#[derive(Debug)]
pub struct PostgresServer {
    process: Process,
    port: u16,
    directory: TempDir,
}

impl PostgresServer {
    /// A fresh server without databases of its own.
    ///
    /// # Errors
    /// If PostgreSQL is not there, or does not start.
    pub async fn start_private() -> Result<Self, TestkitError> {
        let directory = tempfile::tempdir().map_err(TestkitError::io("make a directory for postgresql"))?;
        Self::start_in(directory).await
    }

    /// As [`start_private`](Self::start_private), with its data in this directory.
    ///
    /// # Errors
    /// If PostgreSQL is not there, or does not start.
    pub async fn start_in(directory: TempDir) -> Result<Self, TestkitError> {
        // The work has the directory meanwhile: whoever stops waiting for it leaves nothing behind.
        let made = tokio::task::spawn_blocking(move || {
            give_to_postgres(directory.path())?;
            initialise(directory.path())?;
            Ok(directory)
        });
        let directory = made
            .await
            .map_err(|error| TestkitError::io("make a database cluster")(io::Error::other(error)))??;
        let mut tries = 0;
        loop {
            let port = free_port()?;
            match launch(directory.path(), port).await {
                Ok(process) => {
                    return Ok(Self {
                        process,
                        port,
                        directory,
                    });
                }
                // Another process was given the same free port; the next one is another.
                Err(TestkitError::Failed { log, .. }) if log.contains("Address already in use") && tries < 5 => {
                    tries += 1
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes the empty database `name` and gives its URL.
    ///
    /// # Errors
    /// If the server does not run or has the database already.
    pub async fn create_database(&self, name: &str) -> Result<String, TestkitError> {
        create_database(self.port, name).await?;
        Ok(self.url(name))
    }

    /// `postgres://postgres@127.0.0.1:<port>/<database>`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// Its TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The postmaster, to pause it or to look at its log.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Stops it in an orderly way (`pg_ctl stop -m fast`): open transactions are rolled back.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn stop(&mut self) -> Result<(), TestkitError> {
        self.process.end_with(Signal::INT, PATIENCE).await.map(drop)
    }

    /// Aborts it (`pg_ctl stop -m immediate`): the next start recovers from the log.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn stop_immediately(&mut self) -> Result<(), TestkitError> {
        self.process.end_with(Signal::QUIT, PATIENCE).await.map(drop)
    }

    /// Kills the postmaster and all its children with SIGKILL, at one instant.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn kill(&mut self) -> Result<(), TestkitError> {
        self.kill_all();
        self.process.ended(PATIENCE).await.map(drop)
    }

    /// Starts it again after any way of stopping it, on the same port with the same data.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_again(&mut self) -> Result<(), TestkitError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match launch(self.directory.path(), self.port).await {
                Ok(process) => {
                    self.process = process;
                    return Ok(());
                }
                // The kernel has not taken the killed children's shared memory away yet.
                Err(TestkitError::Failed { log, .. }) if log.contains("still in use") && Instant::now() < deadline => {
                    sleep(Duration::from_millis(20)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Stops it in an orderly way and starts it again.
    ///
    /// # Errors
    /// If it does not stop or does not start.
    pub async fn restart(&mut self) -> Result<(), TestkitError> {
        self.stop().await?;
        self.start_again().await
    }

    /// Stops time for it, as where the machine swaps or its disk hangs: connections stay, nothing is answered.
    pub fn pause(&self) {
        // A stopped postmaster starts no further ones while they are counted.
        self.process.signal(Signal::STOP);
        tell(self.children(), Signal::STOP);
    }

    /// Lets time go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        tell(self.children(), Signal::CONT);
        self.process.signal(Signal::CONT);
    }

    fn kill_all(&self) {
        // Each child makes itself the leader of a group of its own, so the postmaster's group does not reach them.
        // A stopped postmaster starts no further ones while they are counted.
        self.process.signal(Signal::STOP);
        if !self.process.is_running() {
            return;
        }
        let children = self.children();
        self.process.signal(Signal::KILL);
        tell(children, Signal::KILL);
    }

    fn children(&self) -> Vec<Pid> {
        let id = self.process.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        children.filter_map(Pid::from_raw).collect()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.process.say_farewell();
        self.kill_all();
    }
}

fn tell(children: Vec<Pid>, signal: Signal) {
    for child in children {
        // A child that is gone already needs no signal.
        let _ = kill_process(child, signal);
    }
}

async fn launch(directory: &Path, port: u16) -> Result<Process, TestkitError> {
    let mut command = Command::new(postgres_bin()?.join("postgres"));
    forget_postgres_settings(&mut command);
    command
        .arg("-D")
        .arg(directory.join("data"))
        .args(settings(port))
        .current_dir(directory);
    let log = log_of(directory);
    // The log tells about this start only: an old complaint must not be taken for a new one.
    if let Err(error) = fs::remove_file(&log)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(TestkitError::io("remove the old log of postgresql")(error));
    }
    // An immediate shutdown takes the shared memory away; a server that is killed leaves it to the system for ever.
    let process = Process::spawn_as(other_user(), "postgresql", &command, &log)?.with_farewell(Signal::QUIT);
    let deadline = Instant::now() + PATIENCE;
    while Postmaster::read(directory).is_none_or(|postmaster| postmaster.port != port || !postmaster.ready) {
        if !process.is_running() {
            return Err(process.failed("ended while it started"));
        }
        if Instant::now() > deadline {
            return Err(process.failed("does not get ready"));
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(process)
}
