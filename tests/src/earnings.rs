//! Earnings as a CSV file tells them: `earning_id,referee,date,amount,currency,refund_of`.
//!
//! | column | holds |
//! |---|---|
//! | `earning_id` | a name for the row, unique in the file |
//! | `referee` | who earned it; not the referrer |
//! | `date` | when: `2026-02-28` (its first moment, UTC) or `2026-02-28T09:30:00Z`; 1970 to 9999 |
//! | `amount` | in major units, as many decimals as the currency has: `1250.00` USD, `980` JPY, `0.500` KWD |
//! | `currency` | an ISO 4217 code |
//! | `refund_of` | empty for an earning; for a refund the `earning_id` of the earning that it takes back or a part of |
//!
//! The columns stand in any order under their names, and `refund_of` may be missing. Empty lines and lines that begin
//! with `#` are passed over.

use std::{
    collections::{HashMap, HashSet},
    fmt, fs,
    io::{self, Read},
    path::Path,
};

use vouch_primitives::{Currency, Money, MoneyError, Timestamp};

use crate::playback::REFERRER;

#[cfg(test)]
mod tests;

/// The longest time after an earning in which it can be refunded, in days.
const REFUND_DAYS: u32 = 180;
/// The longest name that the services take.
const LONGEST_NAME: usize = 200;
/// The columns; only the last may be missing.
const COLUMNS: [&str; 6] = ["earning_id", "referee", "date", "amount", "currency", "refund_of"];

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

impl Mistakes {
    fn one(text: impl Into<String>) -> Self {
        Self(vec![text.into()])
    }
}

/// Reads the file at `path`, as [`read`] does.
///
/// # Errors
/// All mistakes, under the name of the file.
pub fn read_file(path: &Path) -> Result<Vec<Entry>, crate::Error> {
    let opened = fs::File::open(path).map_err(|error| Mistakes::one(cannot_read(&error)));
    opened.and_then(read).map_err(|Mistakes(mistakes)| {
        let count = match mistakes.len() {
            1 => "a mistake".to_owned(),
            several => format!("{several} mistakes"),
        };
        format!("{} has {count}:\n  {}", path.display(), mistakes.join("\n  ")).into()
    })
}

/// Reads a file and puts it in the order of its dates. Of one date, earnings come before refunds; else rows keep their
/// order.
///
/// # Errors
/// All mistakes, each with its line. A row that is wrong makes no other row wrong.
pub fn read(mut file: impl Read) -> Result<Vec<Entry>, Mistakes> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|error| Mistakes::one(cannot_read(&error)))?;
    let text = text_of(&bytes)?;
    let mut rows = Rows::of(&text);
    let header = rows.next().ok_or_else(|| Mistakes::one("the file is empty"))?;
    let columns = Columns::of(&header)?;
    let mut found = Found::default();
    for row in rows {
        found.note(&columns, &row);
    }
    found
        .entries
        .sort_by_key(|entry| (entry.date, entry.refund_of.is_some()));
    found.compare();
    found.mistakes.sort_by_key(|(line, _)| *line);
    if found.mistakes.is_empty() && found.entries.is_empty() {
        Err(Mistakes::one("the file holds no earnings"))
    } else if found.mistakes.is_empty() {
        Ok(found.entries)
    } else {
        let line = |(line, mistake)| format!("line {line}: {mistake}");
        Err(Mistakes(found.mistakes.into_iter().map(line).collect()))
    }
}

fn cannot_read(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory, not a CSV file".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}

/// The text without the mark that some programmes put in front, and with one kind of line end, so that lines can be
/// counted.
fn text_of(bytes: &[u8]) -> Result<String, Mistakes> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).replace("\r\n", "\n");
        let line = 1 + good.matches(['\n', '\r']).count();
        Mistakes::one(format!("line {line} is not UTF-8: save the file as UTF-8 text"))
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(text.replace("\r\n", "\n").replace('\r', "\n"))
}

/// The rows of a text, without those that hold nothing.
struct Rows<'a> {
    text: &'a str,
    reader: csv::Reader<&'a [u8]>,
}

struct Row {
    line: u64,
    fields: Vec<String>,
}

impl<'a> Rows<'a> {
    fn of(text: &'a str) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .from_reader(text.as_bytes());
        Self { text, reader }
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let mut record = csv::StringRecord::new();
        loop {
            // Rows of any length in a text in memory: reading them cannot fail.
            let Ok(true) = self.reader.read_record(&mut record) else {
                return None;
            };
            if record.iter().any(|field| !field.trim().is_empty()) {
                break;
            }
        }
        // The position of a record is before the empty lines above it, so its line is counted from its end.
        let end = usize::try_from(self.reader.position().byte()).unwrap_or(usize::MAX);
        let read = self.text.get(..end).unwrap_or(self.text);
        let breaks = |text: &str| text.matches('\n').count();
        // A quote that is never closed takes the last line end for a part of its field.
        let open = record.iter().next_back().is_some_and(|field| field.ends_with('\n')) && !read.ends_with("\"\n");
        let read = read.strip_suffix('\n').filter(|_| !open).unwrap_or(read);
        let before = breaks(read) - record.iter().map(breaks).sum::<usize>();
        Some(Row {
            line: u64::try_from(before + 1).unwrap_or(u64::MAX),
            fields: record.iter().map(|field| field.trim().to_owned()).collect(),
        })
    }
}

