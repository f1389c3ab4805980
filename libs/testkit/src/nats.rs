//! A real nats-server with a JetStream file store, on its own port and in its own directory.

use std::{fs, path::Path, process::Command, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{
    Process, Signal, TestkitError,
    tools::{free_port, nats_server, unique_name},
};

/// How long a start or an orderly stop may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A nats-server that lives as long as this value. Port and store survive [`stop`](Self::stop) and
/// [`kill`](Self::kill), so that [`start_again`](Self::start_again) brings back the same server.
#[derive(Debug)]
pub struct NatsServer {
    process: Process,
    port: u16,
    /// Told by the server in its greeting: tells ours from another one that got the same free port.
    name: String,
    directory: TempDir,
}

impl NatsServer {
    /// A fresh server that anybody on this machine may use.
    ///
    /// # Errors
    /// If there is no nats-server, or it does not start.
    pub async fn start() -> Result<Self, TestkitError> {
        Self::start_with("").await
    }

    /// A fresh server with `settings` (nats-server's configuration language) beside the address and the store:
    /// accounts, permissions, `jetstream` limits …
    ///
    /// # Errors
    /// If there is no nats-server, or it does not start with these settings.
    pub async fn start_with(settings: &str) -> Result<Self, TestkitError> {
        let directory = tempfile::tempdir().map_err(TestkitError::io("make a directory for nats-server"))?;
        Self::start_in(directory, settings).await
    }

    /// As [`start_with`](Self::start_with), in a directory that is not empty: `include "…"` finds files in it, and nowhere
    /// else.
    ///
    /// # Errors
    /// If there is no nats-server, or it does not start with these settings.
    pub async fn start_in(directory: TempDir, settings: &str) -> Result<Self, TestkitError> {
        let name = unique_name("test");
        let mut tries = 0;
        loop {
            let port = free_port()?;
            configure(directory.path(), port, &name, settings)?;
            match launch(directory.path(), port, &name).await {
                Ok(process) => {
                    return Ok(Self {
                        process,
                        port,
                        name,
                        directory,
                    });
                }
                // Another process was given the same free port; the next one is another.
                Err(TestkitError::Failed { log, .. }) if log.contains("address already in use") && tries < 5 => {
                    tries += 1
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// `nats://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The directory of its configuration, log and store.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The process, to pause it (SIGSTOP, SIGCONT) or to look at its log.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Stops it in an orderly way; connections are closed, the store stays.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn stop(&mut self) -> Result<(), TestkitError> {
        self.process.end_with(Signal::INT, PATIENCE).await.map(drop)
    }

    /// Kills it with SIGKILL, as a power switch would; the store stays as it is at that instant.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn kill(&mut self) -> Result<(), TestkitError> {
        self.process.end_with(Signal::KILL, PATIENCE).await.map(drop)
    }

    /// Starts it again after [`stop`](Self::stop) or [`kill`](Self::kill), on the same port with the same store.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_again(&mut self) -> Result<(), TestkitError> {
        self.process = launch(self.directory.path(), self.port, &self.name).await?;
        Ok(())
    }

    /// Deletes the store of a server that does not run, as a new machine in place of a broken one has none.
    ///
    /// # Errors
    /// If it cannot be deleted.
    pub fn wipe(&self) -> Result<(), TestkitError> {
        fs::remove_dir_all(self.directory().join("store")).map_err(TestkitError::io("wipe the store of nats-server"))
    }

    /// Its TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it and starts it again.
    ///
    /// # Errors
    /// If it does not stop or does not start.
    pub async fn restart(&mut self) -> Result<(), TestkitError> {
        self.stop().await?;
        self.start_again().await
    }
}

fn configure(directory: &Path, port: u16, name: &str, settings: &str) -> Result<(), TestkitError> {
    let store = directory.join("store");
    // Every text is quoted: nats-server reads a bare ./x as a number that went wrong. The room is named because it
    // would else be a share of what the disk has free, which streams of 1 GiB each soon go past on a small machine,
    // though what they hold here is little.
    let text = format!(
        "server_name: \"{name}\"\nlisten: \"127.0.0.1:{port}\"\njetstream {{ store_dir: \"{}\", max_file_store: 64GB }}\n{settings}\n",
        store.display()
    );
    fs::write(directory.join("nats.conf"), text).map_err(TestkitError::io("write nats.conf"))
}

async fn launch(directory: &Path, port: u16, name: &str) -> Result<Process, TestkitError> {
    let mut command = Command::new(nats_server()?);
    command
        .arg("-c")
        .arg(directory.join("nats.conf"))
        .current_dir(directory);
    let process = Process::spawn("nats-server", &command, &directory.join("nats.log"))?;
    let deadline = Instant::now() + PATIENCE;
    while !greets(port, name).await {
        if !process.is_running() {
            return Err(process.failed("ended while it started"));
        }
        if Instant::now() > deadline {
            return Err(process.failed("does not answer"));
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(process)
}

/// A server greets with `INFO {…}` as soon as it takes clients, and it takes them after JetStream has recovered.
async fn greets(port: u16, name: &str) -> bool {
    let Ok(stream) = TcpStream::connect(("127.0.0.1", port)).await else {
        return false;
    };
    let mut line = String::new();
    let read = tokio::time::timeout(Duration::from_secs(1), BufReader::new(stream).read_line(&mut line)).await;
    matches!(read, Ok(Ok(_))) && line.starts_with("INFO ") && line.contains(name) && line.contains("\"jetstream\":true")
}
