//! `docs/errors.md` lists every reason that the code can give, and no other.

use std::{collections::BTreeSet, fs, path::Path};

use vouch_testkit::tools::repository;

#[test]
fn the_page_of_errors_lists_what_the_code_says() {
    let root = repository();
    let mut in_code = BTreeSet::new();
    for place in [
        "libs/runtime/src/grpc/status.rs",
        "proto/src/convert.rs",
        "proto/src/tax.rs",
        "proto/src/terms.rs",
    ] {
        in_code.extend(reasons_in(&root.join(place), '"'));
    }
    in_code.extend(reasons_below(&root.join("libs/runtime/src/operations")));
    for service in vouch_suite::SERVICES {
        let source = root.join("services").join(service).join("src");
        in_code.extend(reasons_in(&source.join("error.rs"), '"'));
        in_code.extend(reasons_in(&source.join("events.rs"), '"'));
        in_code.extend(reasons_below(&source.join("grpc")));
    }
    let on_page = reasons_in(&root.join("docs/errors.md"), '`');
    let missing: Vec<_> = in_code.difference(&on_page).collect();
    let extra: Vec<_> = on_page.difference(&in_code).collect();
    assert!(missing.is_empty(), "docs/errors.md does not list {missing:?}");
    assert!(extra.is_empty(), "docs/errors.md lists what nothing says: {extra:?}");
}

fn reasons_below(directory: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        found.extend(if path.is_dir() {
            reasons_below(&path)
        } else {
            reasons_in(&path, '"')
        });
    }
    found
}

/// What stands between two such marks and is written like a reason. Codes of gRPC are no reasons of ours.
fn reasons_in(path: &Path, mark: char) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let is_reason = |word: &&str| {
        word.len() > 3
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    let codes = ["UNAVAILABLE", "DEADLINE_EXCEEDED"];
    let words = text.split(mark).filter(is_reason).filter(|word| !codes.contains(word));
    words.map(str::to_owned).collect()
}
