//! Child processes that end with the process that started them, however that one ends.
//!
//! A test may panic, time out or be killed with SIGKILL; a server that stayed behind would hold its port and its
//! memory. So every child runs under `setpriv --pdeathsig KILL`, in a process group of its own. The kernel sends that
//! signal when the *thread* that started the child ends, therefore each child has a thread that does nothing but
//! start it and wait for it.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use rustix::process::{Pid, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::{sync::watch, time::timeout};

use crate::TestkitError;

pub use rustix::process::Signal;

/// A running child with its own process group; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    pid: Pid,
    /// The keeper reaps the child while it holds the write side; who signals holds the read side meanwhile. So no
    /// signal ever goes to a stranger that got the number of a process that has ended.
    exit: watch::Receiver<Option<ExitStatus>>,
    keeper: Option<thread::JoinHandle<()>>,
    /// Hangs up when the keeper has reaped the child.
    keeping: Mutex<mpsc::Receiver<io::Result<Option<Pid>>>>,
    /// What it is asked with to end, before it is killed.
    farewell: Option<Signal>,
}

/// How long a process may take to end by itself once it has had its farewell.
const FAREWELL: Duration = Duration::from_secs(5);

impl Process {
    /// Starts `command` (program, arguments, environment and directory are taken from it), with its output appended
    /// to the file `log`. `name` is for messages.
    ///
    /// # Errors
    /// If the log cannot be written or the system cannot start a process. A program that does not exist shows itself
    /// as an early end, with the reason in the log.
    pub fn spawn(name: &str, command: &Command, log: &Path) -> Result<Self, TestkitError> {
        Self::spawn_as(None, name, command, log)
    }

    /// As [`spawn`](Self::spawn), but run as another user of the system.
    pub(crate) fn spawn_as(
        user: Option<&str>,
        name: &str,
        command: &Command,
        log: &Path,
    ) -> Result<Self, TestkitError> {
        let mut bound =
            bound_to_this_process(user, command, log).map_err(TestkitError::io(format!("log to {}", log.display())))?;
        let (started, start) = mpsc::channel();
        let (ended, exit) = watch::channel(None);
        let keeper = thread::spawn(move || {
            let child = bound.spawn();
            let pid = child
                .as_ref()
                .map_or_else(|error| Err(io::Error::from(error.kind())), |child| Ok(pid_of(child)));
            if let (Ok(child), Ok(())) = (child, started.send(pid)) {
                keep(child, &ended);
            }
        });
        let gone = || io::Error::other("the keeper thread ended");
        let pid = start
            .recv()
            .unwrap_or_else(|_| Err(gone()))
            .and_then(|pid| pid.ok_or_else(gone));
        let pid = pid.map_err(TestkitError::io(format!("start {name}")))?;
        Ok(Self {
            name: name.to_owned(),
            log: log.to_owned(),
            pid,
            exit,
            keeper: Some(keeper),
            keeping: Mutex::new(start),
            farewell: None,
        })
    }

    /// Asks it with `signal` to end before it is killed: for who has something outside the process to take away.
    pub(crate) fn with_farewell(mut self, signal: Signal) -> Self {
        self.farewell = Some(signal);
        self
    }

    /// Sends the farewell, if there is one, and waits a little for the end. Blocks; for destructors.
    pub(crate) fn say_farewell(&self) {
        let Some(signal) = self.farewell else { return };
        self.signal(signal);
        if let Ok(keeping) = self.keeping.lock() {
            // Nothing is sent any more: this waits for the end of the keeper, or for the time to be up.
            let _ = keeping.recv_timeout(FAREWELL);
        }
    }

    /// Its process id, which is also that of its process group.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.exit.borrow().is_none()
    }

    /// Sends `signal` to the whole process group; nothing happens when the process has ended already.
    pub fn signal(&self, signal: Signal) {
        let exit = self.exit.borrow();
        if exit.is_none() {
            // The group can only be missing while the child is ending by itself, and that is what was wanted.
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// If it still runs after `limit`.
    pub async fn ended(&self, limit: Duration) -> Result<ExitStatus, TestkitError> {
        let mut exit = self.exit.clone();
        match timeout(limit, exit.wait_for(Option::is_some)).await {
            Ok(Ok(status)) => status.ok_or_else(|| self.failed("it ended without a status")),
            Ok(Err(_)) => Err(self.failed("nobody waits for it any more")),
            Err(_) => Err(self.failed(&format!("still runs after {limit:?}"))),
        }
    }

    /// Sends `signal` and waits for the end.
    ///
    /// # Errors
    /// If it still runs after `limit`.
    pub async fn end_with(&self, signal: Signal, limit: Duration) -> Result<ExitStatus, TestkitError> {
        self.signal(signal);
        self.ended(limit).await
    }

    /// The end of its log: at most 40 lines.
    #[must_use]
    pub fn last_words(&self) -> String {
        tail(&self.log)
    }

    /// The error that says `how` it failed, with its last words.
    #[must_use]
    pub fn failed(&self, how: &str) -> TestkitError {
        TestkitError::Failed {
            name: self.name.clone(),
            how: how.to_owned(),
            log: self.last_words(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.say_farewell();
        self.signal(Signal::KILL);
        if let Some(keeper) = self.keeper.take() {
            // A keeper that panicked has nothing to tell that could be acted on here.
            let _ = keeper.join();
        }
    }
}

/// The last lines of a log file.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// Becomes the program ("$@") only if the parent ("$0") still lives. It could have ended before the bond was made, and
/// then nothing would end this process.
const UNLESS_ORPHANED: &str = r#"[ "$PPID" = "$0" ] && exec "$@""#;

/// `setpriv`, as `user` if one is given. What follows it must be a program and its arguments.
pub(crate) fn as_user(user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--init-groups"]);
    }
    command.arg("--");
    command
}

fn bound_to_this_process(user: Option<&str>, command: &Command, log: &Path) -> io::Result<Command> {
    let output = File::options().create(true).append(true).open(log)?;
    // The user comes first: the kernel undoes the bond of a process that changes its user.
    let mut bound = as_user(user);
    bound
        .args(["setpriv", "--pdeathsig", "KILL", "--"])
        .args(["sh", "-c", UNLESS_ORPHANED, &std::process::id().to_string()])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    if let Some(directory) = command.get_current_dir() {
        bound.current_dir(directory);
    }
    bound
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    Ok(bound)
}

fn pid_of(child: &Child) -> Option<Pid> {
    child.id().try_into().ok().and_then(Pid::from_raw)
}

fn keep(mut child: Child, ended: &watch::Sender<Option<ExitStatus>>) {
    if let Some(pid) = pid_of(&child) {
        // Waits without reaping, so that the number stays taken until the write side is held below.
        while matches!(
            waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT),
            Err(rustix::io::Errno::INTR)
        ) {}
    }
    ended.send_modify(|exit| *exit = child.wait().ok());
}
