//! The settings of this service. Each stands in `config.default.toml`, with its meaning.

use std::{fmt, path::PathBuf};

use serde::Deserialize;
use vouch_runtime::config::{Common, Links};

use crate::domain::document::MOST_BYTES;

/// The defaults, and so the list of all keys.
pub const DEFAULTS: &str = include_str!("../config.default.toml");

/// What the service needs to run.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// What every service needs.
    #[serde(flatten)]
    pub common: Common,
    /// Where the links lead that people are given.
    pub links: Links,
    /// Where the files are kept that people upload.
    pub documents: DocumentsConfig,
}

/// `[documents]`: where the files are kept that people upload.
#[derive(Clone, Deserialize)]
pub struct DocumentsConfig {
    /// `file:<directory>` or `s3://<bucket>/<prefix>`.
    pub url: String,
    /// The directory in which a file waits until all of it has come.
    pub spool: String,
    /// How large a file may be, in bytes.
    pub max_bytes: u64,
    /// For a bucket: the address of its server; empty for that of the region.
    pub endpoint: String,
    /// For a bucket: its region.
    pub region: String,
    /// For a bucket: the id of the access key, with its secret; empty for what the machine was given.
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: String,
}

/// What `documents.url` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A directory of this machine.
    Directory(PathBuf),
    /// A part of a bucket.
    Bucket {
        /// Its name.
        bucket: String,
        /// What the names of all objects begin with; may be empty.
        prefix: String,
    },
}

impl Config {
    /// What types cannot say, as `key: reason` lines.
    #[must_use]
    pub fn validate(&self) -> Vec<String> {
        let parts = [self.common.validate(), self.links.validate(), self.documents.validate()];
        parts.concat()
    }
}

impl DocumentsConfig {
    /// Where the files are kept; `None` if the address names no place.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        if let Some(directory) = self.url.strip_prefix("file:") {
            return (!directory.is_empty()).then(|| Place::Directory(directory.into()));
        }
        let rest = self.url.strip_prefix("s3://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        (!bucket.is_empty()).then(|| Place::Bucket {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
        })
    }

    /// What cannot work, as `key: reason` lines.
    fn validate(&self) -> Vec<String> {
        let is_bucket = matches!(self.place(), Some(Place::Bucket { .. }));
        let is_address = ["http://", "https://"]
            .iter()
            .any(|scheme| self.endpoint.strip_prefix(scheme).is_some_and(|host| !host.is_empty()));
        let rules = [
            (
                self.place().is_some(),
                "documents.url: must be file:<directory> or s3://<bucket>/<prefix>".to_owned(),
            ),
            (
                !self.spool.is_empty(),
                "documents.spool: must name a directory".to_owned(),
            ),
            (
                (1..=MOST_BYTES).contains(&self.max_bytes),
                format!("documents.max_bytes: must be 1 to {MOST_BYTES}"),
            ),
            (
                self.endpoint.is_empty() || is_address,
                "documents.endpoint: not an address such as https://s3.example".to_owned(),
            ),
            (
                !is_bucket || !self.region.is_empty(),
                "documents.region: a bucket needs one".to_owned(),
            ),
            (
                self.access_key_id.is_empty() == self.secret_access_key.is_empty(),
                "documents.access_key_id: needs documents.secret_access_key, and the other way round".to_owned(),
            ),
        ];
        let broken = rules.into_iter().filter(|(good, _)| !good);
        broken.map(|(_, line)| line).collect()
    }
}

impl fmt::Debug for DocumentsConfig {
    /// Without the access key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentsConfig")
            .field("url", &self.url)
            .field("spool", &self.spool)
            .field("max_bytes", &self.max_bytes)
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(change: impl FnOnce(&mut DocumentsConfig)) -> DocumentsConfig {
        let mut config = DocumentsConfig {
            url: "file:data/documents".to_owned(),
            spool: "data/uploads".to_owned(),
            max_bytes: MOST_BYTES,
            endpoint: String::new(),
            region: "us-east-1".to_owned(),
            access_key_id: String::new(),
            secret_access_key: String::new(),
        };
        change(&mut config);
        config
    }

    #[test]
    fn files_need_a_place() {
        let place = |url: &str| documents(|config| config.url = url.to_owned()).place();
        let bucket = |bucket: &str, prefix: &str| {
            let (bucket, prefix) = (bucket.to_owned(), prefix.to_owned());
            Some(Place::Bucket { bucket, prefix })
        };
        assert_eq!(place("file:/data/x"), Some(Place::Directory("/data/x".into())));
        assert_eq!(place("s3://vouch"), bucket("vouch", ""));
        assert_eq!(place("s3://vouch/a/b/"), bucket("vouch", "a/b"));
        for bad in [
            "",
            "file:",
            "s3://",
            "s3:///x",
            "data/documents",
            "https://s3.example/vouch",
        ] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }

    #[test]
    fn each_setting_that_cannot_work_is_told() {
        assert_eq!(documents(|_| ()).validate(), [""; 0]);
        let broken = documents(|config| {
            config.url = "ftp://x".to_owned();
            config.spool.clear();
            config.max_bytes = MOST_BYTES + 1;
            config.endpoint = "s3.example".to_owned();
            config.access_key_id = "key".to_owned();
        });
        let told = broken.validate();
        let keys: Vec<_> = told.iter().filter_map(|line| line.split(": ").next()).collect();
        let expected = ["url", "spool", "max_bytes", "endpoint", "access_key_id"];
        assert_eq!(keys, expected.map(|key| format!("documents.{key}")));
        let nowhere = documents(|config| {
            config.url = "s3://vouch".to_owned();
            config.region.clear();
            config.max_bytes = 0;
        });
        assert_eq!(nowhere.validate().len(), 2);
    }

    #[test]
    fn an_access_key_is_not_shown() {
        let config = documents(|config| config.secret_access_key = "s3cret".to_owned());
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
