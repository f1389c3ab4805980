//! Which type a file is of, told while its bytes stream in, and whether it is nothing else besides. What is kept of it is its
//! beginning and its end.

use std::{error::Error, fmt};

use super::{
    ContentType,
    docx::{self, ArchiveFault},
    parts::Part,
};

/// So many bytes tell which type a file is of.
const HEAD: usize = 8;
/// How much of the end of a DOCX is kept: the directory in it must fit in. A thousand entries take some 100 KiB.
const TAIL_OF_ARCHIVE: usize = 256 * 1024;
/// How much of the end of other files is kept: as far from the end as an archive may say that it ends.
const TAIL: usize = 22 + 65_535;
/// How far before its end a PDF may have its end mark: readers look no further.
const PDF_END: usize = 1024;
/// How many bytes of padding an image may have after its end.
const PADDING: usize = 16;

const PDF: &[u8] = b"%PDF-";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
const JPEG: &[u8] = &[0xff, 0xd8, 0xff];
const ARCHIVE: &[u8] = b"PK\x03\x04";
const PNG_LAST_CHUNK: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
const JPEG_LAST_MARKER: &[u8] = &[0xff, 0xd9];

/// Looks at a file as it comes. What it says in the end does not depend on the pieces in which the file came.
#[derive(Debug)]
pub struct Sniffer {
    named: ContentType,
    most: u64,
    size: u64,
    head: Vec<u8>,
    known: bool,
    tail: Vec<u8>,
}

/// Why a file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It has no bytes.
    Empty,
    /// It has more bytes than this.
    TooLarge(u64),
    /// It is none of the types that are taken.
    UnknownType,
    /// It is of this type, and its name says another.
    OtherType(ContentType),
    /// It has not the end that files of this type have.
    NoEnd(ContentType),
    /// It can be read as an archive as well.
    Polyglot,
    /// It is an archive that may do harm.
    Archive(ArchiveFault),
}

impl Sniffer {
    /// For a file whose name says that it is `named`, of at most `most` bytes.
    #[must_use]
    pub fn new(named: ContentType, most: u64) -> Self {
        Self {
            named,
            most,
            size: 0,
            head: Vec::with_capacity(HEAD),
            known: false,
            tail: Vec::new(),
        }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// As soon as it is known that the file is not taken: with its first bytes, or with the first one too many.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Unfit> {
        self.size = self.size.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let missing = (HEAD - self.head.len()).min(piece.len());
        self.head.extend_from_slice(&piece[..missing]);
        if !self.known && self.head.len() == HEAD {
            self.know()?;
        }
        if self.known && self.size > self.most {
            return Err(Unfit::TooLarge(self.most));
        }
        self.keep(piece);
        Ok(())
    }

    /// The parts that a file at its end should have, if it is an archive; they are to be looked at.
    ///
    /// # Errors
    /// If its directory is not that of a DOCX.
    pub fn parts(&self) -> Result<Vec<Part>, Unfit> {
        let end = &self.tail[self.tail.len().saturating_sub(self.kept())..];
        match self.named {
            ContentType::Docx if self.known => docx::parts(self.size, end).map_err(Unfit::Archive),
            _ => Ok(vec![]),
        }
    }

    /// The file is at its end. Returns its size in bytes.
    ///
    /// # Errors
    /// If it is not taken.
    pub fn finish(mut self) -> Result<u64, Unfit> {
        if self.size == 0 {
            return Err(Unfit::Empty);
        }
        if !self.known {
            self.know()?;
        }
        if self.size > self.most {
            return Err(Unfit::TooLarge(self.most));
        }
        let end = &self.tail[self.tail.len().saturating_sub(self.kept())..];
        let ends = match self.named {
            ContentType::Docx => {
                docx::parts(self.size, end).map_err(Unfit::Archive)?;
                return Ok(self.size);
            }
            ContentType::Pdf => contains(&end[end.len().saturating_sub(PDF_END)..], b"%%EOF"),
            ContentType::Png => without_padding(end).ends_with(PNG_LAST_CHUNK),
            ContentType::Jpeg => without_padding(end).ends_with(JPEG_LAST_MARKER),
        };
        if !ends {
            return Err(Unfit::NoEnd(self.named));
        }
        if docx::ends_as_archive(end) {
            return Err(Unfit::Polyglot);
        }
        Ok(self.size)
    }

