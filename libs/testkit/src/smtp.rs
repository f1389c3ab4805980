//! A real SMTP server that records what it gets: Python's aiosmtpd, which this project did not write.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::{Process, Signal, TestkitError, tools::python};

const PATIENCE: Duration = Duration::from_secs(20);
const PROGRAM: &str = include_str!("smtp_sink.py");

/// How clients have to speak to the sink.
#[derive(Clone, Debug, Default)]
pub struct SmtpOptions {
    /// In the clear, after STARTTLS, or TLS from the first byte.
    pub tls: SinkTls,
    /// User name and password; mail is refused without them.
    pub login: Option<(String, String)>,
}

/// Encryption of the sink's port; the certificate is for `localhost` and signed by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SinkTls {
    /// No encryption.
    #[default]
    None,
    /// STARTTLS is offered and demanded.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// Where in the conversation a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// When the recipient is named.
    Recipient,
    /// After the whole message was sent.
    Data,
    /// After the whole message was sent the connection breaks off, without an answer.
    Drop,
}

/// One delivery attempt that the sink saw, accepted or refused.
#[derive(Clone, Debug, Deserialize)]
pub struct Received {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients; of a refused one, that one.
    pub to: Vec<String>,
    /// The reply, e.g. `250 2.0.0 taken` or the refusal.
    pub answer: String,
    /// `<address>:<port>` of the client: the same for all messages of one connection.
    pub peer: String,
    /// Whether the connection was encrypted.
    pub tls: bool,
    /// The user that logged in.
    pub user: Option<String>,
    /// Name and decoded value, in order.
    pub headers: Vec<(String, String)>,
    /// The decoded text part.
    pub text: String,
    /// The decoded HTML part.
    pub html: String,
    /// The message as it came; empty if it was refused before.
    pub raw: String,
}

impl Received {
    /// Whether the sink took it.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.answer.starts_with('2')
    }

    /// The first header of this name, decoded.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(header, _)| header.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A running sink, that lives as long as this value.
#[derive(Debug)]
pub struct SmtpSink {
    process: Process,
    port: u16,
    options: SmtpOptions,
    directory: TempDir,
    refusals: u32,
}

impl SmtpSink {
    /// A sink that takes mail from anybody, in the clear.
    ///
    /// # Errors
    /// If there is no Python with aiosmtpd.
    pub async fn start() -> Result<Self, TestkitError> {
        Self::start_with(SmtpOptions::default()).await
    }

    /// A sink with encryption or a login.
    ///
    /// # Errors
    /// If there is no Python with aiosmtpd, or no `openssl` to make a certificate with.
    pub async fn start_with(options: SmtpOptions) -> Result<Self, TestkitError> {
        let directory = tempfile::tempdir().map_err(TestkitError::io("make a directory for the smtp sink"))?;
        let prepared = fs::create_dir(directory.path().join("refusals"))
            .and_then(|()| fs::write(directory.path().join("smtp_sink.py"), PROGRAM));
        prepared.map_err(TestkitError::io("write the smtp sink"))?;
        if options.tls != SinkTls::None {
            make_certificate(directory.path())?;
        }
        let (process, port) = launch(directory.path(), 0, &options).await?;
        Ok(Self {
            process,
            port,
            options,
            directory,
            refusals: 0,
        })
    }

    /// Its TCP port on 127.0.0.1; the host name is `localhost`.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate (PEM) that a client of an encrypted sink has to trust.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    /// The process, to pause it (SIGSTOP, SIGCONT).
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Makes it refuse the next message at `stage` with `answer`, e.g. `451 4.7.1 try again later`. Several refusals
    /// are used in the order of these calls, each once.
    ///
    /// # Errors
    /// If the refusal cannot be written.
    pub fn refuse_next(&mut self, stage: Stage, answer: &str) -> Result<(), TestkitError> {
        let stage = match stage {
            Stage::Recipient => "rcpt",
            Stage::Data => "data",
            Stage::Drop => "drop",
        };
        self.refusals += 1;
        let (new, name) = (
            self.directory.path().join("refusal.new"),
            format!("refusals/{:06}", self.refusals),
        );
        fs::write(&new, format!("{stage} {answer}"))
            .and_then(|()| fs::rename(&new, self.directory.path().join(name)))
            .map_err(TestkitError::io("write a refusal"))
    }

