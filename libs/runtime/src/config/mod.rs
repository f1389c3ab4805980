//! Layered configuration: the service's embedded `config.default.toml` ← an optional file ← the environment.
//!
//! The default file is the only list of keys: what it does not name is refused, and a value must have the type
//! that the default has. An environment variable is `VOUCH_<SERVICE>__SECTION__KEY`; with `_FILE` appended it
//! names a file that holds the value, so that a secret need not stand in the environment. Every mistake of all
//! layers is told at once, each with its key, its source and the reason.
//!
//! ```
//! # use serde::Deserialize;
//! use vouch_runtime::config::Layers;
//!
//! #[derive(Deserialize)]
//! struct Config { server: Server }
//! #[derive(Deserialize)]
//! struct Server { listen: std::net::SocketAddr }
//!
//! let defaults = "[server]\nlisten = '127.0.0.1:7103'";
//! let env = [("VOUCH_PAYMENTS__SERVER__LISTEN".to_owned(), "127.0.0.1:9000".to_owned())];
//! let loaded = Layers::new("payments", defaults).env(env).load(|_: &Config| vec![]).unwrap();
//! assert_eq!(loaded.config.server.listen.port(), 9000);
//! ```

mod common;
pub mod duration;
mod layers;
mod render;

pub use common::{
    AccessConfig, ClockConfig, Common, Links, LogFormat, ServerConfig, TelemetryConfig, TlsConfig, WithLinks,
};
pub use layers::Layers;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A configuration that was found good, and how it came about.
#[derive(Debug)]
pub struct Loaded<C> {
    /// The parsed and validated configuration.
    pub config: C,
    values: BTreeMap<String, Setting>,
}

impl<C> Loaded<C> {
    /// The values in force as a TOML document, each override with its source in a comment. Secrets are masked.
    pub fn render(&self) -> String {
        render::render(&self.values)
    }
}

/// One value and the layer that set it.
#[derive(Clone)]
struct Setting {
    value: toml::Value,
    origin: Origin,
}

impl fmt::Debug for Setting {
    /// Without the value, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from {}", self.origin)
    }
}

/// The layer a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The embedded `config.default.toml`.
    Default,
    /// The file given with `--config`.
    File(PathBuf),
    /// An environment variable, by its name.
    Env(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// One mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted key, such as `server.listen`; empty when the mistake is not about one key.
    pub key: String,
    /// The layer that holds the mistake.
    pub origin: Origin,
    /// Why the value cannot be used. Never contains the value of a secret.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{} (from {})", self.reason, self.origin)
    }
}

/// Everything that is wrong with a configuration, all of it at once.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<Problem>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a mistake")?,
            several => write!(f, "the configuration has {several} mistakes")?,
        }
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigErrors {}
