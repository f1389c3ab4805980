//! The inside of a service: the same files in each, arrows that point down, pure rules, one door to transactions.

use std::collections::BTreeSet;
use std::path::Path;

use crate::house::{Crate, House, Violation};
use crate::scan::{Name, Source, Word};

/// What stands in the folder of a service, and in its `src`; a folder of `src` is a module with a `mod.rs`.
const TOP: [&str; 4] = ["Cargo.toml", "config.default.toml", "src", "tests"];
const FILES: [&str; 6] = ["main.rs", "lib.rs", "config.rs", "events.rs", "timers.rs", "error.rs"];
const FOLDERS: [&str; 5] = ["grpc", "app", "domain", "store", "migration"];

/// What each layer may name of its own crate. `lib` wires everything together and is free.
const LAYERS: [(&str, &[&str]); 9] = [
    ("grpc", &["app", "domain", "error", "config"]),
    ("events", &["app", "domain", "error", "config"]),
    ("timers", &["app", "domain", "error", "config"]),
    ("app", &["domain", "store", "error", "config"]),
    ("store", &["domain", "error"]),
    ("domain", &[]),
    ("migration", &[]),
    ("error", &["domain"]),
    ("config", &["domain"]),
];

/// What the rules may name besides std. A derive of thiserror only writes out std's `Error`, and leaves nothing behind.
const PURE: [&str; 2] = ["vouch_primitives", "thiserror"];

/// A transaction opens where one of these is called.
const TRANSACTIONS: [&str; 3] = ["write_tx", "begin_claim", "once"];
/// Time is an argument of a rule.
const CLOCKS: [&str; 5] = ["Clock", "SystemClock", "TestClock", "SystemTime", "Instant"];
/// The parts of std that reach outside the process.
const OUTSIDE: [&str; 5] = ["env", "fs", "net", "process", "thread"];

/// Every rule about the inside of services.
pub fn check(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for service in house.services() {
        check_files(&house.root, service, &mut found);
        for source in service.sources.iter().filter(|source| source.file.contains("/src/")) {
            check_layers(source, &mut found);
            check_transactions(source, &mut found);
            if source.layer() == "domain" {
                check_purity(service, source, &mut found);
            }
        }
    }
    found
}

fn check_files(root: &Path, service: &Crate, found: &mut Vec<Violation>) {
    let source = format!("{}/src", service.folder);
    let modules: Vec<&str> = FILES.into_iter().chain(FOLDERS).collect();
    for (folder, wanted) in [(&service.folder, &TOP[..]), (&source, &modules[..])] {
        let there = entries(&root.join(folder));
        let wanted: BTreeSet<String> = wanted.iter().map(|&name| name.to_owned()).collect();
        for name in wanted.difference(&there) {
            let what = "every service has this: add it, if only with a doc comment that says why it is empty";
            found.push(Violation {
                rule: "files",
                file: format!("{folder}/{name}"),
                line: 1,
                what: what.to_owned(),
            });
        }
        for name in there.difference(&wanted) {
            let what = "no other service has this: move it into a module that all have, or add it to all and here";
            found.push(Violation {
                rule: "files",
                file: format!("{folder}/{name}"),
                line: 1,
                what: what.to_owned(),
            });
        }
    }
    for folder in FOLDERS
        .into_iter()
        .filter(|folder| root.join(&source).join(folder).is_dir())
    {
        let file = format!("{source}/{folder}/mod.rs");
        if !root.join(&file).is_file() {
            let what = "a folder of src is a module: its first file is mod.rs".to_owned();
            found.push(Violation {
                rule: "files",
                file,
                line: 1,
                what,
            });
        }
    }
}

fn entries(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

fn check_layers(source: &Source, found: &mut Vec<Violation>) {
    let layer = source.layer();
    let Some((_, allowed)) = LAYERS.into_iter().find(|(name, _)| *name == layer) else {
        return;
    };
    for name in source.names.iter().filter(|name| name.inside && !name.in_test) {
        let Some(target) = name.segments.first() else {
            continue;
        };
        // The rules see nothing above them, not even items of lib.rs; others may use those.
        let known = layer == "domain" || LAYERS.into_iter().any(|(other, _)| other == target);
        if known && *target != layer && !allowed.contains(&target.as_str()) {
            let may = if allowed.is_empty() {
                "nothing else here".to_owned()
            } else {
                allowed.join(", ")
            };
            let what = format!("{layer} must not name crate::{target}: it may name {may}");
            found.push(Violation {
                rule: "layers",
                file: source.file.clone(),
                line: name.line,
                what,
            });
        }
    }
}

fn check_transactions(source: &Source, found: &mut Vec<Violation>) {
    if source.layer() == "app" {
        return;
    }
    let opens =
        |word: &&Word| word.after_dot && word.called && !word.in_test && TRANSACTIONS.contains(&word.text.as_str());
    for word in source.words.iter().filter(opens) {
        let what = format!("{} opens a transaction: only app does, take a &Txn instead", word.text);
        found.push(Violation {
            rule: "transactions",
            file: source.file.clone(),
            line: word.line,
            what,
        });
    }
}

fn check_purity(service: &Crate, source: &Source, found: &mut Vec<Violation>) {
    let mut impure = |line, what| {
        found.push(Violation {
            rule: "domain",
            file: source.file.clone(),
            line,
            what,
        })
    };
    for name in source
        .names
        .iter()
        .filter(|name| !name.in_test && source.is_external(name))
    {
        let first = &name.segments[0];
        if !PURE.contains(&first.as_str()) && is_dependency(service, first) {
            impure(
                name.line,
                format!("the rules name {first}: only vouch_primitives and std may be named here"),
            );
        }
        if reaches_outside(name) {
            impure(
                name.line,
                format!(
                    "the rules reach outside by {}: take it as an argument",
                    name.segments.join("::")
                ),
            );
        }
    }
    for word in source.words.iter().filter(|word| !word.in_test) {
        match word.text.as_str() {
            "async" | "await" => impure(word.line, "the rules wait for nothing: do this in app".to_owned()),
            clock if CLOCKS.contains(&clock) => {
                impure(
                    word.line,
                    format!("the rules read {clock}: take a Timestamp as an argument"),
                );
            }
            _ => {}
        }
    }
}

fn is_dependency(service: &Crate, name: &str) -> bool {
    service.dependencies.iter().any(|dependency| dependency.name == name)
}

fn reaches_outside(name: &Name) -> bool {
    name.segments[0] == "std"
        && name
            .segments
            .get(1)
            .is_some_and(|part| OUTSIDE.contains(&part.as_str()))
}
