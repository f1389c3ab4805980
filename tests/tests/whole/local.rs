//! The program behind `make demo`, `make run` and `make advance`: what it says when something is in its way, and that
//! nothing of it stays.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use tempfile::TempDir;
use vouch_testkit::{Process, Signal, eventually, tools::free_ports};

const PROGRAM: &str = env!("CARGO_BIN_EXE_vouch-local");
const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_of_an_interrupted_demo_leaves_nothing() {
    for database in ["sqlite", "postgres"] {
        interrupt(&["demo", "--db", database], "earns", Signal::INT).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_house_that_starts_can_be_interrupted() {
    interrupt(&["demo"], "preparing", Signal::TERM).await;
    for moment in ["starting PostgreSQL", "preparing payments"] {
        let first_port = free_ports(4).expect("four free ports").to_string();
        interrupt(
            &["run", "--db", "postgres", "--first-port", &first_port],
            moment,
            Signal::INT,
        )
        .await;
    }
}

/// Sends the signal when the program has said `moment`; it has to end at once with 130 and leave no file and no
/// shared memory.
async fn interrupt(args: &[&str], moment: &str, signal: Signal) {
    let (logs, temporary) = (tempfile::tempdir().expect("a directory"), open_to_postgres());
    let mut command = Command::new(PROGRAM);
    command.args(args).env("TMPDIR", temporary.path());
    let log = logs.path().join("log");
    let program = Process::spawn("vouch-local", &command, &log).expect("started");
    eventually(moment, SOON, async || {
        let said = fs::read_to_string(&log).unwrap_or_default();
        if said.contains(moment) { Ok(()) } else { Err(said) }
    })
    .await;
    let shared_memory = shared_memory_of(temporary.path());
    let status = program.end_with(signal, SOON).await.expect("ended");
    assert_eq!(status.code(), Some(130), "{args:?}: {}", program.last_words());
    let left: Vec<PathBuf> = entries_of(temporary.path());
    assert_eq!(left, [""; 0].map(PathBuf::from), "{args:?} at {moment:?}");
    let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    for id in shared_memory {
        let left = segments.lines().any(|line| line.split_whitespace().nth(1) == Some(&id));
        assert!(!left, "{args:?} at {moment:?}: segment {id} is left");
    }
}

/// A directory for temporary files that PostgreSQL's own user can pass through.
fn open_to_postgres() -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    directory
}

fn entries_of(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The segments that the PostgreSQL servers under this directory have noted as theirs.
fn shared_memory_of(directory: &Path) -> Vec<String> {
    let notes = entries_of(directory)
        .into_iter()
        .map(|entry| entry.join("data/postmaster.pid"));
    let id = |note: String| note.lines().nth(6)?.split_whitespace().nth(1).map(ToOwned::to_owned);
    notes
        .filter_map(|note| fs::read_to_string(note).ok().and_then(id))
        .collect()
}

#[test]
fn a_port_in_use_is_told_before_anything_starts() {
    let first = free_ports(4).expect("four free ports");
    let port = first + 1;
    let _taken = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    let output = run(&["run", "--first-port", &first.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        format!("error: port {port} is in use: is another make run going?\n")
    );
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn the_clock_of_a_system_that_is_not_there_cannot_be_moved() {
    for distance in [["--by", "1day"], ["--to", "2026-01-15"]] {
        let first = free_ports(4).expect("four free ports");
        let output = run(&["advance", "--first-port", &first.to_string(), distance[0], distance[1]]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let last = first + 3;
        let expected = format!(
            "error: nothing answers on 127.0.0.1, ports {first} to {last}: is `make run TEST_CLOCK=1` going?\n"
        );
        assert_eq!(text(&output.stderr), expected);
    }
}

#[test]
fn a_distance_is_needed_and_only_one() {
    for args in [
        &["advance", "--first-port", "7101"][..],
        &["advance", "--by", "1day", "--to", "2026-01-15"],
    ] {
        assert_eq!(run(args).status.code(), Some(2), "{args:?}");
    }
}

fn run(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
