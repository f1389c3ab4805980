use super::*;

const HEADER: &str = "earning_id,referee,date,amount,currency,refund_of";

fn read_text(rows: &str) -> Result<Vec<Entry>, Mistakes> {
    read(format!("{HEADER}\n{rows}").as_bytes())
}

fn mistakes(file: impl AsRef<[u8]>) -> Vec<String> {
    read(file.as_ref()).expect_err("a bad file").0
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
fn of_one_date_earnings_come_before_their_refunds() {
    let entries = read_text("b,Ada,2026-01-01,1,USD,a\na,Ada,2026-01-01,1,USD,\n").expect("a good file");
    assert_eq!(entries.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn lines_are_those_of_the_file() {
    for (file, line) in [
        (format!("{HEADER}\na,Ada,bad,1,USD,\n"), 2),
        (
            format!("{HEADER}\r\na,Ada,2026-01-01,1,USD,\r\nb,Ada,bad,1,USD,\r\n"),
            3,
        ),
        (format!("\n\n{HEADER}\n\n\na,Ada,bad,1,USD,\n"), 6),
        (format!("# why\r\n{HEADER}\r\n\r\n# because\r\na,Ada,bad,1,USD,"), 5),
        (format!("\u{feff}{HEADER}\r\n,,,,,\r\n  \r\na,Ada,bad,1,USD,"), 4),
        (format!("{HEADER}\r\ra,Ada,bad,1,USD,\r"), 3),
        (format!("{HEADER}\n\"a\",\"Ada\",\"bad\",\"1\",USD,"), 2),
    ] {
        let told = mistakes(&file);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(&format!("line {line}: date: ")),
            "{file:?}: {told:?}"
        );
    }
}

#[test]
fn all_mistakes_are_told_with_their_lines() {
    let told = read_text(
        "a,Ada,2026-01-01,10.00,USD,\na,Ada,yesterday,1,usd,\nc,Ada,2026-01-01,1.001,USD,\n\
         d,Ada,2026-01-02,10.01,USD,x\ne,Bob,2026-01-02,1,USD,x\nf,Ada,2026-01-02,1,USD,zz\n\
         g,,2026-01-02,0,USD,\nh,Ada,2026-01-02,1250.00\ni,Ada,2026-01-02,1,250.00,USD,\n\
         j,Ada,2026-01-02,\"1,250.00\",USD,\nx,Ada,2026-01-01,10.00,USD,\nk,Ada,2026-01-02,5,EUR,x\n\
         l,Ada,2026-01-02,1,USD,k\nm,Ada,2025-12-31,1,USD,x\nn,Ada,2026-07-01,1,USD,x\no,Ada,2026-01-02,-1,USD,\n",
    )
    .expect_err("a bad file")
    .0;
    let beginnings: Vec<&str> = told.iter().map(|m| m.get(..m.len().min(44)).unwrap_or(m)).collect();
    let expected = [
        "line 3: earning_id: a stands in line 2 alrea",
        "line 3: date: \"yesterday\" is neither a date ",
        "line 3: currency: \"usd\" is no ISO 4217 code ",
        "line 4: amount: USD has 2 decimals, \"1.001\" ",
        "line 5: refund_of: more of x is refunded tha",
        "line 6: refund_of: x was earned by Ada, not ",
        "line 7: refund_of: there is no earning zz",
        "line 8: referee: is empty",
        "line 8: amount: must be above zero",
        "line 9: 4 columns instead of 6: currency and",
        "line 10: 7 columns instead of 6: write an am",
        "line 11: amount: \"1,250.00\" is no number suc",
        "line 13: refund_of: x was earned in USD, not",
        "line 14: refund_of: k is a refund itself",
        "line 15: refund_of: x was earned later, on 2",
        "line 16: refund_of: x was earned more than 1",
        "line 17: amount: must be above zero",
    ];
    for (told, expected) in beginnings.iter().zip(expected) {
        assert!(
            told.starts_with(expected) || expected.starts_with(told),
            "{told:?} is not {expected:?}"
        );
    }
    assert_eq!(told.len(), expected.len(), "{told:#?}");
}

#[test]
fn a_bad_row_makes_no_other_row_bad() {
    let told = mistakes(format!(
        "{HEADER}\na,Ada,soon,10.00,USD,\nr,Ada,2026-01-02,1,USD,a\nb,Ada,2026-01-01\ns,Ada,2026-01-02,1,USD,b\n"
    ));
    let lines: Vec<_> = told.iter().map(|m| m.split(": ").next().unwrap_or_default()).collect();
    assert_eq!(lines, ["line 2", "line 4"], "{told:?}");
}

#[test]
fn a_header_says_what_it_should_be() {
    for (header, what) in [
        (
            "earning_id,referee,date,amount,currency,refundof",
            "not known: \"refundof\"",
        ),
        ("earning_id,referee,date,amount", "missing: currency"),
        ("earning_id,referee,date,amount,currency,date", "twice: date"),
        (
            "e1,Ada,2026-01-15,1250.00,USD,",
            "missing: earning_id, referee, date, amount and currency",
        ),
    ] {
        let told = mistakes(format!("{header}\ne1,Ada,2026-01-15,1250.00,USD,\n"));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with("line 1: the columns are earning_id, referee, date, amount, currency and "));
        assert!(told[0].contains(what), "{told:?}");
    }
    let another_order = "currency,amount,date,referee,earning_id\nUSD,1,2026-01-01,Ada,a\n";
    assert_eq!(read(another_order.as_bytes()).expect("a good file").len(), 1);
}

#[test]
fn a_date_that_cannot_be_played_is_refused() {
    for (date, good) in [
        ("1969-12-31", false),
        ("1970-01-01", true),
        ("1970-01-01T00:30:00+01:00", false),
        ("9999-12-31T23:59:59Z", true),
        ("9999-12-31T23:59:59-01:00", false),
        ("10000-01-01", false),
        ("0026-01-15", false),
        ("15.01.2026", false),
        ("2026-01-15", true),
        ("2026-01-15T09:30:00+02:00", true),
    ] {
        let read = read_text(&format!("a,Ada,{date},1,USD,\n"));
        assert_eq!(read.is_ok(), good, "{date}: {read:?}");
        if let Err(Mistakes(told)) = read {
            let both = told[0].contains("2026-01-15 ") && told[0].contains("2026-01-15T09:30:00Z");
            assert!(both || told[0].contains("1970 to 9999"), "{told:?}");
        }
    }
}

#[test]
fn the_referrer_is_no_referee() {
    for name in ["Rosa Almeida", "rosa almeida"] {
        let told = mistakes(format!("{HEADER}\na,{name},2026-01-01,1,USD,\n"));
        assert!(
            told[0].starts_with("line 2: referee: Rosa Almeida is the referrer"),
            "{told:?}"
        );
    }
}

#[test]
fn a_file_that_is_no_csv_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let written = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path
    };
    let latin = written("latin.csv", format!("{HEADER}\na,Ad").as_bytes());
    fs::write(
        &latin,
        [format!("{HEADER}\na,Ad").as_bytes(), b"\xe9,2026-01-01,1,USD,\n"].concat(),
    )
    .expect("a file");
    for (path, what) in [
        (directory.path().to_owned(), "is a directory"),
        (directory.path().join("none.csv"), "there is no such file"),
        (latin, "line 2 is not UTF-8"),
        (written("empty.csv", b""), "the file is empty"),
        (written("header.csv", HEADER.as_bytes()), "the file holds no earnings"),
        (
            written(
                "quote.csv",
                format!("{HEADER}\na,\"Ada,2026-01-01,1,USD,\nb,Bo,2026-01-01,1,USD,\n").as_bytes(),
            ),
            "line 2: a quote is opened and not closed",
        ),
    ] {
        let told = read_file(&path).expect_err("no earnings").to_string();
        assert!(
            told.contains(&path.display().to_string()) && told.contains(what),
            "{told}"
        );
        assert!(!told.contains("os error") && told.lines().count() == 2, "{told}");
    }
}
