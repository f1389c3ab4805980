//! A real S3 server: Python's moto, which this project did not write. What it holds is in its memory.

use std::{io, process::Command, time::Duration};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::{
    Process, TestkitError,
    tools::{free_port, python},
};

/// Python and moto take some seconds to begin with, on a busy machine more.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often another port is tried when somebody else was quicker.
const TRIES: u32 = 5;
/// The bucket that is there.
const BUCKET: &str = "vouch-test";

/// A running server with one empty bucket, that lives as long as this value. It takes any access key.
#[derive(Debug)]
pub struct S3Server {
    _process: Process,
    port: u16,
    _directory: TempDir,
}

impl S3Server {
    /// Starts it.
    ///
    /// # Errors
    /// If there is no Python with moto.
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
        let directory = tempfile::tempdir().map_err(TestkitError::io("make a directory for the s3 server"))?;
        let port = free_port()?;
        let mut command = Command::new(python()?);
        command
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .current_dir(directory.path());
        let log = directory.path().join("s3.log");
        let process = Process::spawn("the s3 server (run `make setup`?)", &command, &log)?;
        let deadline = Instant::now() + PATIENCE;
        while !make_bucket(port).await {
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

    /// The bucket that is there.
    #[must_use]
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// The names of all objects in the bucket, in order.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn objects(&self) -> Result<Vec<String>, TestkitError> {
        let answer = ask(self.port, "GET", "?list-type=2").await;
        let answer = answer.map_err(TestkitError::io("list the bucket of the s3 server"))?;
        let keys = answer.split("<Key>").skip(1);
        Ok(keys
            .filter_map(|rest| rest.split_once("</Key>"))
            .map(|(key, _)| key.to_owned())
            .collect())
    }
}

/// Whether the bucket was made, which shows that the server is ready.
async fn make_bucket(port: u16) -> bool {
    ask(port, "PUT", "")
        .await
        .is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// One request about the bucket: an HTTP client would be another thing to build for two of them.
async fn ask(port: u16, method: &str, query: &str) -> io::Result<String> {
    let request = format!(
        "{method} /{BUCKET}{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let talk = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    timeout(Duration::from_secs(10), talk).await?
}
