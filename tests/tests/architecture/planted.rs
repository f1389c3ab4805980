//! A small house that keeps every rule, and each rule broken once in it.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::crates::SERVICES;

/// One breach: which file is changed, how, and where it must be reported.
struct Plant {
    rule: &'static str,
    file: &'static str,
    change: Change,
    /// `file:line`
    at: &'static str,
}

enum Change {
    Append(&'static str),
    Replace(&'static str, &'static str),
    Create(String),
    Remove,
}

fn plant(rule: &'static str, file: &'static str, change: Change, at: &'static str) -> Plant {
    Plant { rule, file, change, at }
}

#[test]
fn a_sound_house_has_no_violations() {
    let house = sound_house();
    let found: Vec<String> = crate::check(house.path()).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn each_breach_of_an_arrow_is_reported() {
    expect_reported(vec![
        plant(
            "arrows",
            "services/payments/Cargo.toml",
            Change::Append("vouch-referral.workspace = true\n"),
            "services/payments/Cargo.toml:13",
        ),
        plant(
            "arrows",
            "services/payments/Cargo.toml",
            Change::Append("[dev-dependencies]\nvouch-referral.workspace = true\n"),
            "services/payments/Cargo.toml:14",
        ),
        plant(
            "arrows",
            "services/payments/Cargo.toml",
            Change::Append("vouch-testkit.workspace = true\n"),
            "services/payments/Cargo.toml:13",
        ),
        plant(
            "arrows",
            "services/payments/Cargo.toml",
            Change::Append("[dev-dependencies]\nvouch-suite.workspace = true\n"),
            "services/payments/Cargo.toml:14",
        ),
        plant(
            "arrows",
            "libs/storage/Cargo.toml",
            Change::Append("[build-dependencies]\nvouch-messaging.workspace = true\n"),
            "libs/storage/Cargo.toml:12",
        ),
        plant(
            "arrows",
            "libs/testkit/Cargo.toml",
            Change::Append("vouch-payments.workspace = true\n"),
            "libs/testkit/Cargo.toml:11",
        ),
        plant(
            "primitives",
            "libs/primitives/Cargo.toml",
            Change::Append("tokio.workspace = true\n"),
            "libs/primitives/Cargo.toml:11",
        ),
        plant(
            "primitives",
            "libs/primitives/src/lib.rs",
            Change::Append("pub async fn wait() {}\n"),
            "libs/primitives/src/lib.rs:2",
        ),
    ]);
}

#[test]
fn each_fault_of_a_manifest_is_reported() {
    let elsewhere = manifest("vouch-mailer", &[]) + "[lib]\npath = \"../mail/src/lib.rs\"\n";
    expect_reported(vec![
        plant(
            "lints",
            "libs/mail/Cargo.toml",
            Change::Replace("[lints]\nworkspace = true\n", ""),
            "libs/mail/Cargo.toml:1",
        ),
        plant(
            "versions",
            "proto/Cargo.toml",
            Change::Append("prost = \"0.14\"\n"),
            "proto/Cargo.toml:11",
        ),
        plant(
            "versions",
            "proto/Cargo.toml",
            Change::Append("[target.'cfg(unix)'.dev-dependencies]\nprost = { version = \"0.14\" }\n"),
            "proto/Cargo.toml:12",
        ),
        plant(
            "members",
            "libs/mailer/Cargo.toml",
            Change::Create(elsewhere),
            "libs/mailer/Cargo.toml:1",
        ),
        plant("members", "services/payments", Change::Remove, "Cargo.toml:1"),
    ]);
}

#[test]
fn each_breach_of_a_layer_is_reported() {
    let layers = |file, text, at| plant("layers", file, Change::Append(text), at);
    expect_reported(vec![
        layers(
            "services/payments/src/grpc/mod.rs",
            "use crate::store;\n",
            "services/payments/src/grpc/mod.rs:2",
        ),
        layers(
            "services/payments/src/events.rs",
            "use crate::{app, store::rows};\n",
            "services/payments/src/events.rs:2",
        ),
        layers(
            "services/payments/src/timers.rs",
            "fn f() { super::store::f() }\n",
            "services/payments/src/timers.rs:2",
        ),
        layers(
            "services/payments/src/app/mod.rs",
            "\nuse crate::grpc::f;\n",
            "services/payments/src/app/mod.rs:3",
        ),
        layers(
            "services/payments/src/store/mod.rs",
            "type T = crate::app::T;\n",
            "services/payments/src/store/mod.rs:2",
        ),
        layers(
            "services/payments/src/domain/mod.rs",
            "use crate::store;\n",
            "services/payments/src/domain/mod.rs:2",
        ),
        layers(
            "services/payments/src/domain/mod.rs",
            "use crate::Service;\n",
            "services/payments/src/domain/mod.rs:2",
        ),
        layers(
            "services/payments/src/error.rs",
            "use super::app;\n",
            "services/payments/src/error.rs:2",
        ),
        plant(
            "transactions",
            "services/payments/src/grpc/mod.rs",
            Change::Append("fn f(db: Db) { db.write_tx(|txn| txn); }\n"),
            "services/payments/src/grpc/mod.rs:2",
        ),
        plant(
            "transactions",
            "services/payments/src/timers.rs",
            Change::Append("fn f(c: C) {\n    c.once::<T>(|txn| txn)\n}\n"),
            "services/payments/src/timers.rs:3",
        ),
    ]);
}

#[test]
fn each_impurity_of_the_rules_is_reported() {
    let domain = |text, at| {
        plant(
            "domain",
            "services/referral/src/domain/programme.rs",
            Change::Append(text),
            at,
        )
    };
    expect_reported(vec![
        domain("use tokio::time;\n", "services/referral/src/domain/programme.rs:3"),
        domain(
            "fn f() { ::tokio::spawn(g()) }\n",
            "services/referral/src/domain/programme.rs:3",
        ),
        domain(
            "#[derive(vouch_storage::Row)]\nstruct S;\n",
            "services/referral/src/domain/programme.rs:3",
        ),
        domain(
            "fn f() { vec![1, tokio::f()]; }\n",
            "services/referral/src/domain/programme.rs:3",
        ),
        domain(
            "fn f() {\n    std::env::var(\"HOME\");\n}\n",
            "services/referral/src/domain/programme.rs:4",
        ),
        domain("async fn f() {}\n", "services/referral/src/domain/programme.rs:3"),
        domain(
            "use vouch_primitives::Clock;\n",
            "services/referral/src/domain/programme.rs:3",
        ),
        domain(
            "fn f() { let t = std::time::SystemTime::now(); }\n",
            "services/referral/src/domain/programme.rs:3",
        ),
    ]);
}

#[test]
fn each_missing_and_each_extra_file_is_reported() {
    let files = |file, change| plant("files", file, change, "");
    let plants = vec![
        files("services/referral/config.default.toml", Change::Remove),
        files("services/referral/tests", Change::Remove),
        files("services/referral/src/main.rs", Change::Remove),
        files("services/referral/src/events.rs", Change::Remove),
        files("services/referral/src/store", Change::Remove),
        files("services/referral/src/store/mod.rs", Change::Remove),
        files(
            "services/referral/src/helpers.rs",
            Change::Create("//! More.\n".to_owned()),
        ),
        files(
            "services/referral/build.rs",
            Change::Create("fn main() {}\n".to_owned()),
        ),
    ];
    for planted in plants {
        let at = format!("{}:1", planted.file);
        expect(&planted, &at);
    }
}

#[test]
fn what_is_too_long_is_reported() {
    let long_function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(69));
    let in_a_macro = format!(
        "proptest! {{\n    fn f() {{\n{}    }}\n}}\n",
        "        g();\n".repeat(69)
    );
    expect_reported(vec![
        plant(
            "sizes",
            "libs/mail/src/long.rs",
            Change::Create("\n".repeat(501)),
            "libs/mail/src/long.rs:1",
        ),
        plant(
            "sizes",
            "libs/mail/src/long.rs",
            Change::Create(long_function),
            "libs/mail/src/long.rs:1",
        ),
        plant(
            "sizes",
            "tests/tests/long.rs",
            Change::Create(in_a_macro),
            "tests/tests/long.rs:2",
        ),
    ]);
}

#[test]
fn what_is_just_short_enough_or_for_tests_is_not_reported() {
    let house = sound_house();
    let function = format!("fn f() {{\n{}}}\n", "    g();\n".repeat(68));
    fs::write(house.path().join("libs/mail/src/long.rs"), function + &"\n".repeat(430)).expect("written");
    let tests = "#[cfg(test)]\nmod tests {\n    use tokio::time;\n    use crate::store;\n    async fn f(db: Db) { db.write_tx(g) }\n}\n";
    append(&house.path().join("services/referral/src/domain/programme.rs"), tests);
    append(&house.path().join("services/referral/src/grpc/mod.rs"), tests);
    append(
        &house.path().join("services/referral/src/domain/mod.rs"),
        "mod time;\nfn f() { time::f(); self::time::f() }\n",
    );
    let found: Vec<String> = crate::check(house.path()).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

fn expect_reported(plants: Vec<Plant>) {
    for planted in plants {
        expect(&planted, planted.at);
    }
}

/// Plants one violation in a sound house, and expects it to be the only one that is found.
fn expect(planted: &Plant, at: &str) {
    let house = sound_house();
    let path = house.path().join(planted.file);
    match &planted.change {
        Change::Append(text) => append(&path, text),
        Change::Replace(from, to) => {
            let text = fs::read_to_string(&path).expect("read");
            assert!(text.contains(from), "{} does not contain {from:?}", planted.file);
            fs::write(&path, text.replace(from, to)).expect("written");
        }
        Change::Create(text) => write(&path, text),
        Change::Remove if path.is_dir() => fs::remove_dir_all(&path).expect("removed"),
        Change::Remove => fs::remove_file(&path).expect("removed"),
    }
    let found = crate::check(house.path());
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    let told = told.join("\n");
    assert_eq!(
        found.len(),
        1,
        "one violation of [{}] was planted at {at}, found:\n{told}",
        planted.rule
    );
    assert_eq!(found[0].rule, planted.rule, "planted at {at}, found:\n{told}");
    assert_eq!(format!("{}:{}", found[0].file, found[0].line), at, "found:\n{told}");
}

/// All crates with the least that keeps the rules.
fn sound_house() -> TempDir {
    let house = TempDir::new().expect("a temporary folder");
    let root = house.path();
    let mut members: Vec<(String, String, Vec<&str>)> = vec![
        ("proto".into(), "vouch-proto".into(), vec!["vouch-primitives"]),
        ("libs/primitives".into(), "vouch-primitives".into(), vec!["time"]),
        ("libs/storage".into(), "vouch-storage".into(), vec!["vouch-primitives"]),
        ("libs/messaging".into(), "vouch-messaging".into(), vec!["vouch-storage"]),
        ("libs/mail".into(), "vouch-mail".into(), vec!["vouch-storage"]),
        ("libs/runtime".into(), "vouch-runtime".into(), vec!["vouch-messaging"]),
        ("libs/testkit".into(), "vouch-testkit".into(), vec!["vouch-storage"]),
        ("tests".into(), "vouch-suite".into(), vec!["vouch-testkit"]),
    ];
    for service in SERVICES {
        members.push((
            format!("services/{service}"),
            format!("vouch-{service}"),
            vec!["time", "tokio", "vouch-storage"],
        ));
        sound_service(&root.join("services").join(service));
    }
    let mut workspace =
        String::from("[workspace]\nresolver = \"3\"\nmembers = [\"proto\", \"libs/*\", \"services/*\", \"tests\"]\n\n");
    workspace.push_str("[workspace.lints]\n\n[workspace.dependencies]\ntokio = \"1\"\ntime = \"0.3\"\n");
    for (folder, name, dependencies) in &members {
        workspace.push_str(&format!("{name} = {{ path = \"{folder}\" }}\n"));
        write(&root.join(folder).join("Cargo.toml"), &manifest(name, dependencies));
        write(&root.join(folder).join("src/lib.rs"), "//! Sound.\n");
    }
    write(&root.join("Cargo.toml"), &workspace);
    house
}

fn sound_service(folder: &Path) {
    write(&folder.join("config.default.toml"), "");
    write(&folder.join("tests/alone.rs"), "use tokio::time;\n");
    write(&folder.join("src/main.rs"), "fn main() {}\n");
    for file in [
        "config.rs",
        "error.rs",
        "migration/mod.rs",
        "store/mod.rs",
        "domain/mod.rs",
    ] {
        write(&folder.join("src").join(file), "use vouch_primitives::Money;\n");
    }
    write(
        &folder.join("src/domain/programme.rs"),
        "use std::fmt::{self, Display};\nuse super::{self as rules, Rule};\n",
    );
    for file in ["events.rs", "timers.rs", "grpc/mod.rs"] {
        write(
            &folder.join("src").join(file),
            "use crate::{app, domain::{self, Rule}, error::Error};\n",
        );
    }
    write(
        &folder.join("src/app/mod.rs"),
        "use crate::{domain, store}; async fn f(db: Db) { db.write_tx(g).await }\n",
    );
}

fn manifest(name: &str, dependencies: &[&str]) -> String {
    let mut text = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lints]\nworkspace = true\n\n"
    );
    text.push_str("[dependencies]\n");
    for dependency in dependencies {
        text.push_str(&format!("{dependency}.workspace = true\n"));
    }
    text
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    fs::write(path, text).expect("written");
}

fn append(path: &Path, text: &str) {
    let before = fs::read_to_string(path).expect("read");
    fs::write(path, before + text).expect("written");
}

/// A mistake that can no longer be made is found when the text changes, not when somebody next runs them all.
#[test]
fn every_mistake_of_the_list_can_still_be_made() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let list = fs::read_to_string(root.join("tests/planted/bugs.toml")).expect("a list");
    let list: toml::Table = list.parse().expect("a table");
    let bugs = list["bug"].as_array().expect("mistakes");
    let text = |bug: &toml::Value, key: &str| bug[key].as_str().expect("a text").to_owned();
    let stale: Vec<String> = bugs
        .iter()
        .filter(|bug| {
            let source = fs::read_to_string(root.join(text(bug, "file"))).unwrap_or_default();
            source.matches(&text(bug, "replace")).count() != 1
        })
        .map(|bug| text(bug, "name"))
        .collect();
    assert!(
        stale.is_empty() && !bugs.is_empty(),
        "what they replace does not stand once in its file: {stale:?}"
    );
}
