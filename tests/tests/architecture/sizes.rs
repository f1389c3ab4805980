//! What fits on a screen can be read: the length of files and of functions, tests included.

use crate::house::{House, Violation};

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// Every rule about sizes.
pub fn check(house: &House) -> Vec<Violation> {
    let mut found = Vec::new();
    for source in house.crates.iter().flat_map(|member| &member.sources) {
        if source.lines > FILE_LINES {
            let what = format!(
                "{} lines, {FILE_LINES} are the limit: split it by meaning",
                source.lines
            );
            found.push(Violation {
                rule: "sizes",
                file: source.file.clone(),
                line: 1,
                what,
            });
        }
        for function in source
            .functions
            .iter()
            .filter(|function| function.lines > FUNCTION_LINES)
        {
            let what = format!(
                "fn {} has {} lines, {FUNCTION_LINES} are the limit: give its steps names",
                function.name, function.lines
            );
            found.push(Violation {
                rule: "sizes",
                file: source.file.clone(),
                line: function.line,
                what,
            });
        }
    }
    found
}
