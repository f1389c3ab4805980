//! What both kinds of server have in common: a cluster in `<directory>/data`, its settings, its administration.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::getuid;

use crate::{
    TestkitError,
    process::{as_user, tail},
    tools::postgres_bin,
};

pub(crate) fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

pub(crate) async fn create_database(port: u16, name: &str) -> Result<(), TestkitError> {
    let mut command = administer(port, "createdb")?;
    command.args(["--template", "template0", name]);
    tokio::task::spawn_blocking(move || run(&mut command, "createdb"))
        .await
        .map_err(|error| TestkitError::io("run createdb")(io::Error::other(error)))?
}

/// Drops a database with whoever is still connected to it. Blocks; for destructors.
pub(crate) fn drop_database(port: u16, name: &str) -> Result<(), TestkitError> {
    run(
        administer(port, "dropdb")?.args(["--force", "--if-exists", name]),
        "dropdb",
    )
}

/// The user that PostgreSQL runs as, if it is not the one who calls.
pub(super) fn other_user() -> Option<&'static str> {
    getuid().is_root().then_some("postgres")
}

/// `program` of PostgreSQL, run as the right user and untouched by the caller's `PG*` settings.
pub(super) fn as_postgres(program: &Path) -> Command {
    let mut command = as_user(other_user());
    command.arg(program);
    forget_postgres_settings(&mut command);
    command
}

pub(super) fn administer(port: u16, program: &str) -> Result<Command, TestkitError> {
    let mut command = Command::new(postgres_bin()?.join(program));
    forget_postgres_settings(&mut command);
    command.args([
        "--host",
        "127.0.0.1",
        "--username",
        "postgres",
        "--no-password",
        "--port",
        &port.to_string(),
    ]);
    Ok(command)
}

pub(super) fn forget_postgres_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
        command.env_remove(name);
    }
}

pub(crate) fn run(command: &mut Command, name: &str) -> Result<(), TestkitError> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(TestkitError::io(format!("run {name}")))?;
    if output.status.success() {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(TestkitError::Failed {
        name: name.to_owned(),
        how: output.status.to_string(),
        log,
    })
}

pub(super) fn give_to_postgres(directory: &Path) -> Result<(), TestkitError> {
    match other_user() {
        Some(user) => run(Command::new("chown").arg(format!("{user}:")).arg(directory), "chown"),
        None => Ok(()),
    }
}

/// Makes the database cluster `<directory>/data`. Its own files need no fsync: a machine that dies now starts anew.
pub(super) fn initialise(directory: &Path) -> Result<(), TestkitError> {
    let mut initdb = as_postgres(&postgres_bin()?.join("initdb"));
    initdb.args([
        "--username",
        "postgres",
        "--auth",
        "trust",
        "--encoding",
        "UTF8",
        "--locale",
        "C.UTF-8",
        "--no-sync",
    ]);
    initdb
        .arg("--pgdata")
        .arg(directory.join("data"))
        .current_dir(directory);
    run(&mut initdb, "initdb")
}

/// The server's settings, as arguments of `postgres`.
pub(super) fn settings(port: u16) -> Vec<String> {
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=300",
        // Everything that makes an acknowledged commit survive stays on; only the cost of being idle goes down.
        "autovacuum_naptime=5min",
        "log_min_messages=warning",
    ];
    let mut arguments = vec!["-p".to_owned(), port.to_string()];
    arguments.extend(
        settings
            .into_iter()
            .flat_map(|setting| ["-c".to_owned(), setting.to_owned()]),
    );
    arguments
}

pub(super) fn log_of(directory: &Path) -> PathBuf {
    directory.join("postgresql.log")
}

/// What a server writes about itself into its data directory.
pub(super) struct Postmaster {
    pub(super) port: u16,
    pub(super) ready: bool,
}

impl Postmaster {
    /// The server that runs on `<directory>/data` at this moment, if one does.
    pub(super) fn read(directory: &Path) -> Option<Self> {
        let data = directory.join("data");
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        // After a crash the file stays and somebody else may have the number: ours names its data directory.
        let command_line = fs::read(format!("/proc/{}/cmdline", lines.first()?)).ok()?;
        let ours = command_line
            .split(|byte| *byte == 0)
            .any(|argument| argument == data.as_os_str().as_bytes());
        let port = lines.get(3)?.parse().ok()?;
        ours.then_some(Self {
            port,
            ready: lines.get(7) == Some(&"ready"),
        })
    }
}

pub(super) fn failed_to_start(directory: &Path, error: TestkitError) -> TestkitError {
    match error {
        TestkitError::Failed { name, how, log } => TestkitError::Failed {
            name,
            how,
            log: format!("{log}\n{}", tail(&log_of(directory))),
        },
        other => other,
    }
}
