//! Where the bytes of documents are: on their way in a file without a name, and then in a directory or a bucket.

use std::{fmt, io, path::PathBuf, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig, aws::AmazonS3Builder, buffered::BufWriter,
    local::LocalFileSystem, path::Path,
};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
    sync::Semaphore,
};
use vouch_primitives::StoredFileId;

use crate::{
    config::{DocumentsConfig, Place},
    error::Error,
};

/// How much of a file is in memory on its way into the store; S3 takes no smaller parts of a larger file.
const PART: usize = 5 * 1024 * 1024;
/// How many files are on their way into the store at a time, with two parts of each in memory; others wait.
const STORING: usize = 4;
/// How much is read from the store at once.
const SLICE: u64 = 1024 * 1024;
/// How much is read from a waiting file at once.
const READ: usize = 256 * 1024;
/// How long one request to a bucket may take, and how long it is tried again.
const REQUEST: Duration = Duration::from_secs(30);
const TRIES: usize = 3;

/// The store of files. Clones share it.
#[derive(Clone)]
pub struct Files {
    store: Arc<dyn ObjectStore>,
    /// What the names of all objects begin with.
    prefix: String,
    /// The directory, if it is one.
    directory: Option<PathBuf>,
    spool: PathBuf,
    /// How large a file may be, in bytes.
    pub(super) max_bytes: u64,
    storing: Arc<Semaphore>,
}

/// The store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The store of all files.
    #[error("the store of files failed")]
    Store(#[from] object_store::Error),
    /// The directory of this machine in which files wait.
    #[error("a file of this machine cannot be written or read")]
    Io(#[from] io::Error),
    /// A file in the store is not what was put there.
    #[error("the stored file {0} is not what was put there")]
    Changed(StoredFileId),
    /// The address names no place.
    #[error("documents.url names no place")]
    NoPlace,
}

impl Files {
    /// Opens the store. Directories that are missing are made; a bucket is not asked for anything yet.
    ///
    /// # Errors
    /// If a directory cannot be made, or the settings of a bucket are none.
    pub fn open(config: &DocumentsConfig) -> Result<Self, FilesError> {
        std::fs::create_dir_all(&config.spool)?;
        let place = config.place().ok_or(FilesError::NoPlace)?;
        let (store, prefix, directory): (Arc<dyn ObjectStore>, _, _) = match place {
            Place::Directory(directory) => {
                std::fs::create_dir_all(&directory)?;
                let store = LocalFileSystem::new_with_prefix(&directory)?.with_fsync(true);
                (Arc::new(store), String::new(), Some(directory))
            }
            Place::Bucket { bucket, prefix } => (Arc::new(open_bucket(config, bucket)?), prefix, None),
        };
        Ok(Self {
            store,
            prefix,
            directory,
            spool: config.spool.clone().into(),
            max_bytes: config.max_bytes,
            storing: Arc::new(Semaphore::new(STORING)),
        })
    }

    /// A file without a name, which is gone when it is closed, however the process ends.
    ///
    /// # Errors
    /// If none can be made.
    pub(super) async fn nameless(&self) -> Result<File, FilesError> {
        let spool = self.spool.clone();
        let made = tokio::task::spawn_blocking(move || tempfile::tempfile_in(spool));
        let made = made.await.map_err(io::Error::other)??;
        Ok(File::from_std(made))
    }

    /// Puts all that is in `file` into the store under this name. Either all of it is there afterwards or, to readers,
    /// nothing.
    ///
    /// # Errors
    /// If the file cannot be read, or the store does not take it.
    pub(super) async fn put(&self, id: StoredFileId, file: &mut File) -> Result<(), FilesError> {
        let _turn = self.storing.acquire().await.map_err(io::Error::other)?;
        file.flush().await?;
        file.rewind().await?;
        let store = Arc::clone(&self.store);
        let mut writer = BufWriter::with_capacity(store, self.path(id), PART).with_max_concurrency(1);
        loop {
            let mut read = BytesMut::with_capacity(READ);
            let outcome = match file.read_buf(&mut read).await {
                Ok(0) => break,
                Ok(_) => writer.put(read.freeze()).await.map_err(FilesError::from),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = outcome {
                // What was sent would lie there unseen. If even this fails, the bucket's own rule takes it away.
                let _ = writer.abort().await;
                return Err(error);
            }
        }
        Ok(writer.shutdown().await?)
    }

    /// The bytes of a stored file from `from` on, at most a mebibyte of them; none behind its end, which is at `size`.
    ///
    /// # Errors
    /// If the store does not have them.
    pub(super) async fn read(&self, id: StoredFileId, from: u64, size: u64) -> Result<Bytes, FilesError> {
        let until = from.saturating_add(SLICE).min(size);
        if from >= until {
            return Ok(Bytes::new());
        }
        Ok(self.store.get_range(&self.path(id), from..until).await?)
    }

    /// Takes a file out of the store. One that is not there is a normal outcome.
    ///
    /// # Errors
    /// If the store fails.
    pub(super) async fn remove(&self, id: StoredFileId) -> Result<(), FilesError> {
        match self.store.delete(&self.path(id)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(directory) = &self.directory {
            let shard = directory.join(shard_of(id));
            let removal = tokio::task::spawn_blocking(move || remove_halves(&shard, id));
            removal.await.map_err(io::Error::other)??;
        }
        Ok(())
    }

    fn path(&self, id: StoredFileId) -> Path {
        Path::from(format!("{}/{}/{id}", self.prefix, shard_of(id)))
    }
}

impl From<FilesError> for Error {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Changed(_) | FilesError::Store(object_store::Error::NotFound { .. }) => {
                Self::FileLost(error.into())
            }
            error => Self::FilesUnavailable(error.into()),
        }
    }
}

/// Files lie in 256 directories by the last letters of their names, which are random.
fn shard_of(id: StoredFileId) -> String {
    let name = id.to_string();
    name[name.len() - 2..].to_owned()
}

/// What a process that died in the middle has left in a directory: a file that is being written has a `#` behind its name.
fn remove_halves(shard: &std::path::Path, id: StoredFileId) -> io::Result<()> {
    let begins = format!("{id}#");
    let entries = match std::fs::read_dir(shard) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&begins) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn open_bucket(config: &DocumentsConfig, bucket: String) -> Result<impl ObjectStore + use<>, object_store::Error> {
    // The HTTP client takes the provider of the process, and ring is the one that everybody here uses. A second
    // installation says no and changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let is_plain = config.endpoint.starts_with("http://");
    let options = ClientOptions::new().with_timeout(REQUEST).with_allow_http(is_plain);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&config.region)
        .with_client_options(options)
        .with_retry(RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: TRIES,
            retry_timeout: REQUEST,
        });
    if !config.endpoint.is_empty() {
        builder = builder.with_endpoint(&config.endpoint);
    }
    if !config.access_key_id.is_empty() {
        builder = builder
            .with_access_key_id(&config.access_key_id)
            .with_secret_access_key(&config.secret_access_key);
    }
    builder.build()
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files")
            .field("store", &self.store.to_string())
            .field("spool", &self.spool)
            .finish_non_exhaustive()
    }
}
