//! The file: objects one after the other, and at its end where each of them stands.

use pdf_writer::{Chunk, Ref};

/// A file that is written from its start to its end, and kept by nobody.
#[derive(Debug)]
pub(super) struct File {
    bytes: Vec<u8>,
    taken: usize,
    /// Where the object with this number, less one, stands.
    offsets: Vec<usize>,
}

impl File {
    pub(super) fn new() -> Self {
        Self {
            bytes: b"%PDF-1.7\n%\x80\x80\x80\x80\n".to_vec(),
            taken: 0,
            offsets: Vec::new(),
        }
    }

    /// Writes one object.
    pub(super) fn write(&mut self, id: Ref, object: &Chunk) {
        let at = self.taken + self.bytes.len();
        let index = usize::try_from(id.get() - 1).unwrap_or(0);
        if self.offsets.len() <= index {
            self.offsets.resize(index + 1, 0);
        }
        self.offsets[index] = at;
        self.bytes.extend_from_slice(object.as_bytes());
    }

    /// Takes what has been written so far.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.taken += self.bytes.len();
        std::mem::take(&mut self.bytes)
    }

    /// Writes the table of all objects, of which the first is the root, and the second says what the document is.
    pub(super) fn end(mut self) -> Vec<u8> {
        let at = self.taken + self.bytes.len();
        let size = self.offsets.len() + 1;
        let mut end = format!("xref\n0 {size}\n0000000000 65535 f\r\n");
        for offset in &self.offsets {
            end += &format!("{offset:010} 00000 n\r\n");
        }
        end += &format!("trailer\n<< /Size {size} /Root 1 0 R /Info 2 0 R >>\nstartxref\n{at}\n%%EOF\n");
        self.bytes.extend(end.into_bytes());
        self.bytes
    }
}
