//! Mail as files: what a developer looks at, and the default of an installation without a mail server.

use std::{io, path::PathBuf};

use tokio::{fs, io::AsyncWriteExt};
use vouch_primitives::{MailId, Timestamp};

/// A directory of `.eml` files, one for each mail, which sort by the moment when they were written.
pub(crate) struct Files {
    pub(crate) directory: PathBuf,
}

impl Files {
    /// Writes the file, or writes it again: it appears whole or not at all. Gives its name.
    pub(crate) async fn deliver(&self, id: MailId, written: Timestamp, message: &[u8]) -> io::Result<String> {
        let name = format!("{}-{id}.eml", sortable(written));
        let unfinished = self.directory.join(format!(".{name}.tmp"));
        fs::create_dir_all(&self.directory).await?;
        let mut file = fs::File::create(&unfinished).await?;
        file.write_all(message).await?;
        file.sync_all().await?;
        fs::rename(&unfinished, self.directory.join(&name)).await?;
        Ok(name)
    }
}

/// `20260228T093000.000250Z`: as long for every moment, and fit for every file system.
fn sortable(moment: Timestamp) -> String {
    let micros = moment.as_micros().rem_euclid(1_000_000);
    let second = Timestamp::from_micros(moment.as_micros() - micros).to_string();
    format!("{}.{micros:06}Z", second.replace(['-', ':', 'Z'], ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_by_time() {
        let names: Vec<_> = [-1, 0, 250, 999_999, 1_000_000]
            .map(Timestamp::from_micros)
            .map(sortable)
            .into();
        assert_eq!(names[0], "19691231T235959.999999Z");
        assert_eq!(names[2], "19700101T000000.000250Z");
        assert!(names.is_sorted(), "{names:?}");
    }
}
