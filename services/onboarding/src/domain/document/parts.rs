//! The parts of a DOCX where they lie: that each is what the directory says, as some programs read no directory, and that
//! none of them is a program, whatever it is called.

use super::docx::{ArchiveFault, ENCRYPTED, LOCAL_HEADER, STORED, u16_at, u32_at};

/// How large the list of content types may be, in bytes: that of a long report has some thousands.
pub const MOST_CONTENT_TYPES: u64 = 1024 * 1024;

const LOCAL: [u8; 4] = *b"PK\x03\x04";
/// Sizes stand behind the data and not before it.
const SIZES_BEHIND: u16 = 1 << 3;

/// One part, as the directory describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub(super) name: String,
    /// Where it begins in the archive.
    pub(super) offset: u64,
    /// Where the next one begins.
    pub(super) until: u64,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) packed: u64,
    pub(super) unpacked: u64,
}

/// Where the bytes of a part lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    /// Where they begin.
    pub from: u64,
    /// How many there are.
    pub packed: u64,
    /// Whether they are deflated.
    pub is_deflated: bool,
}

impl Part {
    /// Where its header begins.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How long the header is that says what the directory says, in bytes.
    #[must_use]
    pub fn header_length(&self) -> usize {
        self.name.len() + usize::try_from(LOCAL_HEADER).unwrap_or(usize::MAX)
    }

    /// Whether it is the list of the content types of all parts.
    #[must_use]
    pub fn is_content_types(&self) -> bool {
        self.name.eq_ignore_ascii_case("[Content_Types].xml")
    }

    /// Where its bytes lie.
    ///
    /// # Errors
    /// If its own header says something else than the directory.
    pub fn data(&self, header: &[u8]) -> Result<Data, ArchiveFault> {
        let read = || {
            let (flags, method) = (u16_at(header, 6)?, u16_at(header, 8)?);
            let sizes = (u64::from(u32_at(header, 18)?), u64::from(u32_at(header, 22)?));
            let are_sizes = sizes == (self.packed, self.unpacked)
                || (flags & SIZES_BEHIND != 0 && sizes == (0, 0) && self.method != STORED);
            let name_length = u64::from(u16_at(header, 26)?);
            let named = header.get(usize::try_from(LOCAL_HEADER).ok()?..)? == self.name.as_bytes();
            let same = header.starts_with(&LOCAL)
                && flags & ENCRYPTED == 0
                && flags & SIZES_BEHIND == self.flags & SIZES_BEHIND
                && method == self.method
                && name_length == u64::try_from(self.name.len()).ok()?;
            let from = [LOCAL_HEADER, name_length, u64::from(u16_at(header, 28)?)]
                .into_iter()
                .try_fold(self.offset, u64::checked_add)?;
            let fits = from.checked_add(self.packed)? <= self.until;
            (same && named && are_sizes && fits).then_some(Data {
                from,
                packed: self.packed,
                is_deflated: method != STORED,
            })
        };
        read().ok_or(ArchiveFault::Broken)
    }
}

/// Looks for programs in the list of content types, where each part is declared, whatever it is called: what is not declared
/// as one, no program runs. A list that could say it in other letters is none that a program writes.
///
/// # Errors
/// If a part is a program, or the list is no list of a DOCX.
pub fn expect_no_macros(content_types: &[u8]) -> Result<(), ArchiveFault> {
    // In UTF-16 every other byte is zero.
    let bytes = content_types.iter().copied().filter(|byte| *byte != 0);
    let bytes: Vec<u8> = bytes.map(|byte| byte.to_ascii_lowercase()).collect();
    let text = String::from_utf8_lossy(&bytes);
    let encoded = text.split("encoding=").nth(1);
    let is_plain = encoded.is_none_or(|named| {
        let named = named.trim_start_matches(['"', '\'']);
        named.starts_with("utf-8") || named.starts_with("utf-16")
    });
    if !is_plain || ["<!doctype", "<!entity", "&#"].iter().any(|trick| text.contains(trick)) {
        return Err(ArchiveFault::Broken);
    }
    if ["macroenabled", "vbaproject", "vbadata"]
        .iter()
        .any(|program| text.contains(program))
    {
        return Err(ArchiveFault::Macros);
    }
    if text.contains("wordprocessingml.document.main+xml") {
        Ok(())
    } else {
        Err(ArchiveFault::NoDocument)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::docx::{
        self,
        tests::{archive, letter},
    };

    /// All headers of an archive, each read as its directory says.
    fn looked_at(file: &[u8]) -> Result<(), ArchiveFault> {
        for part in docx::parts(u64::try_from(file.len()).expect("small"), file)? {
            let offset = usize::try_from(part.offset()).expect("small");
            let header = file.get(offset..offset + part.header_length());
            part.data(header.ok_or(ArchiveFault::Broken)?)?;
        }
        Ok(())
    }

    #[test]
    fn each_part_says_what_the_directory_says() {
        let good = archive(&letter());
        assert_eq!(looked_at(&good), Ok(()));
        // Of the first part: signature, encryption, method, packed, unpacked, length of the name, the name.
        for (at, with) in [
            (0, b'Q'),
            (6, 1),
            (8, 0),
            (18, 1),
            (22, 1),
            (26, 1),
            (28, 200),
            (30, b'{'),
        ] {
            let mut bad = good.clone();
            assert_ne!(bad[at], with);
            bad[at] = with;
            assert!(looked_at(&bad).is_err(), "byte {at}");
        }
    }

    fn types(declared: &str) -> String {
        let main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml";
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Types><Override PartName=\"/word/document.xml\" \
             ContentType=\"{main}\"/>{declared}</Types>"
        )
    }

    #[test]
    fn a_program_is_one_whatever_it_is_called() {
        assert_eq!(expect_no_macros(types("").as_bytes()), Ok(()));
        let vba = "<Default Extension=\"png\" ContentType=\"application/vnd.ms-office.vbaProject\"/>";
        let enabled = "<Override ContentType=\"application/vnd.ms-word.document.MACROENABLED.main+xml\"/>";
        for program in [vba, enabled] {
            let program = types(program);
            assert_eq!(expect_no_macros(program.as_bytes()), Err(ArchiveFault::Macros));
            let wide: Vec<u8> = program.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(expect_no_macros(&wide), Err(ArchiveFault::Macros), "in UTF-16");
        }
        for trick in [
            "<!DOCTYPE a [<!ENTITY m \"macro\">]>",
            "<a ContentType=\"&#109;acroEnabled\"/>",
        ] {
            assert_eq!(
                expect_no_macros(types(trick).as_bytes()),
                Err(ArchiveFault::Broken),
                "{trick}"
            );
        }
        let other = types("").replace("UTF-8", "UTF-7");
        assert_eq!(expect_no_macros(other.as_bytes()), Err(ArchiveFault::Broken));
        assert_eq!(expect_no_macros(b"<Types/>"), Err(ArchiveFault::NoDocument));
        assert_eq!(expect_no_macros(b"encoding="), Err(ArchiveFault::Broken));
    }
}
