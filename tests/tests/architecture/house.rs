//! What the rules look at: the crates with their manifests, and the sources as tokens.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::scan::Source;

/// One breach of one rule: where it is, what is wrong, and what to do instead.
#[derive(Debug)]
pub struct Violation {
    pub rule: &'static str,
    pub file: String,
    pub line: usize,
    pub what: String,
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: [{}] {}", self.file, self.line, self.rule, self.what)
    }
}

/// A dependency on a crate, of this workspace or not.
pub struct Dependency {
    /// As a source names it: `tokio_stream`.
    pub name: String,
    /// The folder, for a crate of the workspace: `libs/storage`.
    pub folder: Option<String>,
    /// For tests only.
    pub dev: bool,
}

/// A member of the workspace.
pub struct Crate {
    /// Relative to the root: `services/payments`.
    pub folder: String,
    pub dependencies: Vec<Dependency>,
    pub manifest: String,
    /// Every Rust file of the crate.
    pub sources: Vec<Source>,
}

impl Crate {
    pub fn manifest_path(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    /// The line of the manifest on which a text first stands, or the first.
    pub fn manifest_line(&self, text: &str) -> usize {
        self.manifest
            .lines()
            .position(|line| line.contains(text))
            .map_or(1, |index| index + 1)
    }

    /// `Some("payments")` for a service.
    pub fn service(&self) -> Option<&str> {
        self.folder.strip_prefix("services/")
    }
}

/// The whole workspace, read once.
pub struct House {
    pub root: PathBuf,
    pub crates: Vec<Crate>,
}

impl House {
    /// Reads the workspace at `root`.
    ///
    /// # Panics
    /// When cargo cannot read the manifests, or a source is no Rust.
    pub fn read(root: &Path) -> House {
        let root = root.canonicalize().expect("the workspace exists");
        let mut crates: Vec<Crate> = cargo_metadata(&root)["packages"]
            .as_array()
            .expect("cargo metadata lists packages")
            .iter()
            .map(|package| read_crate(&root, package))
            .collect();
        crates.sort_by(|left, right| left.folder.cmp(&right.folder));
        House { root, crates }
    }

    pub fn services(&self) -> impl Iterator<Item = &Crate> {
        self.crates.iter().filter(|member| member.service().is_some())
    }
}

fn cargo_metadata(root: &Path) -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version=1",
            "--no-deps",
            "--offline",
            "--manifest-path",
        ])
        .arg(root.join("Cargo.toml"))
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata is json")
}

fn read_crate(root: &Path, package: &Value) -> Crate {
    let manifest_path = Path::new(package["manifest_path"].as_str().expect("a package has a manifest"));
    let folder = manifest_path.parent().expect("a manifest stands in a folder");
    let dependencies = package["dependencies"]
        .as_array()
        .expect("a package lists its dependencies");
    let mut sources = Vec::new();
    collect_sources(root, folder, &mut sources);
    Crate {
        folder: relative(root, folder),
        dependencies: dependencies
            .iter()
            .map(|dependency| read_dependency(root, dependency))
            .collect(),
        manifest: std::fs::read_to_string(manifest_path).expect("the manifest is text"),
        sources,
    }
}

fn read_dependency(root: &Path, dependency: &Value) -> Dependency {
    let name = dependency["rename"]
        .as_str()
        .or(dependency["name"].as_str())
        .expect("a dependency has a name");
    Dependency {
        name: name.replace('-', "_"),
        folder: dependency["path"].as_str().map(|path| relative(root, Path::new(path))),
        dev: dependency["kind"] == "dev",
    }
}

/// Everything that a person wrote: generated code lives in the target directory.
fn collect_sources(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder can be read")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && !path.ends_with("target") {
            collect_sources(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source is text");
            sources.push(Source::scan(relative(root, &path), &text));
        }
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}
