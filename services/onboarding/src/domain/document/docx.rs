//! What a DOCX has in it, as its directory says, which stands at the end of a ZIP archive. That the rest of the archive says
//! the same is for [`super::parts`] to see.
//!
//! What is read here is less than ZIP allows, and more than programs that write DOCX use: one part, no comment, no bytes
//! beside the entries, no large-file extension, no encryption, stored or deflated. So two readers cannot see two files.

use std::{collections::HashSet, error::Error, fmt};

use super::parts::Part;

/// How many entries there may be: a long report with pictures has some hundreds.
const MOST_ENTRIES: u16 = 2_000;
/// How large all entries may be when they are unpacked, in bytes.
const MOST_UNPACKED: u64 = 256 * 1024 * 1024;
/// How many times larger than the file they may be then. XML comes to 20 or 30, what unpacks for ever to 1,000.
const MOST_RATIO: u64 = 100;
/// What unpacks to less than this harms nobody, however well it was packed.
const SMALL: u64 = 8 * 1024 * 1024;

const END: [u8; 4] = *b"PK\x05\x06";
const END_LENGTH: usize = 22;
const ENTRY: [u8; 4] = *b"PK\x01\x02";
/// The length of an entry's header before its own file in the archive.
pub(super) const LOCAL_HEADER: u64 = 30;
/// Encrypted, strongly encrypted, or with masked headers.
pub(super) const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
pub(super) const STORED: u16 = 0;
pub(super) const DEFLATED: u16 = 8;
const SYMLINK: u32 = 0xa000;

/// What is wrong with an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveFault {
    /// It has no directory at its end.
    NoDirectory,
    /// Its directory does not fit what is there.
    Broken,
    /// It has more entries than a document has.
    TooManyEntries,
    /// It unpacks to far more than it is.
    Bomb,
    /// An entry would be unpacked elsewhere.
    PathTrick,
    /// An entry is encrypted, so that nobody can look at it.
    Encrypted,
    /// It has macros.
    Macros,
    /// It is an archive, but no DOCX.
    NoDocument,
}

/// Where the directory says that it is.
struct Directory {
    entries: u16,
    size: usize,
    offset: u64,
}

/// One entry, as the directory describes it.
struct Entry<'a> {
    name: &'a str,
    flags: u16,
    method: u16,
    packed: u64,
    unpacked: u64,
    offset: u64,
    mode: u32,
}

/// Looks at an archive of `size` bytes by its end, and tells which parts it should have, in their order.
///
/// # Errors
/// If it is no DOCX, or one that may do harm.
pub fn parts(size: u64, end: &[u8]) -> Result<Vec<Part>, ArchiveFault> {
    let before = end.len().checked_sub(END_LENGTH).ok_or(ArchiveFault::NoDirectory)?;
    let directory = read_end(&end[before..])?;
    let end_length = u64::try_from(END_LENGTH).unwrap_or(0);
    let stated = u64::try_from(directory.size)
        .ok()
        .and_then(|size| directory.offset.checked_add(size)?.checked_add(end_length));
    if stated != Some(size) {
        return Err(ArchiveFault::Broken);
    }
    // What is kept of the end holds the directories of all files that have no more entries than they may.
    let begins = before
        .checked_sub(directory.size)
        .filter(|_| directory.entries <= MOST_ENTRIES)
        .ok_or(ArchiveFault::TooManyEntries)?;
    let mut rest = &end[begins..before];
    let mut contents = Contents::default();
    for _ in 0..directory.entries {
        let (entry, after) = read_entry(rest).ok_or(ArchiveFault::Broken)?;
        contents.take(&entry)?;
        rest = after;
    }
    if !rest.is_empty() {
        return Err(ArchiveFault::Broken);
    }
    contents.finish(size, directory.offset)
}

/// Whether these bytes end as an archive does: some programs look for nothing else.
#[must_use]
pub fn ends_as_archive(end: &[u8]) -> bool {
    let ends_at = |start: usize| {
        let after = end.len() - start;
        let comment = u16_at(end, start + 20).map(usize::from);
        end[start..].starts_with(&END) && comment.is_some_and(|comment| comment + END_LENGTH == after)
    };
    (0..end.len()).any(ends_at)
}

