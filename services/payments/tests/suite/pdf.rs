//! What PDFs show, and how much of them is in memory. No database has to do with it.

use proptest::prelude::*;
use vouch_payments::app::documents::pdf::{Align, Column, Pdf};

use crate::pdf_text::text_of;

const TABLE: &[Column] = &[
    Column {
        title: "When",
        width: 900,
        align: Align::Left,
    },
    Column {
        title: "What",
        width: 3_000,
        align: Align::Left,
    },
    Column {
        title: "Amount",
        width: 1_000,
        align: Align::Right,
    },
];

fn cells(cells: [&str; 3]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

#[test]
fn a_document_shows_what_it_was_given() {
    let mut pdf = Pdf::new("Title", "Foot").expect("a document");
    pdf.facts(&[("Name", "Zoë Ångström".to_owned()), ("Город", "Ελλάδα (1)".to_owned())]);
    pdf.heading("Heading");
    pdf.table(TABLE);
    pdf.row(&cells(["2026-03-02", "Drafts \\ and (notes", "1,250.00"]));
    pdf.sum(&cells(["", "Sum", "1,250.00"]));
    assert!(!pdf.lacks_characters());
    pdf.row(&cells(["", "你好 🎉", "€"]));
    assert!(pdf.lacks_characters());
    let text = text_of(&pdf.finish().expect("a document"));
    let expected = "Title\nName | Zoë Ångström\nГород | Ελλάδα (1)\nHeading\nWhen | What | Amount\n\
        2026-03-02 | Drafts \\ and (notes | 1,250.00\nSum | 1,250.00\n□□ □ | €\nFoot | Page 1\n";
    assert_eq!(text, [expected]);
}

fn long(rows: u32) -> (Vec<u8>, usize) {
    let mut pdf = Pdf::new("Long", "Foot").expect("a document");
    let (mut bytes, mut most) = (Vec::new(), 0);
    pdf.table(TABLE);
    for row in 0..rows {
        pdf.row(&[row.to_string(), format!("Line {row} of many"), "1.00".to_owned()]);
        if row % 500 == 0 {
            let piece = pdf.take();
            most = most.max(piece.len());
            bytes.extend(piece);
        }
    }
    bytes.extend(pdf.finish().expect("a document"));
    (bytes, most)
}

#[test]
fn a_long_document_is_taken_piece_by_piece() {
    let (bytes, most) = long(20_000);
    assert!(most < bytes.len() / 20, "a piece of {most} bytes of {}", bytes.len());
    assert_eq!(long(20_000).0, bytes, "the same content is the same file");
    let pages = text_of(&bytes);
    assert!(pages.len() > 200, "{} pages", pages.len());
    let rows: Vec<&str> = pages
        .iter()
        .flat_map(|page| page.lines())
        .filter(|line| line.contains("of many"))
        .collect();
    let expected: Vec<String> = (0..20_000)
        .map(|row| format!("{row} | Line {row} of many | 1.00"))
        .collect();
    assert_eq!(rows, expected);
    for (number, page) in pages.iter().enumerate() {
        assert!(
            page.contains("When | What | Amount"),
            "page {number} has the table's head"
        );
        assert!(page.ends_with(&format!("Foot | Page {}\n", number + 1)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Nothing that somebody types is lost, however it has to be broken.
    #[test]
    fn no_letter_is_lost(texts in prop::collection::vec("[a-zà-ž\\(\\)\\\\ ]{0,300}", 1..12)) {
        let mut pdf = Pdf::new("T", "").expect("a document");
        pdf.table(TABLE);
        for text in &texts {
            pdf.row(&cells(["", text, ""]));
        }
        let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
        let pages = text_of(&pdf.finish().expect("a document")).concat();
        let lines = pages.lines().filter(|line| !line.starts_with("Page ") && *line != "T" && !line.starts_with("When |"));
        let shown = letters(&lines.collect::<String>());
        prop_assert_eq!(shown, letters(&texts.concat()));
    }
}
