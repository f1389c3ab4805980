//! The server that all test processes of one user on one machine share.
//!
//! It is started by the first test that needs it, under a file lock, and is left running. One that is not running is
//! never revived: its directory is thrown away and made anew, so that nothing of an earlier life is ever met.

use std::{
    fs::{self, DirBuilder, File},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::process::getuid;

use super::cluster::{Postmaster, as_postgres, failed_to_start, give_to_postgres, initialise, log_of, run, settings};
use crate::{
    TestkitError,
    tools::{free_port, postgres_bin},
};

/// The port of the running shared server, which is started if it is not running. Blocks for a second or two then.
pub(crate) fn port() -> Result<u16, TestkitError> {
    let home = Home::lock()?;
    let directory = home.directory();
    if let Some(running) = Postmaster::read(&directory).filter(|postmaster| postmaster.ready) {
        return Ok(running.port);
    }
    home.clear()?;
    DirBuilder::new()
        .mode(0o700)
        .create(&directory)
        .map_err(TestkitError::io("make a directory for postgresql"))?;
    give_to_postgres(&directory)?;
    initialise(&directory)?;
    let mut tries = 0;
    loop {
        let port = free_port()?;
        match start_detached(&directory, port) {
            Ok(()) => return Ok(port),
            // Most likely the port was taken in between; a reason that stays is told after a few tries.
            Err(_) if tries < 3 => tries += 1,
            Err(error) => return Err(failed_to_start(&directory, error)),
        }
    }
}

/// Stops the shared server, if it runs, and deletes its data. Says whether it ran.
///
/// # Errors
/// If it cannot be stopped or its directory cannot be deleted.
pub fn stop() -> Result<bool, TestkitError> {
    let home = Home::lock()?;
    let running = Postmaster::read(&home.directory()).is_some();
    home.clear()?;
    Ok(running)
}

/// `vouch-testkit-<uid>` in the temporary directory, locked as long as this value lives.
struct Home {
    path: PathBuf,
    _lock: File,
}

impl Home {
    fn lock() -> Result<Self, TestkitError> {
        let user = getuid().as_raw();
        let path = std::env::temp_dir().join(format!("vouch-testkit-{user}"));
        // Others may pass through it, as the user `postgres` must, but not write into it.
        let made = DirBuilder::new().recursive(true).mode(0o755).create(&path);
        made.map_err(TestkitError::io(format!("make {}", path.display())))?;
        let owner = fs::symlink_metadata(&path).map_err(TestkitError::io(format!("look at {}", path.display())))?;
        if owner.uid() != user || !owner.is_dir() {
            return Err(TestkitError::NotOurs(path));
        }
        let lock = File::create(path.join("lock")).and_then(|file| file.lock().map(|()| file));
        Ok(Self {
            _lock: lock.map_err(TestkitError::io("lock the shared server"))?,
            path,
        })
    }

    fn directory(&self) -> PathBuf {
        self.path.join("postgres")
    }

    fn clear(&self) -> Result<(), TestkitError> {
        let directory = self.directory();
        if Postmaster::read(&directory).is_some() {
            let mut stop = control(&directory)?;
            stop.args(["stop", "--mode", "immediate"]);
            run(&mut stop, "pg_ctl stop")?;
        }
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(TestkitError::io(format!("delete {}", directory.display()))(error))
            }
            _ => Ok(()),
        }
    }
}

fn control(directory: &Path) -> Result<std::process::Command, TestkitError> {
    let mut command = as_postgres(&postgres_bin()?.join("pg_ctl"));
    command
        .arg("--pgdata")
        .arg(directory.join("data"))
        .current_dir(directory);
    Ok(command)
}

/// `pg_ctl` puts the server into a session of its own, so that no test runner's cleaning up reaches it.
fn start_detached(directory: &Path, port: u16) -> Result<(), TestkitError> {
    let mut start = control(directory)?;
    start.arg("start").arg("--wait").arg("--log").arg(log_of(directory));
    start.arg("--options").arg(settings(port).join(" "));
    run(&mut start, "pg_ctl start")
}