fn read_end(end: &[u8]) -> Result<Directory, ArchiveFault> {
    if !end.starts_with(&END) {
        return Err(ArchiveFault::NoDirectory);
    }
    let read = || {
        let one_part = u16_at(end, 4)? == 0 && u16_at(end, 6)? == 0;
        let entries = u16_at(end, 10)?;
        let whole = u16_at(end, 8)? == entries && entries != u16::MAX;
        let no_comment = u16_at(end, 20)? == 0;
        let directory = Directory {
            entries,
            size: usize::try_from(u32_at(end, 12)?).ok()?,
            offset: u64::from(u32_at(end, 16)?),
        };
        (one_part && whole && no_comment).then_some(directory)
    };
    read().ok_or(ArchiveFault::Broken)
}

/// The first entry, and what comes after it.
fn read_entry(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    if !bytes.starts_with(&ENTRY) {
        return None;
    }
    let name_length = usize::from(u16_at(bytes, 28)?);
    let extra = usize::from(u16_at(bytes, 30)?);
    let comment = usize::from(u16_at(bytes, 32)?);
    let entry = Entry {
        flags: u16_at(bytes, 8)?,
        method: u16_at(bytes, 10)?,
        packed: u64::from(u32_at(bytes, 20)?),
        unpacked: u64::from(u32_at(bytes, 24)?),
        mode: u32_at(bytes, 38)? >> 16,
        offset: u64::from(u32_at(bytes, 42)?),
        name: std::str::from_utf8(bytes.get(46..46 + name_length)?).ok()?,
    };
    Some((entry, bytes.get(46 + name_length + extra + comment..)?))
}

/// What the entries come to.
#[derive(Default)]
struct Contents {
    names: HashSet<String>,
    /// From where to where each lies in the archive, at least.
    places: Vec<(u64, u64, Part)>,
    unpacked: u64,
}

impl Contents {
    fn take(&mut self, entry: &Entry<'_>) -> Result<(), ArchiveFault> {
        if entry.flags & ENCRYPTED != 0 {
            return Err(ArchiveFault::Encrypted);
        }
        let name = entry.name;
        let is_trick = name.is_empty()
            || name.starts_with('/')
            || name.contains(['\\', ':'])
            || name.chars().any(char::is_control)
            || name.split('/').any(|part| matches!(part, "." | ".."))
            || entry.mode & 0xf000 == SYMLINK;
        if is_trick {
            return Err(ArchiveFault::PathTrick);
        }
        // The parts of a document are told apart without regard to case.
        let name = name.to_lowercase();
        if name.rsplit('/').next() == Some("vbaproject.bin") {
            return Err(ArchiveFault::Macros);
        }
        let unpacks = match entry.method {
            STORED => entry.packed == entry.unpacked,
            DEFLATED => true,
            _ => false,
        };
        let name_length = u64::try_from(entry.name.len()).unwrap_or(u64::MAX);
        if !unpacks || !self.names.insert(name) {
            return Err(ArchiveFault::Broken);
        }
        let end = [LOCAL_HEADER, name_length, entry.packed]
            .into_iter()
            .try_fold(entry.offset, u64::checked_add);
        let part = Part {
            name: entry.name.to_owned(),
            offset: entry.offset,
            until: 0,
            flags: entry.flags,
            method: entry.method,
            packed: entry.packed,
            unpacked: entry.unpacked,
        };
        self.places.push((entry.offset, end.ok_or(ArchiveFault::Broken)?, part));
        self.unpacked = self.unpacked.checked_add(entry.unpacked).ok_or(ArchiveFault::Bomb)?;
        Ok(())
    }