/// At which place of a row each of [`COLUMNS`] stands, and how many places there are.
struct Columns {
    places: [Option<usize>; COLUMNS.len()],
    count: usize,
}

impl Columns {
    fn of(header: &Row) -> Result<Self, Mistakes> {
        let named = &header.fields;
        let places = COLUMNS.map(|column| named.iter().position(|name| name == column));
        let listed = |wrong: &str, names: Vec<String>| match names.is_empty() {
            true => None,
            false => Some(format!("{wrong}: {}", list(&names))),
        };
        let required = COLUMNS.iter().zip(places).take(COLUMNS.len() - 1);
        let missing = required
            .filter(|(_, place)| place.is_none())
            .map(|(column, _)| (*column).to_owned());
        let twice = COLUMNS
            .iter()
            .filter(|column| named.iter().filter(|name| name == *column).count() > 1);
        let unknown = named.iter().filter(|name| !COLUMNS.contains(&name.as_str()));
        let wrong: Vec<String> = [
            listed("missing", missing.collect()),
            listed("twice", twice.map(|column| (*column).to_owned()).collect()),
            listed("not known", unknown.map(|name| format!("{name:?}")).collect()),
        ]
        .into_iter()
        .flatten()
        .collect();
        if wrong.is_empty() {
            return Ok(Self {
                places,
                count: named.len(),
            });
        }
        Err(Mistakes::one(format!(
            "line {}: the columns are {}; {}",
            header.line,
            list(&COLUMNS),
            wrong.join("; ")
        )))
    }

    /// The fields of a row in the order of [`COLUMNS`]; `None` where the row is too short.
    fn fields<'r>(&self, row: &'r Row) -> [Option<&'r str>; COLUMNS.len()] {
        self.places.map(|place| match place {
            None => Some(""),
            Some(place) => row.fields.get(place).map(String::as_str),
        })
    }
}

/// What the rows have shown so far.
#[derive(Default)]
struct Found {
    entries: Vec<Entry>,
    mistakes: Vec<(u64, String)>,
    /// The line in which each name stands first.
    lines: HashMap<String, u64>,
    /// The names of rows that are wrong: nothing can be said of their refunds.
    doubtful: HashSet<String>,
}

impl Found {
    fn note(&mut self, columns: &Columns, row: &Row) {
        let fields = columns.fields(row);
        let id = fields[0].unwrap_or_default();
        let mut wrong = Vec::new();
        if row.fields.iter().any(|field| field.contains('\n')) {
            self.mistakes
                .push((row.line, "a quote is opened and not closed in its line".to_owned()));
            return;
        }
        if let Some(first) = self.lines.get(id).filter(|_| !id.is_empty()) {
            wrong.push(format!("earning_id: {id} stands in line {first} already"));
        }
        if row.fields.len() == columns.count {
            match entry(row.line, fields, &mut wrong) {
                Some(entry) if wrong.is_empty() => self.entries.push(entry),
                _ => {}
            }
        } else {
            wrong.push(miscounted(columns, row));
            // In a row with too many fields nobody knows which is which.
            if row.fields.len() < columns.count {
                entry(row.line, fields, &mut wrong);
            }
        }
        if !wrong.is_empty() {
            self.doubtful.insert(id.to_owned());
        }
        self.lines.entry(id.to_owned()).or_insert(row.line);
        self.mistakes
            .extend(wrong.into_iter().map(|mistake| (row.line, mistake)));
    }

    /// Finds what no single row shows: refunds of nothing, of too much, of somebody else's.
    fn compare(&mut self) {
        let mut earnings: HashMap<&str, (&Entry, i64)> = HashMap::new();
        for entry in self.entries.iter().filter(|entry| entry.refund_of.is_none()) {
            earnings.insert(&entry.id, (entry, entry.amount.minor));
        }
        for entry in &self.entries {
            let Some(refunded) = entry.refund_of.as_deref().filter(|id| !self.doubtful.contains(*id)) else {
                continue;
            };
            let wrong = match earnings.get_mut(refunded) {
                Some((earning, rest)) => refund(entry, earning, rest),
                None if self.lines.contains_key(refunded) => Some(format!("{refunded} is a refund itself")),
                None => Some(format!("there is no earning {refunded}")),
            };
            let mistake = wrong.map(|wrong| (entry.line, format!("refund_of: {wrong}")));
            self.mistakes.extend(mistake);
        }
    }
}

