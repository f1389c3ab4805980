//! Where the programs are that the tests run.
//!
//! Looked for in this order: an environment variable, `.tools/` in the repository (which `make setup` fills), `PATH`.

use std::{
    env, fs,
    io::ErrorKind,
    net::TcpListener,
    ops::Range,
    path::{Path, PathBuf},
};

use crate::TestkitError;

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    let libs = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    libs.and_then(Path::parent).unwrap_or_else(|| Path::new(".")).to_owned()
}

/// What a process holds in memory, in KiB.
///
/// # Panics
/// If it does not run.
#[must_use]
pub fn resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("a process that runs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("a size");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Compares a text with what stands in a file; `VOUCH_RENEW_GOLDEN=1` writes it there instead, on purpose.
///
/// # Panics
/// If they differ.
pub fn assert_golden(file: &Path, actual: &str) {
    if env::var_os("VOUCH_RENEW_GOLDEN").is_some() {
        fs::write(file, actual).expect("written");
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    assert!(
        expected == actual,
        "{} has changed; look at it, then renew it with VOUCH_RENEW_GOLDEN=1:\n{actual}",
        file.display()
    );
}

/// `nats-server`: `VOUCH_NATS_SERVER`, `.tools/bin/nats-server`, `PATH`.
///
/// # Errors
/// If it is nowhere.
pub fn nats_server() -> Result<PathBuf, TestkitError> {
    find("nats-server", "VOUCH_NATS_SERVER", ".tools/bin/nats-server")
}

/// A Python that has aiosmtpd, moto, localstripe and what the examples of docs/ need: `VOUCH_PYTHON`, `.tools/venv/bin/python3`,
/// `PATH`.
///
/// # Errors
/// If it is nowhere.
pub fn python() -> Result<PathBuf, TestkitError> {
    find("python3", "VOUCH_PYTHON", ".tools/venv/bin/python3")
}

/// `buf`: `VOUCH_BUF`, `.tools/bin/buf`, `PATH`.
///
/// # Errors
/// If it is nowhere.
pub fn buf() -> Result<PathBuf, TestkitError> {
    find("buf", "VOUCH_BUF", ".tools/bin/buf")
}

/// The directory of `postgres`, `initdb` and their kin: `VOUCH_POSTGRES_BIN`, the newest of
/// `/usr/lib/postgresql/*/bin` (Debian keeps them off `PATH`), or where `PATH` has `initdb`.
///
/// # Errors
/// If it is nowhere.
pub fn postgres_bin() -> Result<PathBuf, TestkitError> {
    if let Some(named) = env::var_os("VOUCH_POSTGRES_BIN") {
        return Ok(named.into());
    }
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let newest = versions
        .filter(|version| version.join("bin/initdb").is_file())
        .max_by_key(|version| version.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    match newest {
        Some(version) => Ok(version.join("bin")),
        None => on_path("initdb")
            .and_then(|initdb| initdb.parent().map(Path::to_owned))
            .ok_or(TestkitError::ToolMissing("postgresql")),
    }
}

/// Below those that systems give to outgoing connections: of these one could take a port before a server does.
const PORTS: Range<u16> = 16_000..32_000;

/// A TCP port of 127.0.0.1 that nobody listens on at this moment. Somebody else may take it before it is used: who
/// starts a server on it tries again with another one.
///
/// # Errors
/// If a hundred that were drawn are taken.
pub fn free_port() -> Result<u16, TestkitError> {
    free_ports(1)
}

/// The first of so many ports in a row, as above.
///
/// # Errors
/// If one of each row is taken, of a hundred that were drawn.
pub fn free_ports(count: u16) -> Result<u16, TestkitError> {
    let drawn = std::iter::repeat_with(|| {
        let [.., high, low] = *unique().as_bytes();
        PORTS.start + u16::from_be_bytes([high, low]) % (PORTS.end - PORTS.start - count)
    });
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    drawn
        .take(100)
        .find(|first| (*first..*first + count).all(is_free))
        .ok_or_else(|| TestkitError::io("find a free port")(ErrorKind::AddrInUse.into()))
}

/// A name that nobody else has, on any machine: `<prefix>_<32 hexadecimal digits>`.
pub(crate) fn unique_name(prefix: &str) -> String {
    format!("{prefix}_{}", unique().simple())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the name of a server or a database is no id of the domain"
)]
fn unique() -> uuid::Uuid {
    uuid::Uuid::now_v7()
}

fn find(name: &'static str, variable: &str, in_repository: &str) -> Result<PathBuf, TestkitError> {
    if let Some(named) = env::var_os(variable) {
        return Ok(named.into());
    }
    let local = repository().join(in_repository);
    if local.is_file() {
        Ok(local)
    } else {
        on_path(name).ok_or(TestkitError::ToolMissing(name))
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}