    /// Of an archive of `size` bytes, whose directory begins at `directory`.
    fn finish(mut self, size: u64, directory: u64) -> Result<Vec<Part>, ArchiveFault> {
        let most = size.saturating_mul(MOST_RATIO).clamp(SMALL, MOST_UNPACKED);
        if self.unpacked > most {
            return Err(ArchiveFault::Bomb);
        }
        // Entries that lie over one another are how a small archive says that it is a large one.
        self.places.sort_unstable_by_key(|(from, until, _)| (*from, *until));
        let apart = self.places.windows(2).all(|pair| pair[0].1 <= pair[1].0);
        if !apart {
            return Err(ArchiveFault::Bomb);
        }
        if self.places.last().is_some_and(|last| last.1 > directory)
            || self.places.first().is_some_and(|first| first.0 != 0)
        {
            return Err(ArchiveFault::Broken);
        }
        let is_document = ["[content_types].xml", "word/document.xml"]
            .iter()
            .all(|name| self.names.contains(*name));
        if !is_document {
            return Err(ArchiveFault::NoDocument);
        }
        let ends = self.places.iter().skip(1).map(|place| place.0).chain([directory]);
        let ends: Vec<_> = ends.collect();
        let parts = self.places.into_iter().zip(ends);
        Ok(parts.map(|((_, _, part), until)| Part { until, ..part }).collect())
    }
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

impl fmt::Display for ArchiveFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDirectory => "ends before the directory that a DOCX has at its end",
            Self::Broken => "has a directory that does not fit what is in it",
            Self::TooManyEntries => "has more entries than a DOCX has",
            Self::Bomb => "unpacks to far more than it is",
            Self::PathTrick => "has an entry whose name is no plain name",
            Self::Encrypted => "is encrypted",
            Self::Macros => "has macros",
            Self::NoDocument => "is an archive, but no DOCX",
        })
    }
}

impl Error for ArchiveFault {}

#[cfg(test)]
pub(in crate::domain) mod tests {
    use super::*;

    /// An entry of an archive that a test makes.
    #[derive(Clone)]
    pub(in crate::domain) struct Entry {
        name: String,
        flags: u16,
        method: u16,
        data: Vec<u8>,
        unpacked: u32,
        mode: u32,
    }

    impl Entry {
        pub(in crate::domain) fn new(name: &str) -> Self {
            Self {
                name: name.to_owned(),
                flags: 0,
                method: DEFLATED,
                data: b"packed".to_vec(),
                unpacked: 60,
                mode: 0,
            }
        }

        fn unpacks_to(self, unpacked: u32) -> Self {
            Self { unpacked, ..self }
        }
    }

    pub(in crate::domain) fn letter() -> Vec<Entry> {
        ["[Content_Types].xml", "_rels/.rels", "word/document.xml"]
            .map(Entry::new)
            .to_vec()
    }

    pub(in crate::domain) fn archive(entries: &[Entry]) -> Vec<u8> {
        let (mut file, mut directory) = (Vec::new(), Vec::new());
        for entry in entries {
            let offset = u32::try_from(file.len()).expect("small");
            let fields = [
                entry.flags.to_le_bytes().as_slice(),
                &entry.method.to_le_bytes(),
                &[0; 8],
                &u32::try_from(entry.data.len()).expect("small").to_le_bytes(),
                &entry.unpacked.to_le_bytes(),
                &u16::try_from(entry.name.len()).expect("short").to_le_bytes(),
                &[0; 2],
            ]
            .concat();
            file.extend(
                [
                    b"PK\x03\x04\x14\0",
                    fields.as_slice(),
                    entry.name.as_bytes(),
                    &entry.data,
                ]
                .concat(),
            );
            directory.extend([b"PK\x01\x02\x14\x03\x14\0", fields.as_slice(), &[0; 6]].concat());
            directory.extend((entry.mode << 16).to_le_bytes());
            directory.extend(offset.to_le_bytes());
            directory.extend(entry.name.as_bytes());
        }
        let count = u16::try_from(entries.len()).expect("few").to_le_bytes();
        let size = u32::try_from(directory.len()).expect("small").to_le_bytes();
        let offset = u32::try_from(file.len()).expect("small").to_le_bytes();
        file.extend(directory);
        file.extend(
            [
                b"PK\x05\x06\0\0\0\0".as_slice(),
                &count,
                &count,
                &size,
                &offset,
                &[0; 2],
            ]
            .concat(),
        );
        file
    }

    fn verdict(file: &[u8]) -> Result<(), ArchiveFault> {
        parts(u64::try_from(file.len()).expect("small"), file).map(drop)
    }

    fn with(entry: Entry) -> Result<(), ArchiveFault> {
        verdict(&archive(&[letter(), vec![entry]].concat()))
    }