    /// Tells by its first bytes which type it is of.
    fn know(&mut self) -> Result<(), Unfit> {
        let signs = [
            (PDF, ContentType::Pdf),
            (PNG, ContentType::Png),
            (JPEG, ContentType::Jpeg),
            (ARCHIVE, ContentType::Docx),
        ];
        let found = signs.into_iter().find(|(sign, _)| self.head.starts_with(sign));
        let (_, found) = found.ok_or(Unfit::UnknownType)?;
        if found != self.named {
            return Err(Unfit::OtherType(found));
        }
        self.known = true;
        Ok(())
    }

    const fn kept(&self) -> usize {
        match self.named {
            ContentType::Docx => TAIL_OF_ARCHIVE,
            ContentType::Pdf | ContentType::Png | ContentType::Jpeg => TAIL,
        }
    }

    /// Keeps the end. The buffer is cut only when it has twice as much, so that each byte is moved once on average.
    fn keep(&mut self, piece: &[u8]) {
        let kept = self.kept();
        self.tail.extend_from_slice(&piece[piece.len().saturating_sub(kept)..]);
        if self.tail.len() > 2 * kept {
            self.tail.drain(..self.tail.len() - kept);
        }
    }
}

/// Without the few bytes of padding that some programs write after an image.
fn without_padding(end: &[u8]) -> &[u8] {
    let is_padding = |byte: &u8| matches!(byte, 0 | b'\r' | b'\n' | b' ');
    let padding = end.iter().rev().take(PADDING).take_while(|byte| is_padding(byte));
    &end[..end.len() - padding.count()]
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is required"),
            Self::TooLarge(most) => write!(f, "has more than {most} bytes"),
            Self::UnknownType => f.write_str("is neither PDF, PNG, JPEG nor DOCX"),
            Self::OtherType(found) => write!(f, "must end as the name of a {found}, which the file is"),
            Self::NoEnd(named) => write!(f, "ends before the end that a {named} has"),
            Self::Polyglot => f.write_str("can be read as an archive as well"),
            Self::Archive(fault) => fault.fmt(f),
        }
    }
}

impl Error for Unfit {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::document::docx::tests::{Entry, archive, letter};

    const MOST: u64 = 1024 * 1024;

    fn pdf() -> Vec<u8> {
        b"%PDF-1.7\nsome objects\n%%EOF\n".to_vec()
    }

    fn png() -> Vec<u8> {
        [PNG, b"chunks".as_slice(), PNG_LAST_CHUNK].concat()
    }

    fn jpeg() -> Vec<u8> {
        [JPEG, b"segments".as_slice(), JPEG_LAST_MARKER].concat()
    }

    fn docx() -> Vec<u8> {
        archive(&letter())
    }

    fn verdict(named: ContentType, file: &[u8], piece: usize) -> Result<u64, Unfit> {
        let mut sniffer = Sniffer::new(named, MOST);
        for piece in file.chunks(piece) {
            sniffer.feed(piece)?;
        }
        sniffer.finish()
    }

    fn whole(named: ContentType, file: &[u8]) -> Result<(), Unfit> {
        verdict(named, file, usize::MAX).map(|_| ())
    }

    // §3.7: type by content (PDF, PNG, JPEG, DOCX).
    #[test]
    fn a_file_is_what_its_content_says() {
        let files = [
            (ContentType::Pdf, pdf()),
            (ContentType::Png, png()),
            (ContentType::Jpeg, jpeg()),
            (ContentType::Docx, docx()),
        ];
        for (found, file) in &files {
            for named in ContentType::ALL {
                let expected = if named == *found {
                    Ok(())
                } else {
                    Err(Unfit::OtherType(*found))
                };
                assert_eq!(whole(named, file), expected, "a {found} named as a {named}");
            }
        }
        for bad in [
            b"MZ\x90\0 a program".as_slice(),
            b"<html><body>",
            b"%PDX-1.7",
            b"x",
            b"\x89PNG\r\n",
        ] {
            assert_eq!(whole(ContentType::Png, bad), Err(Unfit::UnknownType), "{bad:?}");
        }
        assert_eq!(whole(ContentType::Pdf, b""), Err(Unfit::Empty));
    }

    // §3.7: refused as soon as its first bytes show it.
    #[test]
    fn a_wrong_type_is_told_by_the_first_bytes() {
        let mut sniffer = Sniffer::new(ContentType::Pdf, MOST);
        assert_eq!(sniffer.feed(&png()[..7]), Ok(()));
        assert_eq!(sniffer.feed(&png()[7..8]), Err(Unfit::OtherType(ContentType::Png)));
    }

