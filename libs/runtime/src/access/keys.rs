//! A directory of keys.
//!
//! `*.json` are the public keys whose tokens are taken, each a JWK or a JWK Set of Ed25519 keys (RFC 8037). What a key
//! may sign stands in its member `signs`, a list of `service:<name>`, `operator`, `client`, `person`; a key without it,
//! such as those of an identity provider, may sign for clients and people. `*.key` are private keys (PKCS#8, PEM), of
//! which a service needs none but its own. Files may come, go and change at any time.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding};
use ed25519_dalek::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{AccessError, Caller};

/// How long a change of the directory may go unnoticed.
const LOOK: Duration = Duration::from_secs(2);
/// The key of whoever knows clients, people and operators: the marketplace's identity provider, or its stand-in.
pub(super) const IDENTITY: &str = "identity";

/// The public keys of a directory.
#[derive(Debug)]
pub(super) struct Keys {
    directory: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    looked: Instant,
    files: Vec<(PathBuf, SystemTime, u64)>,
    by_kid: HashMap<String, Arc<PublicKey>>,
    generation: u64,
}

#[derive(Debug)]
pub(super) struct PublicKey {
    pub(super) key: VerifyingKey,
    signs: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signs: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JwkFile {
    Set { keys: Vec<serde_json::Value> },
    One(Jwk),
}

impl Keys {
    pub(super) fn open(directory: &Path) -> Result<Self, AccessError> {
        let files = list(directory)?;
        let state = State {
            looked: Instant::now(),
            by_kid: read_all(&files)?,
            files,
            generation: 0,
        };
        Ok(Self {
            directory: directory.to_owned(),
            state: Mutex::new(state),
        })
    }

    /// The key of this id, and a number that changes with every change of the directory.
    pub(super) fn get(&self, kid: &str) -> (Option<Arc<PublicKey>>, u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut state);
        (state.by_kid.get(kid).cloned(), state.generation)
    }

    pub(super) fn generation(&self) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut state);
        state.generation
    }

    /// Reads the directory again if it has changed; one that cannot be read leaves the keys as they are.
    fn refresh(&self, state: &mut State) {
        if state.looked.elapsed() < LOOK {
            return;
        }
        state.looked = Instant::now();
        let changed = list(&self.directory).and_then(|files| {
            if files == state.files {
                return Ok(None);
            }
            Ok(Some((read_all(&files)?, files)))
        });
        match changed {
            Ok(None) => {}
            Ok(Some((by_kid, files))) => {
                tracing::info!(keys = by_kid.len(), "the access keys have changed");
                (state.by_kid, state.files) = (by_kid, files);
                state.generation += 1;
            }
            Err(error) => tracing::error!(
                error = vouch_storage::describe(&error),
                "the access keys cannot be read, those read before stay in force"
            ),
        }
    }
}

impl PublicKey {
    pub(super) fn may_sign(&self, caller: &Caller) -> bool {
        let wanted = match caller {
            Caller::Anybody => return false,
            Caller::Operator(_) => "operator",
            Caller::Service(_) => &*caller.to_string(),
            Caller::Client(_) => "client",
            Caller::Person(_) => "person",
        };
        self.signs.iter().any(|entry| entry == wanted)
    }
}

/// The id of a key, which follows from the key.
pub(super) fn kid(key: &VerifyingKey) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(key.as_bytes())[..9])
}

pub(super) fn read_private(path: &Path) -> Result<SigningKey, AccessError> {
    let failed = |reason: String| AccessError::Key {
        path: path.to_owned(),
        reason,
    };
    let pem = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|error| failed(error.to_string()))
}

/// The private key of `service:<name>`, or of the identity provider for all others.
pub(super) fn private_path(directory: &Path, caller: &Caller) -> PathBuf {
    match caller {
        Caller::Service(name) => directory.join(format!("service-{name}.key")),
        _ => directory.join(format!("{IDENTITY}.key")),
    }
}

/// Makes the keys of a service and of a stand-in for the identity provider, where they are missing. Several services
/// may do so at once.
pub(super) fn make_missing(directory: &Path, service: &str) -> Result<(), AccessError> {
    make(
        directory,
        &format!("service-{service}"),
        &[&format!("service:{service}")],
    )?;
    make(directory, IDENTITY, &["operator", "client", "person"])
}