    // §3.7: a DOCX is told by its content.
    #[test]
    fn a_docx_has_a_document_in_it() {
        assert_eq!(verdict(&archive(&letter())), Ok(()));
        assert_eq!(with(Entry::new("word/media/")), Ok(()));
        assert_eq!(verdict(&archive(&letter()[..2])), Err(ArchiveFault::NoDocument));
        assert_eq!(verdict(&archive(&[])), Err(ArchiveFault::NoDocument));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "",
            "/etc/passwd",
            "../up.xml",
            "word/../../up.xml",
            "word/./a.xml",
            "word\\a.xml",
            "c:a.xml",
            "a\n.xml",
        ] {
            assert_eq!(with(Entry::new(name)), Err(ArchiveFault::PathTrick), "{name:?}");
        }
        let link = Entry {
            mode: 0xa1ff,
            ..Entry::new("word/link")
        };
        assert_eq!(with(link), Err(ArchiveFault::PathTrick));
        assert_eq!(with(Entry::new("word/a..b.xml")), Ok(()));
    }

    #[test]
    fn what_cannot_be_looked_at_is_refused() {
        for bit in [0, 6, 13] {
            let encrypted = Entry {
                flags: 1 << bit,
                ..Entry::new("word/secret.xml")
            };
            assert_eq!(with(encrypted), Err(ArchiveFault::Encrypted), "bit {bit}");
        }
        for name in ["word/vbaProject.bin", "vbaproject.BIN"] {
            assert_eq!(with(Entry::new(name)), Err(ArchiveFault::Macros), "{name}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        // Packed a thousandfold.
        let bomb = Entry {
            data: vec![0; 100_000],
            ..Entry::new("word/bomb.xml")
        };
        assert_eq!(with(bomb.clone().unpacks_to(100_000_000)), Err(ArchiveFault::Bomb));
        assert_eq!(with(bomb.unpacks_to(8_000_000)), Ok(()));
        // Packed well enough, and too large in the end.
        let large = Entry {
            data: vec![0; 4_000_000],
            ..Entry::new("word/large.xml")
        };
        assert_eq!(with(large.unpacks_to(300_000_000)), Err(ArchiveFault::Bomb));
        let many: Vec<_> = (0..200)
            .map(|nth| Entry::new(&format!("word/{nth}.xml")).unpacks_to(u32::MAX))
            .collect();
        assert_eq!(verdict(&archive(&[letter(), many].concat())), Err(ArchiveFault::Bomb));
        // All entries are one and the same place of the file.
        let mut overlapping = archive(&letter());
        let second = overlapping
            .windows(4)
            .rposition(|window| window == ENTRY)
            .expect("an entry");
        overlapping[second + 42..second + 46].fill(0);
        assert_eq!(verdict(&overlapping), Err(ArchiveFault::Bomb));
    }

    #[test]
    fn as_many_entries_as_a_document_has() {
        let entries = |count: usize| {
            let more = (letter().len()..count).map(|nth| Entry::new(&format!("word/{nth}.xml")));
            verdict(&archive(&letter().into_iter().chain(more).collect::<Vec<_>>()))
        };
        assert_eq!(entries(2_000), Ok(()));
        assert_eq!(entries(2_001), Err(ArchiveFault::TooManyEntries));
    }

    #[test]
    fn what_two_readers_would_read_differently_is_refused() {
        let good = archive(&letter());
        let before = [b"in front".as_slice(), &good].concat();
        assert_eq!(verdict(&before), Err(ArchiveFault::Broken));
        assert_eq!(verdict(&good[..good.len() - 1]), Err(ArchiveFault::NoDirectory));
        assert_eq!(
            verdict(&[good.as_slice(), b"x"].concat()),
            Err(ArchiveFault::NoDirectory)
        );
        assert_eq!(with(Entry::new("WORD/document.xml")), Err(ArchiveFault::Broken));
        let unknown = Entry {
            method: 12,
            ..Entry::new("word/a.xml")
        };
        assert_eq!(with(unknown), Err(ArchiveFault::Broken));
        let stored = Entry {
            method: STORED,
            ..Entry::new("word/a.xml")
        };
        assert_eq!(with(stored.clone()), Err(ArchiveFault::Broken));
        assert_eq!(with(stored.unpacks_to(6)), Ok(()));
        // The last 22 bytes: another part, fewer entries than there are, a longer directory, a comment.
        for field in [4, 8, 10, 12, 16, 20] {
            let mut bad = good.clone();
            let at = bad.len() - END_LENGTH + field;
            bad[at] ^= 1;
            assert!(verdict(&bad).is_err(), "field {field}");
        }
    }
}
