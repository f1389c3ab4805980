//! Which test proves which rule: a test says so in a comment above its name, `// B26, B27`. The page `docs/proofs.md` lists it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use crate::house::House;

/// The tests of each rule, as `path` and name, by the letter and the number of the rule.
pub type Proofs = BTreeMap<(char, u32), BTreeSet<String>>;

/// How many rules there are of each letter, as docs/rules.md lists them.
const RULES: [(char, u32); 3] = [('R', 37), ('F', 18), ('B', 54)];

/// Rules that state a purpose and no behaviour: docs/rules.md says so.
const PURPOSES: [(char, u32); 4] = [('R', 27), ('F', 3), ('F', 18), ('B', 54)];

/// What all tests of the house prove.
pub fn proofs(house: &House) -> Proofs {
    let mut proofs = Proofs::new();
    for source in house.crates.iter().flat_map(|of| &of.sources) {
        let text = fs::read_to_string(house.root.join(&source.file)).unwrap_or_default();
        for (rules, name) in claims(&text) {
            for rule in rules {
                proofs
                    .entry(rule)
                    .or_default()
                    .insert(format!("`{}` {name}", source.file));
            }
        }
    }
    proofs
}

/// The rules that a comment names, with the function below it.
fn claims(text: &str) -> Vec<(Vec<(char, u32)>, String)> {
    let mut claims = Vec::new();
    let mut open: Option<Vec<(char, u32)>> = None;
    for line in text.lines().map(str::trim_start) {
        if let Some(comment) = line.strip_prefix("// ") {
            let rules = rules_of(comment);
            if !rules.is_empty() {
                open = Some(rules);
            }
        } else if let Some((_, rest)) = line.split_once("fn ") {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            claims.extend(open.take().map(|rules| (rules, name)));
        } else if line.is_empty() {
            open = None;
        }
    }
    claims
}

/// `B26, B27: both places` begins with two rules; prose begins with none.
fn rules_of(comment: &str) -> Vec<(char, u32)> {
    let rule = |word: &str| {
        let mut letters = word.chars();
        let letter = letters.next().filter(|letter| "RFB".contains(*letter))?;
        let number = letters.as_str().parse().ok()?;
        Some((letter, number))
    };
    let head = comment.split([':', '.']).next().unwrap_or_default();
    let words: Vec<_> = head.split(", ").map(str::trim).map(rule).collect();
    words.into_iter().collect::<Option<_>>().unwrap_or_default()
}

/// The rules that no test names, of all that are not a purpose.
pub fn unproved(proofs: &Proofs) -> Vec<String> {
    let missing = all()
        .into_iter()
        .filter(|rule| !PURPOSES.contains(rule) && !proofs.contains_key(rule));
    missing.map(|(letter, number)| format!("{letter}{number}")).collect()
}

/// All rules.
pub fn all() -> BTreeSet<(char, u32)> {
    let numbers = |(letter, last)| (1..=last).map(move |nth| (letter, nth));
    RULES.into_iter().flat_map(numbers).collect()
}

/// The rules that the page of the rules lists.
pub fn listed(page: &str) -> BTreeSet<(char, u32)> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| rules_of(row.split(" |").next().unwrap_or_default()).first().copied())
        .collect()
}

/// The page.
pub fn page(proofs: &Proofs) -> String {
    let mut page = "# Which test proves which rule\n\nThe numbers are those of [rules.md](rules.md). A test names the rules that it \
                    proves above itself; this page is made from that, and a test compares it.\n\n| rule | tests |\n|---|---|\n"
        .to_owned();
    for ((letter, number), tests) in proofs {
        let tests: Vec<_> = tests.iter().map(String::as_str).collect();
        let _ = writeln!(page, "| {letter}{number} | {} |", tests.join("<br>"));
    }
    page
}

#[test]
fn a_comment_that_begins_with_rules_claims_them_for_the_function_below() {
    let text = "// B26, B27: both places\nasync fn told(database: Db) {}\n\n// R2\n\nfn free() {}\n// So B28 it is.\nfn prose() {}\n\
                // F16\n#[test]\nfn kept() {}\n";
    let claims = claims(text);
    let told = (vec![('B', 26), ('B', 27)], "told".to_owned());
    assert_eq!(claims, [told, (vec![('F', 16)], "kept".to_owned())]);
    let proofs: Proofs = claims
        .into_iter()
        .flat_map(|(rules, name)| {
            rules
                .into_iter()
                .map(move |rule| (rule, BTreeSet::from([name.clone()])))
        })
        .collect();
    let missing = unproved(&proofs);
    assert!(missing.contains(&"B17".to_owned()) && !missing.contains(&"B26".to_owned()));
    assert!(
        missing.contains(&"R32".to_owned()) && !missing.contains(&"R27".to_owned()),
        "a purpose is not proved"
    );
}
