//! The shape of the house, as ARCHITECTURE.md draws it, checked against the manifests and the sources.
//!
//! - `crates`: `suite → services → {messaging, mail, runtime, storage, proto} → primitives`; no service knows another,
//!   the testkit is for tests; every crate has the house's lints, and versions only in the root.
//! - `services`: the same files in each; `{grpc, events, timers} → app → {domain, store}`; `domain` is pure; only `app`
//!   opens transactions.
//! - `sizes`: files and functions that one can read.
//! - `rules`: every rule is proved by a test that names it, and `docs/proofs.md` lists them all.
//!
//! `planted` breaks each rule once in a small house of its own, and sees it found.

mod crates;
mod house;
mod planted;
mod rules;
mod scan;
mod services;
mod sizes;

use std::path::Path;

use house::{House, Violation};

/// All violations of all rules, in the order of files and lines.
fn check(root: &Path) -> Vec<Violation> {
    let house = House::read(root);
    let mut found = crates::check(&house);
    found.extend(services::check(&house));
    found.extend(sizes::check(&house));
    found.sort_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)));
    found.dedup_by_key(|violation| violation.to_string());
    found
}

#[test]
fn the_house_keeps_its_shape() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let found: Vec<String> = check(&root).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{} violations:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_rule_is_proved_and_the_page_says_where() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/rules.md")).expect("the page of the rules");
    assert_eq!(
        rules::listed(&page),
        rules::all(),
        "the rules are those of docs/rules.md"
    );
    let proofs = rules::proofs(&House::read(&root));
    assert_eq!(rules::unproved(&proofs), Vec::<String>::new());
    vouch_testkit::tools::assert_golden(&root.join("docs/proofs.md"), &rules::page(&proofs));
}
