//! Which crate may depend on which, and how a manifest is written.

use crate::house::{Crate, Dependency, House, Violation};

/// The four services, which look alike and do not know one another.
pub const SERVICES: [&str; 4] = ["invitation", "onboarding", "payments", "referral"];

const SUITE: &str = "tests";
const TESTKIT: &str = "libs/testkit";
const PRIMITIVES: &str = "libs/primitives";

/// What would bring I/O, a runtime or a wire format into the pure values.
const IMPURE: [&str; 9] = [
    "async_nats",
    "futures",
    "lettre",
    "prost",
    "sea_orm",
    "sqlx",
    "tokio",
    "tonic",
    "vouch_proto",
];

/// What a crate may be built on. For its tests, the testkit comes on top.
fn allowed(folder: &str) -> Option<&'static [&'static str]> {
    const SERVICE: &[&str] = &[
        "libs/messaging",
        "libs/mail",
        "libs/runtime",
        "libs/storage",
        "proto",
        PRIMITIVES,
    ];
    Some(match folder {
        PRIMITIVES => &[],
        "proto" | "libs/storage" => &[PRIMITIVES],
        "libs/messaging" | "libs/mail" => &["libs/storage", PRIMITIVES],
        TESTKIT => &["libs/storage", "libs/messaging", "libs/mail", PRIMITIVES],
        "libs/runtime" => &["libs/storage", "libs/messaging", "libs/mail", "proto", PRIMITIVES],
        _ => {
            let name = folder.strip_prefix("services/")?;
            SERVICES.contains(&name).then_some(SERVICE)?
        }
    })
}

/// Every rule about crates.
pub fn check(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for service in SERVICES {
        if !house.services().any(|member| member.service() == Some(service)) {
            found.push(violation(
                "members",
                "Cargo.toml",
                1,
                format!("services/{service} is missing: make it a member"),
            ));
        }
    }
    for member in &house.crates {
        if member.folder != SUITE {
            check_arrows(member, &mut found);
        }
        check_manifest(member, &mut found);
    }
    if let Some(primitives) = house.crates.iter().find(|member| member.folder == PRIMITIVES) {
        check_primitives(primitives, &mut found);
    }
    found
}

fn check_arrows(member: &Crate, found: &mut Vec<Violation>) {
    let Some(allowed) = allowed(&member.folder) else {
        let what = "this folder has no place in the house: give it its arrows here, or move it".to_owned();
        return found.push(violation("members", &member.manifest_path(), 1, what));
    };
    for Dependency { name, folder, dev } in &member.dependencies {
        let Some(target) = folder.as_deref() else {
            continue;
        };
        // A crate names itself to switch its own features on in its tests.
        if allowed.contains(&target) || (*dev && (target == TESTKIT || target == member.folder)) {
            continue;
        }
        let advice = match target {
            TESTKIT => "the testkit is for tests only: move it to [dev-dependencies]".to_owned(),
            SUITE => "nothing depends on the suite".to_owned(),
            _ if target.starts_with("services/") => {
                "services know one another by vouch-proto only, in tests too".to_owned()
            }
            _ => format!("it may be built on: {}", allowed.join(", ")),
        };
        let line = member.manifest_line(&name.replace('_', "-"));
        let what = format!("{} must not depend on {target}: {advice}", member.folder);
        found.push(violation("arrows", &member.manifest_path(), line, what));
    }
}

fn check_manifest(member: &Crate, found: &mut Vec<Violation>) {
    let path = member.manifest_path();
    let manifest: toml::Table = member.manifest.parse().expect("cargo has read this manifest");
    if !is_inherited(manifest.get("lints")) {
        let what = "the house's lints are off: add [lints] workspace = true".to_owned();
        found.push(violation("lints", &path, 1, what));
    }
    let targets = manifest
        .get("target")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten();
    for table in targets.filter_map(|(_, target)| target.as_table()).chain([&manifest]) {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let dependencies = table.get(section).and_then(toml::Value::as_table).into_iter().flatten();
            for (name, _) in dependencies.filter(|(_, dependency)| !is_inherited(Some(dependency))) {
                let what = format!("{name} is pinned here: write {name}.workspace = true, its version in the root");
                found.push(violation("versions", &path, member.manifest_line(name), what));
            }
        }
    }
}

fn is_inherited(table: Option<&toml::Value>) -> bool {
    table
        .and_then(|table| table.get("workspace"))
        .and_then(toml::Value::as_bool)
        == Some(true)
}

fn check_primitives(primitives: &Crate, found: &mut Vec<Violation>) {
    for dependency in primitives.dependencies.iter().filter(|dependency| !dependency.dev) {
        if IMPURE.contains(&dependency.name.as_str()) {
            let line = primitives.manifest_line(&dependency.name.replace('_', "-"));
            let what = format!(
                "the pure values must not need {}: do this in a crate above",
                dependency.name
            );
            found.push(violation("primitives", &primitives.manifest_path(), line, what));
        }
    }
    for source in &primitives.sources {
        for word in source.words.iter().filter(|word| !word.in_test && word.text == "async") {
            let what = "the pure values wait for nothing: do this in a crate above".to_owned();
            found.push(violation("primitives", &source.file, word.line, what));
        }
    }
}

fn violation(rule: &'static str, file: &str, line: usize, what: String) -> Violation {
    Violation {
        rule,
        file: file.to_owned(),
        line,
        what,
    }
}