/// What is wrong with a refund of this earning, of which so much is left.
fn refund(entry: &Entry, earning: &Entry, rest: &mut i64) -> Option<String> {
    let id = &earning.id;
    if earning.referee != entry.referee {
        return Some(format!(
            "{id} was earned by {}, not by {}",
            earning.referee, entry.referee
        ));
    }
    let (earned, refunded) = (earning.amount.currency, entry.amount.currency);
    if earned != refunded {
        return Some(format!("{id} was earned in {earned}, not in {refunded}"));
    }
    if entry.date < earning.date {
        return Some(format!("{id} was earned later, on {}", earning.date));
    }
    if entry.date > earning.date.add_days(REFUND_DAYS) {
        return Some(format!("{id} was earned more than {REFUND_DAYS} days before"));
    }
    if entry.amount.minor > *rest {
        let left = Money::new(*rest, earned);
        return Some(format!(
            "more of {id} is refunded than was earned: {left} is left of it"
        ));
    }
    *rest -= entry.amount.minor;
    None
}

fn miscounted(columns: &Columns, row: &Row) -> String {
    let (found, expected) = (row.fields.len(), columns.count);
    let noun = if found == 1 { "column" } else { "columns" };
    let hint = if found > expected {
        "write an amount without thousands separators, and a name with a comma in quotes".to_owned()
    } else {
        let missing = COLUMNS.iter().zip(columns.places);
        let missing: Vec<&str> = missing
            .filter(|(_, place)| place.is_some_and(|place| place >= found))
            .map(|(column, _)| *column)
            .collect();
        format!(
            "{} {} missing",
            list(&missing),
            if missing.len() == 1 { "is" } else { "are" }
        )
    };
    format!("{found} {noun} instead of {expected}: {hint}")
}

/// Reads the fields that are there and notes everything that is wrong with them.
fn entry(line: u64, fields: [Option<&str>; COLUMNS.len()], wrong: &mut Vec<String>) -> Option<Entry> {
    let mut noted = |column: &str, mistake: String| wrong.push(format!("{column}: {mistake}"));
    let [id, referee, when, amount, code, refund_of] = fields;
    let refund_of = refund_of.filter(|id| !id.is_empty());
    let id = id.and_then(|text| name(text).map_err(|mistake| noted("earning_id", mistake)).ok());
    let referee = referee.and_then(|text| not_the_referrer(text).map_err(|mistake| noted("referee", mistake)).ok());
    let date = when.and_then(|text| date(text).map_err(|mistake| noted("date", mistake)).ok());
    let currency: Option<Currency> = code.and_then(|code| code.parse().ok());
    let amount = amount.and_then(|text| {
        let money = positive(text, currency, refund_of.is_some());
        money.map_err(|mistake| noted("amount", mistake)).ok().flatten()
    });
    if let (Some(code), None) = (code, currency) {
        noted(
            "currency",
            format!("{code:?} is no ISO 4217 code in capitals, such as USD"),
        );
    }
    Some(Entry {
        line,
        id: id?,
        referee: referee?,
        date: date?,
        amount: amount?,
        refund_of: refund_of.map(ToOwned::to_owned),
    })
}

fn name(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0 => Err("is empty".to_owned()),
        1..=LONGEST_NAME => Ok(text.to_owned()),
        _ => Err(format!("is longer than {LONGEST_NAME} characters")),
    }
}

fn not_the_referrer(text: &str) -> Result<String, String> {
    if text.to_lowercase() == REFERRER.to_lowercase() {
        Err(format!(
            "{REFERRER} is the referrer, who vouches for all others: choose another name"
        ))
    } else {
        name(text)
    }
}

fn date(text: &str) -> Result<Timestamp, String> {
    let date: Timestamp = text.parse().map_err(|_| {
        format!("{text:?} is neither a date such as 2026-01-15 nor a moment of RFC 3339 such as 2026-01-15T09:30:00Z")
    })?;
    if (Timestamp::EPOCH..=Timestamp::MAX).contains(&date) {
        Ok(date)
    } else {
        Err(format!("{text} is outside the years 1970 to 9999"))
    }
}

/// People write refunds with and without a minus. Without its currency an amount can only be seen to be no number.
fn positive(text: &str, currency: Option<Currency>, is_refund: bool) -> Result<Option<Money>, String> {
    let digits = if is_refund {
        text.strip_prefix('-').unwrap_or(text)
    } else {
        text
    };
    match Money::parse_major(digits, currency.unwrap_or(Currency::USD)) {
        Ok(money) if money.minor > Money::LARGEST_MINOR => Err(format!(
            "must be at most {}",
            Money::new(Money::LARGEST_MINOR, money.currency)
        )),
        Ok(money) if money.minor > 0 => Ok(currency.map(|_| money)),
        Ok(_) => Err("must be above zero".to_owned()),
        Err(MoneyError::NotANumber(text)) => Err(format!(
            "{text:?} is no number such as 1250 or 1250.00, without thousands separators"
        )),
        Err(_) if currency.is_none() => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// `a, b and c`.
fn list(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}
