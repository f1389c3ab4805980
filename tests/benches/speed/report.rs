//! What was measured, as a table, as JSON and as a picture.

use std::{fmt::Write as _, fs, path::Path, time::Duration};

use serde::Serialize;
use vouch_suite::Error;

/// One line: so many per second, so many microseconds, or so many KiB, of every run and in the middle.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    pub what: String,
    pub database: String,
    pub unit: &'static str,
    pub median: u64,
    pub runs: Vec<u64>,
    /// Of what the database alone does, in thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_database_permille: Option<u64>,
    /// The first of the three averages of `/proc/loadavg`, before each run.
    pub load: Vec<String>,
}

#[derive(Debug, Serialize)]
pub struct Report {
    pub size: &'static str,
    pub earnings: usize,
    pub referees: usize,
    pub processors: usize,
    pub lines: Vec<Line>,
}

impl Report {
    /// A line in which more is better.
    pub fn rate(&mut self, what: &str, database: &str, count: usize, runs: &[(u64, String)]) -> u64 {
        let rates = runs.iter().map(|(took, _)| per_second(count, *took)).collect();
        self.line(what, database, "per second", rates, runs)
    }

    /// A line in which less is better.
    pub fn time(&mut self, what: &str, database: &str, runs: &[(u64, String)]) -> u64 {
        let times = runs.iter().map(|(took, _)| *took).collect();
        self.line(what, database, "microseconds", times, runs)
    }

    /// A line of memory.
    pub fn memory(&mut self, what: &str, database: &str, runs: &[(u64, String)]) -> u64 {
        let sizes = runs.iter().map(|(kib, _)| *kib).collect();
        self.line(what, database, "KiB", sizes, runs)
    }

    fn line(
        &mut self,
        what: &str,
        database: &str,
        unit: &'static str,
        values: Vec<u64>,
        runs: &[(u64, String)],
    ) -> u64 {
        let median = median(&values);
        let line = Line {
            what: what.to_owned(),
            database: database.to_owned(),
            unit,
            median,
            runs: values,
            of_database_permille: None,
            load: runs.iter().map(|(_, load)| load.clone()).collect(),
        };
        eprintln!("{}", row(&line));
        self.lines.push(line);
        median
    }

    /// Says what part of the database alone the last line but one is: the two were measured in turn.
    pub fn compare(&mut self) {
        if let [.., path, database] = self.lines.as_mut_slice() {
            let permille = path.median * 1_000 / database.median.max(1);
            path.of_database_permille = Some(permille);
            eprintln!("{:>72}", format!("path/database {}", decimal(permille)));
        }
    }

    pub fn table(&self) -> String {
        let mut table = format!(
            "{:42} {:9} {:>10}  {:14} {}\n",
            "what", "database", "median", "unit", "runs"
        );
        for line in &self.lines {
            let _ = writeln!(table, "{}", row(line));
        }
        table
    }

    /// Writes `speed.json` and `speed.svg`.
    pub fn write(&self, directory: &Path) -> Result<(), Error> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("speed.json"), serde_json::to_string_pretty(self)? + "\n")?;
        fs::write(directory.join("speed.svg"), self.picture())?;
        Ok(())
    }

    /// Bars for what is counted by the second.
    fn picture(&self) -> String {
        let bars: Vec<&Line> = self.lines.iter().filter(|line| line.unit == "per second").collect();
        let most = bars.iter().map(|line| line.median).max().unwrap_or(1).max(1);
        let height = bars.len() * 22 + 30;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"860\" height=\"{height}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             <text x=\"8\" y=\"18\">per second, median of the runs; longer is better</text>\n"
        );
        for (number, line) in bars.iter().enumerate() {
            let (y, width) = (number * 22 + 30, line.median * 380 / most);
            let colour = if line.database == "postgres" {
                "#336791"
            } else {
                "#0f80cc"
            };
            let _ = writeln!(
                svg,
                "<text x=\"8\" y=\"{text}\">{what}, {database}</text>\
                 <rect x=\"370\" y=\"{y}\" width=\"{width}\" height=\"16\" fill=\"{colour}\"/>\
                 <text x=\"{end}\" y=\"{text}\">{median}{ratio}</text>",
                text = y + 13,
                what = line.what,
                database = line.database,
                end = 376 + width,
                median = line.median,
                ratio = ratio(line),
            );
        }
        svg + "</svg>\n"
    }
}

fn row(line: &Line) -> String {
    let runs: Vec<String> = line.runs.iter().map(u64::to_string).collect();
    let Line {
        what,
        database,
        median,
        unit,
        ..
    } = line;
    let tail = ratio(line);
    format!(
        "{what:42} {database:9} {median:>10}  {unit:14} {}{tail}",
        runs.join(" ")
    )
}

fn ratio(line: &Line) -> String {
    let of_database = |permille| format!(" ({} of the database alone)", decimal(permille));
    line.of_database_permille.map_or_else(String::new, of_database)
}

/// Thousandths as a number with three decimals.
fn decimal(permille: u64) -> String {
    format!("{}.{:03}", permille / 1_000, permille % 1_000)
}

pub fn median(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

pub fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn per_second(count: usize, took: u64) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(1_000_000) / took.max(1)
}

/// How busy the machine has been during the last minute.
pub fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}
