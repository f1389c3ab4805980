//! Which test proves which rule: a test says so in a comment above its name, `// B26, B27`. The page `docs/proofs.md` lists it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
};

use crate::house::House;

/// The tests of each rule, as `path` and name, by the letter and the number of the rule.
pub type Proofs = BTreeMap<(char, u32), BTreeSet<String>>;

/// Rules of onboarding that are about money: payments proves them.
const OF_MONEY: [(char, u32); 2] = [('F', 12), ('F', 14)];

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

/// The rules of onboarding that no test names.
pub fn unproved(proofs: &Proofs) -> Vec<String> {
    let of_onboarding = (17..=53).map(|nth| ('B', nth)).chain((8..=17).map(|nth| ('F', nth)));
    let missing = of_onboarding.filter(|rule| !OF_MONEY.contains(rule) && !proofs.contains_key(rule));
    missing.map(|(letter, number)| format!("{letter}{number}")).collect()
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
    assert!(!missing.contains(&"F12".to_owned()), "money is not onboarding's");
}