/// Makes a private key where there is none.
pub(super) fn make_private(private: &Path) -> Result<(), AccessError> {
    let failed = |error: &dyn std::fmt::Display| AccessError::Key {
        path: private.to_owned(),
        reason: error.to_string(),
    };
    if let Some(directory) = private.parent() {
        fs::create_dir_all(directory).map_err(|error| failed(&error))?;
    }
    if private.exists() {
        return Ok(());
    }
    let key = SigningKey::from_bytes(&rand::random());
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|error| failed(&error))?;
    // Whoever comes second keeps the key of the first.
    match write_whole(private, pem.as_bytes(), 0o600, true) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(&error)),
        _ => Ok(()),
    }
}

fn make(directory: &Path, name: &str, signs: &[&str]) -> Result<(), AccessError> {
    let private = directory.join(format!("{name}.key"));
    let failed = |error: &dyn std::fmt::Display| AccessError::Key {
        path: private.clone(),
        reason: error.to_string(),
    };
    make_private(&private)?;
    let public = directory.join(format!("{name}.json"));
    if public.exists() {
        return Ok(());
    }
    let key = read_private(&private)?.verifying_key();
    let jwk = Jwk {
        kty: "OKP".to_owned(),
        crv: "Ed25519".to_owned(),
        kid: kid(&key),
        x: URL_SAFE_NO_PAD.encode(key.as_bytes()),
        signs: Some(signs.iter().map(|&entry| entry.to_owned()).collect()),
    };
    let text = serde_json::to_string_pretty(&jwk).map_err(|error| failed(&error))?;
    write_whole(&public, text.as_bytes(), 0o644, false).map_err(|error| failed(&error))
}

/// Writes a file that is seen whole or not at all.
fn write_whole(path: &Path, bytes: &[u8], mode: u32, fresh: bool) -> std::io::Result<()> {
    let beside = path.with_extension(format!("{:x}.new", rand::random::<u64>()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    if fresh {
        // A link, unlike a move, does not take the place of what is there.
        let linked = fs::hard_link(&beside, path);
        fs::remove_file(&beside)?;
        return linked;
    }
    fs::rename(&beside, path)
}

fn list(directory: &Path) -> Result<Vec<(PathBuf, SystemTime, u64)>, AccessError> {
    let failed = |error: std::io::Error| AccessError::Key {
        path: directory.to_owned(),
        reason: error.to_string(),
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let about = fs::metadata(&path).map_err(failed)?;
            files.push((path, about.modified().map_err(failed)?, about.len()));
        }
    }
    files.sort();
    Ok(files)
}

fn read_all(files: &[(PathBuf, SystemTime, u64)]) -> Result<HashMap<String, Arc<PublicKey>>, AccessError> {
    let mut by_kid = HashMap::new();
    for (path, ..) in files {
        let failed = |reason: String| AccessError::Key {
            path: path.clone(),
            reason,
        };
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        let jwks = match serde_json::from_str(&text).map_err(|error| failed(error.to_string()))? {
            JwkFile::One(jwk) => vec![jwk],
            // A provider's set may hold keys of other kinds, which are none of ours.
            JwkFile::Set { keys } => keys
                .into_iter()
                .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
                .collect(),
        };
        for jwk in jwks.into_iter().filter(|jwk| jwk.kty == "OKP" && jwk.crv == "Ed25519") {
            let bytes = URL_SAFE_NO_PAD
                .decode(&jwk.x)
                .map_err(|error| failed(error.to_string()))?;
            let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| failed("x is not of 32 bytes".to_owned()))?;
            let key = VerifyingKey::from_bytes(&bytes).map_err(|error| failed(error.to_string()))?;
            let signs = jwk
                .signs
                .unwrap_or_else(|| vec!["client".to_owned(), "person".to_owned()]);
            if by_kid
                .insert(jwk.kid.clone(), Arc::new(PublicKey { key, signs }))
                .is_some()
            {
                return Err(failed(format!("the key id {} is there twice", jwk.kid)));
            }
        }
    }
    Ok(by_kid)
}
