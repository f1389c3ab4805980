//! Earnings as a CSV file tells them: `earning_id,referee,date,amount,currency,refund_of`.
//!
//! | column | holds |
//! |---|---|
//! | `earning_id` | a name for the row, unique in the file |
//! | `referee` | who earned it |
//! | `date` | when: `2026-02-28` (its first moment, UTC) or `2026-02-28T09:30:00Z` |
//! | `amount` | in major units, as many decimals as the currency has: `1250.00` USD, `980` JPY, `0.500` KWD |
//! | `currency` | an ISO 4217 code |
//! | `refund_of` | empty for an earning; for a refund the `earning_id` of the earning that it takes back or a part of |

use std::{collections::HashMap, fmt, io::Read};

use serde::Deserialize;
use vouch_primitives::{Money, Timestamp};

/// The longest time after an earning in which it can be refunded, in days.
const REFUND_DAYS: u32 = 180;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The line of the file.
    pub line: u64,
    /// The row's name.
    pub id: String,
    /// Who earned it.
    pub referee: String,
    /// When it was earned or refunded.
    pub date: Timestamp,
    /// The amount, above zero, of refunds too.
    pub amount: Money,
    /// The earning that a refund takes from.
    pub refund_of: Option<String>,
}

/// All that is wrong with a file, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Mistakes {}

#[derive(Deserialize)]
struct Row {
    earning_id: String,
    referee: String,
    date: String,
    amount: String,
    currency: String,
    #[serde(default)]
    refund_of: String,
}

/// Reads a file and puts it in the order of its dates; rows of one date keep their order.
///
/// # Errors
/// All mistakes, each with its line.
pub fn read(file: impl Read) -> Result<Vec<Entry>, Mistakes> {
    let mut mistakes = Vec::new();
    let mut entries = Vec::new();
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(file);
    let headers = reader.headers().cloned().unwrap_or_default();
    let mut record = csv::StringRecord::new();
    loop {
        match reader.read_record(&mut record) {
            Ok(false) => break,
            Ok(true) => {}
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                mistakes.push(format!("line {line}: {error}"));
                break;
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        let row = record
            .deserialize::<Row>(Some(&headers))
            .map_err(|error| error.to_string());
        match row.and_then(|row| entry(line, row)) {
            Ok(entry) => entries.push(entry),
            Err(mistake) => mistakes.push(format!("line {line}: {mistake}")),
        }
    }
    entries.sort_by_key(|entry| entry.date);
    mistakes.extend(contradictions(&entries));
    if entries.is_empty() && mistakes.is_empty() {
        mistakes.push("the file holds no earnings".to_owned());
    }
    if mistakes.is_empty() {
        Ok(entries)
    } else {
        Err(Mistakes(mistakes))
    }
}

fn entry(line: u64, row: Row) -> Result<Entry, String> {
    if row.earning_id.is_empty() || row.referee.is_empty() {
        return Err("earning_id and referee are required".to_owned());
    }
    let date: Timestamp = row.date.parse().map_err(|error| format!("date: {error}"))?;
    let currency = row.currency.parse().map_err(|error| format!("currency: {error}"))?;
    let refund_of = Some(row.refund_of).filter(|id| !id.is_empty());
    // People write refunds with and without a minus.
    let amount = if refund_of.is_some() {
        row.amount.trim_start_matches('-')
    } else {
        &row.amount
    };
    let amount = Money::parse_major(amount, currency).map_err(|error| format!("amount: {error}"))?;
    if amount.minor <= 0 {
        return Err("amount: must be above zero".to_owned());
    }
    if amount.minor > Money::LARGEST_MINOR {
        let largest = Money::new(Money::LARGEST_MINOR, currency);
        return Err(format!("amount: must be at most {largest}"));
    }
    Ok(Entry {
        line,
        id: row.earning_id,
        referee: row.referee,
        date,
        amount,
        refund_of,
    })
}

/// What no single row shows: names used twice, refunds of nothing, of too much, of somebody else's.
fn contradictions(entries: &[Entry]) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut left: HashMap<&str, (&Entry, i64)> = HashMap::new();
    let mut names: HashMap<&str, u64> = HashMap::new();
    for entry in entries {
        let mut mistake = |text: String| mistakes.push(format!("line {}: {text}", entry.line));
        if let Some(first) = names.insert(&entry.id, entry.line) {
            mistake(format!("earning_id {} was used in line {first}", entry.id));
        }
        let Some(refunded) = &entry.refund_of else {
            left.insert(&entry.id, (entry, entry.amount.minor));
            continue;
        };
        let Some((earning, rest)) = left.get_mut(refunded.as_str()) else {
            mistake(format!(
                "refund_of {refunded}: there is no such earning on or before {}",
                entry.date
            ));
            continue;
        };
        if earning.referee != entry.referee || earning.amount.currency != entry.amount.currency {
            mistake(format!("refund_of {refunded}: is of another referee or currency"));
        }
        if entry.date > earning.date.add_days(REFUND_DAYS) {
            mistake(format!(
                "refund_of {refunded}: was earned more than {REFUND_DAYS} days before"
            ));
        }
        *rest -= entry.amount.minor;
        if *rest < 0 {
            mistake(format!("refund_of {refunded}: more is refunded than was earned"));
        }
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(rows: &str) -> Result<Vec<Entry>, Mistakes> {
        read(format!("earning_id,referee,date,amount,currency,refund_of\n{rows}").as_bytes())
    }

    #[test]
    fn rows_come_in_the_order_of_their_dates() {
        let entries = read_text("b,Ada,2026-02-01,-0.50,USD,a\na,Ada,2026-01-01,10.00,USD,\n").expect("a good file");
        let told: Vec<_> = entries
            .iter()
            .map(|e| (e.id.as_str(), e.amount.minor, e.refund_of.as_deref()))
            .collect();
        assert_eq!(told, [("a", 1_000, None), ("b", 50, Some("a"))]);
    }

    #[test]
    fn all_mistakes_are_told_with_their_lines() {
        let mistakes = read_text(
            "a,Ada,2026-01-01,10.00,USD,\na,Ada,yesterday,1,USD,\nc,Ada,2026-01-01,1.001,USD,\n\
             d,Ada,2026-01-02,10.01,USD,a\ne,Bob,2026-01-02,1,USD,a\nf,Ada,2026-01-02,1,USD,zz\n\
             g,Ada,2026-01-02,0,USD,\nh,Ada,2026-01-02,5,XXX,\ni,Ada,2026-01-02,100000000000.01,USD,\n",
        )
        .expect_err("a bad file");
        let lines: Vec<_> = mistakes
            .0
            .iter()
            .map(|m| m.split(": ").take(2).collect::<Vec<_>>().join(": "))
            .collect();
        let expected = [
            "line 3: date",
            "line 4: amount",
            "line 8: amount",
            "line 9: currency",
            "line 10: amount",
            "line 5: refund_of a",
            "line 6: refund_of a",
            "line 6: refund_of a",
            "line 7: refund_of zz",
        ];
        assert_eq!(lines, expected);
        assert!(read_text("").is_err(), "an empty file");
    }
}