    /// Makes it keep every message from now on unanswered, although it has taken it, until [`release`](Self::release).
    ///
    /// # Errors
    /// If it cannot be told.
    pub fn hold(&self) -> Result<(), TestkitError> {
        fs::write(self.directory.path().join("hold"), "").map_err(TestkitError::io("hold the smtp sink"))
    }

    /// Makes it answer the messages that it has held, and those to come.
    ///
    /// # Errors
    /// If it was not held.
    pub fn release(&self) -> Result<(), TestkitError> {
        fs::remove_file(self.directory.path().join("hold")).map_err(TestkitError::io("release the smtp sink"))
    }

    /// All delivery attempts so far, in order.
    ///
    /// # Errors
    /// If the sink's records cannot be read.
    pub fn attempts(&self) -> Result<Vec<Received>, TestkitError> {
        let unreadable = TestkitError::io("read the smtp sink's records");
        let text = match fs::read_to_string(self.directory.path().join("messages.jsonl")) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        // A line without its end is still being written.
        let lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let attempts: Result<_, serde_json::Error> = lines.map(serde_json::from_str).collect();
        attempts.map_err(|error| unreadable(error.into()))
    }

    /// The messages that it took, in order.
    ///
    /// # Errors
    /// If the sink's records cannot be read.
    pub fn messages(&self) -> Result<Vec<Received>, TestkitError> {
        Ok(self.attempts()?.into_iter().filter(Received::accepted).collect())
    }

    /// Ends it; connections break off and new ones are refused. What it recorded stays.
    ///
    /// # Errors
    /// If it does not end.
    pub async fn stop(&mut self) -> Result<(), TestkitError> {
        self.process.end_with(Signal::KILL, PATIENCE).await.map(drop)
    }

    /// Starts it again after [`stop`](Self::stop), on the same port.
    ///
    /// # Errors
    /// If it does not start.
    pub async fn start_again(&mut self) -> Result<(), TestkitError> {
        (self.process, self.port) = launch(self.directory.path(), self.port, &self.options).await?;
        Ok(())
    }
}

async fn launch(directory: &Path, port: u16, options: &SmtpOptions) -> Result<(Process, u16), TestkitError> {
    let told = directory.join("port");
    if let Err(error) = fs::remove_file(&told)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(TestkitError::io("remove the smtp sink's old port")(error));
    }
    let mut command = Command::new(python()?);
    command
        .arg(directory.join("smtp_sink.py"))
        .arg(directory)
        .arg(port.to_string())
        .current_dir(directory);
    command.arg(match options.tls {
        SinkTls::None => "none",
        SinkTls::StartTls => "starttls",
        SinkTls::Tls => "tls",
    });
    if let Some((user, password)) = &options.login {
        command.args([user, password]);
    }
    let process = Process::spawn(
        "the smtp sink (run `make setup`?)",
        &command,
        &directory.join("smtp.log"),
    )?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(port) = fs::read_to_string(&told).ok().and_then(|text| text.parse().ok()) {
            return Ok((process, port));
        }
        if !process.is_running() {
            return Err(process.failed("ended while it started"));
        }
        if Instant::now() > deadline {
            return Err(process.failed("does not get ready"));
        }
        sleep(Duration::from_millis(5)).await;
    }
}

fn make_certificate(directory: &Path) -> Result<(), TestkitError> {
    // A certificate of a leaf, not of an authority: TLS libraries refuse an authority's as a server's own.
    let profile = "[req]\ndistinguished_name=name\nx509_extensions=leaf\n[name]\n[leaf]\nbasicConstraints=critical,CA:FALSE\n\
                   subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n";
    fs::write(directory.join("openssl.cnf"), profile).map_err(TestkitError::io("write openssl.cnf"))?;
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-noenc",
        "-days",
        "2",
    ]);
    openssl.args([
        "-subj",
        "/CN=localhost",
        "-config",
        "openssl.cnf",
        "-keyout",
        "key.pem",
        "-out",
        "certificate.pem",
    ]);
    let output = openssl
        .current_dir(directory)
        .output()
        .map_err(TestkitError::io("run openssl"))?;
    if output.status.success() {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(TestkitError::Failed {
        name: "openssl".to_owned(),
        how: output.status.to_string(),
        log,
    })
}