    // §3.7: the size cap, to the byte.
    #[test]
    fn a_file_may_be_as_large_as_the_cap() {
        let sized = |bytes: u64| {
            let mut sniffer = Sniffer::new(ContentType::Pdf, bytes);
            sniffer.feed(&pdf()).and_then(|()| sniffer.finish())
        };
        let size = u64::try_from(pdf().len()).expect("small");
        assert_eq!(sized(size), Ok(size));
        assert_eq!(sized(size - 1), Err(Unfit::TooLarge(size - 1)));
    }

    #[test]
    fn what_was_cut_off_has_no_end() {
        for (named, file) in [
            (ContentType::Pdf, pdf()),
            (ContentType::Png, png()),
            (ContentType::Jpeg, jpeg()),
        ] {
            let cut = &file[..file.len() - 2];
            assert_eq!(whole(named, cut), Err(Unfit::NoEnd(named)), "{named}");
            let padded = [file.as_slice(), b"\r\n\0"].concat();
            assert_eq!(whole(named, &padded), Ok(()), "{named}");
        }
        let file = docx();
        let cut = whole(ContentType::Docx, &file[..file.len() - 2]);
        assert_eq!(cut, Err(Unfit::Archive(ArchiveFault::NoDirectory)));
        for (named, file) in [(ContentType::Png, png()), (ContentType::Jpeg, jpeg())] {
            let longer = [file.as_slice(), &[0; 17]].concat();
            assert_eq!(whole(named, &longer), Err(Unfit::NoEnd(named)), "{named}");
            let followed = [file.as_slice(), b"<script>"].concat();
            assert_eq!(whole(named, &followed), Err(Unfit::NoEnd(named)), "{named}");
        }
        let buried = [pdf(), vec![b' '; PDF_END]].concat();
        assert_eq!(whole(ContentType::Pdf, &buried), Err(Unfit::NoEnd(ContentType::Pdf)));
    }

    // A file that is a document to one program and an archive to another.
    #[test]
    fn a_document_that_is_an_archive_as_well_is_refused() {
        for (named, file, end) in [
            (ContentType::Pdf, pdf(), b"%%EOF\n".as_slice()),
            (ContentType::Png, png(), PNG_LAST_CHUNK),
            (ContentType::Jpeg, jpeg(), JPEG_LAST_MARKER),
        ] {
            // The end mark stands in the comment of the archive.
            let mut hidden = archive(&[Entry::new("evil.class")]);
            let comment = hidden.len() - 2;
            hidden[comment..].copy_from_slice(&u16::try_from(end.len()).expect("short").to_le_bytes());
            let both = [file.as_slice(), &hidden, end].concat();
            assert_eq!(whole(named, &both), Err(Unfit::Polyglot), "{named}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn pieces_do_not_matter(
            kind in 0..5_usize,
            noise in proptest::collection::vec(any::<u8>(), 0..300),
            at in any::<prop::sample::Index>(),
            cuts in proptest::collection::vec(1..64_usize, 1..40),
            most in 1..400_u64,
        ) {
            let base = [pdf(), png(), jpeg(), docx(), Vec::new()][kind].clone();
            let at = at.index(base.len() + 1);
            let file = [&base[..at], &noise, &base[at..]].concat();
            let named = ContentType::ALL[kind % 4];
            let mut one = Sniffer::new(named, most);
            let at_once = one.feed(&file).and_then(|()| one.finish());
            let mut many = Sniffer::new(named, most);
            let mut rest = file.as_slice();
            let mut fed = Ok(());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() || fed.is_err() {
                    break;
                }
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                (fed, rest) = (many.feed(piece), left);
            }
            prop_assert_eq!(fed.and_then(|()| many.finish()), at_once);
        }

        #[test]
        fn a_long_file_is_looked_at_to_its_end(size in 60_000..700_000_usize, piece in 1_000..300_000_usize) {
            let mut file = [b"%PDF-1.7\n".to_vec(), vec![b'x'; size]].concat();
            prop_assert_eq!(verdict(ContentType::Pdf, &file, piece), Err(Unfit::NoEnd(ContentType::Pdf)));
            file.extend_from_slice(b"%%EOF");
            prop_assert!(verdict(ContentType::Pdf, &file, piece).is_ok());
        }
    }
}
