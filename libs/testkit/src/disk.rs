//! A file system that is soon full.

use std::{
    env,
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{TestkitError, postgres::run};

/// The file that takes all the room.
const FILLER: &str = "filler";

/// A file system of its own, in memory, with little room. It goes, with all that is in it, when this value is dropped:
/// whatever uses it has to end before.
#[derive(Debug)]
pub struct SmallDisk {
    directory: TempDir,
}

impl SmallDisk {
    /// A disk of so many megabytes, or `None` where this process may not mount one; that is told, and is no excuse
    /// where the variable `CI` is set.
    ///
    /// # Errors
    /// If it cannot be mounted and `CI` is set.
    pub fn mount(megabytes: u32) -> Result<Option<Self>, TestkitError> {
        let directory = tempfile::tempdir().map_err(TestkitError::io("make a directory to mount a disk on"))?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"])
            .arg(directory.path());
        match run(&mut mount, "mount") {
            Ok(()) => Ok(Some(Self { directory })),
            Err(error) if env::var_os("CI").is_some() => Err(error),
            Err(error) => {
                eprintln!("SKIPPED: a full disk, as none can be mounted here: {error}");
                Ok(None)
            }
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A directory on it, which goes before the disk does.
    ///
    /// # Errors
    /// If there is no room even for that.
    pub fn directory(&self) -> Result<TempDir, TestkitError> {
        tempfile::tempdir_in(self.path()).map_err(TestkitError::io("make a directory on a small disk"))
    }

    /// Takes all the room that is left, and gives how many bytes that was.
    ///
    /// # Errors
    /// If it cannot be written for another reason than that it is full.
    pub fn fill(&self) -> Result<u64, TestkitError> {
        let failed = |error| TestkitError::io("fill a small disk")(error);
        let mut filler = File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .map_err(failed)?;
        let mut taken = 0;
        loop {
            match filler.write(&[0xFF; 4096]) {
                Ok(0) => return Ok(taken),
                Ok(written) => taken += u64::try_from(written).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(taken),
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// If it was not full.
    pub fn free(&self) -> Result<(), TestkitError> {
        fs::remove_file(self.filler()).map_err(TestkitError::io("free a small disk"))
    }

    fn filler(&self) -> PathBuf {
        self.path().join(FILLER)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, so that a process that is just ending does not keep it for ever.
        let unmounted = run(Command::new("umount").arg("--lazy").arg(self.path()), "umount");
        if let Err(error) = unmounted {
            eprintln!("{} stays mounted: {error}", self.path().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_full_and_then_it_is_not() {
        let Some(disk) = SmallDisk::mount(4).expect("a disk") else {
            return;
        };
        assert!(disk.fill().expect("filled") > 3 << 20);
        let file = disk.path().join("more");
        let refused = fs::write(&file, [1; 8192]).expect_err("no room");
        assert_eq!(refused.kind(), ErrorKind::StorageFull);
        disk.free().expect("freed");
        fs::write(&file, [1; 8192]).expect("room");
    }
}
