//! Looking into an archive that has been uploaded, before it becomes a document.

use std::{
    fs,
    io::{self, ErrorKind, Read, Seek, SeekFrom},
};

use flate2::read::DeflateDecoder;
use tokio::{fs::File, io::AsyncWriteExt};

use super::files::FilesError;
use crate::{
    domain::{
        ArchiveFault, Unfit,
        document::parts::{Data, MOST_CONTENT_TYPES, Part, expect_no_macros},
    },
    error::Error,
};

/// Looks at the parts of a DOCX where they lie. Nothing is unpacked but the list of what they are.
///
/// # Errors
/// If they are not what the directory says, or one is a program; if the file cannot be read.
pub(super) async fn look_into(mut file: File, parts: Vec<Part>) -> Result<File, Error> {
    file.flush().await.map_err(FilesError::from)?;
    let mut file = file.into_std().await;
    let looked = tokio::task::spawn_blocking(move || {
        look(&mut file, &parts)?;
        Ok::<_, Error>(file)
    });
    let file = looked.await.map_err(io::Error::other).map_err(FilesError::from)??;
    Ok(File::from_std(file))
}

fn look(file: &mut fs::File, parts: &[Part]) -> Result<(), Error> {
    for part in parts {
        let mut header = vec![0; part.header_length()];
        file.seek(SeekFrom::Start(part.offset())).map_err(FilesError::from)?;
        file.read_exact(&mut header).map_err(fault)?;
        let data = part.data(&header).map_err(Unfit::Archive)?;
        if part.is_content_types() {
            let types = unpack(file, data)?;
            expect_no_macros(&types).map_err(Unfit::Archive)?;
        }
    }
    Ok(())
}

fn unpack(file: &mut fs::File, data: Data) -> Result<Vec<u8>, Error> {
    file.seek(SeekFrom::Start(data.from)).map_err(FilesError::from)?;
    let packed = file.take(data.packed);
    let mut found = Vec::new();
    let read = if data.is_deflated {
        DeflateDecoder::new(packed)
            .take(MOST_CONTENT_TYPES + 1)
            .read_to_end(&mut found)
    } else {
        packed.take(MOST_CONTENT_TYPES + 1).read_to_end(&mut found)
    };
    read.map_err(fault)?;
    if u64::try_from(found.len()).is_ok_and(|found| found <= MOST_CONTENT_TYPES) {
        Ok(found)
    } else {
        Err(Unfit::Archive(ArchiveFault::Bomb).into())
    }
}

/// What cannot be read as it says that it can is a fault of the archive; all else is one of this machine.
fn fault(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidInput | ErrorKind::InvalidData => {
            Unfit::Archive(ArchiveFault::Broken).into()
        }
        _ => FilesError::from(error).into(),
    }
}
