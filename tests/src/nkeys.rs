//! The keys by which a nats-server knows its users, beside the permissions of each: `deploy/nats/accounts.conf`.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use nkeys::KeyPair;
use vouch_messaging::{AUDITOR, PROVISIONER};

use crate::{Error, SERVICES};

/// What each user may do.
const ACCOUNTS: &str = include_str!("../../deploy/nats/accounts.conf");

/// A directory with `accounts.conf`, the `nkeys.conf` that it includes, and `<user>.seed` for each user.
#[derive(Debug)]
pub struct Nkeys {
    directory: PathBuf,
}

impl Nkeys {
    /// Makes what is missing in this directory. A seed that is there stays, so that a user keeps its key.
    ///
    /// # Errors
    /// If a file cannot be written, or a seed is none.
    pub fn make(directory: &Path) -> Result<Self, Error> {
        fs::create_dir_all(directory)?;
        let nkeys = Self {
            directory: std::path::absolute(directory)?,
        };
        let mut public = String::from("# Public keys, taken in by accounts.conf.\n");
        for user in SERVICES.into_iter().chain([PROVISIONER, AUDITOR]) {
            let key = key_in(&nkeys.seed(user))?;
            writeln!(public, "NKEY_{}: \"{}\"", user.to_uppercase(), key.public_key())?;
        }
        fs::write(nkeys.directory.join("nkeys.conf"), public)?;
        fs::write(nkeys.directory.join("accounts.conf"), ACCOUNTS)?;
        Ok(nkeys)
    }

    /// Where the seed of a service, of the provisioner or of the auditor is.
    #[must_use]
    pub fn seed(&self, user: &str) -> PathBuf {
        self.directory.join(format!("{user}.seed"))
    }
}

fn key_in(path: &Path) -> Result<KeyPair, Error> {
    match fs::read_to_string(path) {
        Ok(seed) => Ok(KeyPair::from_seed(seed.trim())?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = KeyPair::new_user();
            let mut file = fs::File::options()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)?;
            writeln!(file, "{}", key.seed()?)?;
            Ok(key)
        }
        Err(error) => Err(error.into()),
    }
}
