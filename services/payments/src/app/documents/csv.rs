//! Rows of RFC 4180: commas, quotes where they are needed, CR LF.

use csv::{Terminator, Writer, WriterBuilder};

use super::DocumentError;

/// A CSV file, row by row, in UTF-8.
#[derive(Debug)]
pub struct Csv(Writer<Vec<u8>>);

impl Csv {
    /// A file with these columns.
    ///
    /// # Errors
    /// None that is known.
    pub fn new(columns: &[&str]) -> Result<Self, DocumentError> {
        let mut csv = Self(writer());
        csv.row(columns)?;
        Ok(csv)
    }

    /// Adds a row. What somebody has typed goes through [`text`].
    ///
    /// # Errors
    /// If there are not as many cells as columns: a mistake in the program.
    pub fn row<C: AsRef<[u8]>>(&mut self, cells: &[C]) -> Result<(), DocumentError> {
        let written = self.0.write_record(cells);
        written.map_err(|error| DocumentError::Csv(error.to_string()))
    }

    /// Takes what has been written so far.
    ///
    /// # Errors
    /// None that is known.
    pub fn take(&mut self) -> Result<Vec<u8>, DocumentError> {
        let full = std::mem::replace(&mut self.0, writer());
        full.into_inner().map_err(|error| DocumentError::Csv(error.to_string()))
    }
}

fn writer() -> Writer<Vec<u8>> {
    WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .flexible(false)
        .from_writer(Vec::new())
}

/// A text as a cell. A spreadsheet takes what begins with one of these characters for a formula, and formulas can do harm:
/// it gets an apostrophe before it, which spreadsheets do not show.
#[must_use]
pub fn text(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_are_quoted_where_they_have_to_be() {
        let mut csv = Csv::new(&["a", "b"]).unwrap();
        csv.row(&[r#"say "hi""#, "1,5"]).unwrap();
        csv.row(&["two\nlines", "-12.00"]).unwrap();
        let text = String::from_utf8(csv.take().unwrap()).unwrap();
        assert_eq!(text, "a,b\r\n\"say \"\"hi\"\"\",\"1,5\"\r\n\"two\nlines\",-12.00\r\n");
        csv.row(&["more", ""]).unwrap();
        assert_eq!(csv.take().unwrap(), b"more,\r\n");
        assert!(csv.take().unwrap().is_empty());
    }

    #[test]
    fn no_text_is_a_formula() {
        for begin in ['=', '+', '-', '@', '\t', '\r'] {
            assert_eq!(
                text(&format!("{begin}cmd|'/c calc'!A1")),
                format!("'{begin}cmd|'/c calc'!A1")
            );
        }
        assert_eq!(text("a=b"), "a=b");
        assert_eq!(text(""), "");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(prop::collection::vec(".*", 3), 0..20), cut in 0..20_usize) {
            let mut csv = Csv::new(&["a", "b", "c"]).unwrap();
            let mut bytes = Vec::new();
            for (number, row) in rows.iter().enumerate() {
                csv.row(row).unwrap();
                if number == cut {
                    bytes.extend(csv.take().unwrap());
                }
            }
            bytes.extend(csv.take().unwrap());
            let mut reader = csv::ReaderBuilder::new().from_reader(bytes.as_slice());
            let read: Vec<Vec<String>> =
                reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
            prop_assert_eq!(read, rows);
        }
    }
}
