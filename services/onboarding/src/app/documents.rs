//! Documents: uploaded into quarantine, downloaded, released, rejected, deleted [B20, F16].
//!
//! An upload is in three places, one after the other, so that a crash between two of them leaves nothing that is not found:
//!
//! 1. Its bytes go into a file without a name, while their type is told and their hash is made. What is refused, or breaks
//!    off, ends here.
//! 2. A row in the state `UPLOADING` and a timer that is due in a day are written; then the bytes go into the store.
//! 3. The row becomes a document in quarantine, the timer is taken back, and the answer is stored under the request's id, in
//!    one transaction. The hash of the bytes is a part of what the request is known by.
//!
//! The timer takes away what was left between 2 and 3. Deleting a document sets it for the file that stays behind.

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{fs::File, io::AsyncWriteExt};
use vouch_primitives::{DocumentId, PersonId, StoredFileId, TaskId, Timestamp};
use vouch_proto::{Listed, Page, onboarding::v1 as pb};
use vouch_storage::{
    StorageError, Txn,
    idempotency::{self, RequestKey},
    timers::{self, NewTimer},
};

use super::{App, SWEEP_FILE, archives, files::FilesError};
use crate::{
    domain::{
        Document, DocumentRefusal, DocumentState, FileName, Task,
        document::{MOST_OF_ONE, MOST_OF_UNVERIFIED, sniffer::Sniffer},
    },
    error::Error,
    store::{cases, documents as store, people, tasks},
};

/// After this time an upload that is not at its end was left by a process that died: the longest one takes minutes.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Somebody uploads a file.
#[derive(Clone, Debug)]
pub struct UploadDocument {
    /// Whose it will be.
    pub person_id: PersonId,
    /// What it is called.
    pub file_name: FileName,
    /// What it is for.
    pub purpose: String,
}

/// Reads a document, as whom it belongs to or operators do; or through a task, as the client of its case.
#[derive(Clone, Copy, Debug)]
pub struct ReadDocument {
    /// Which.
    pub document_id: DocumentId,
    /// The task for which it was handed in.
    pub task_id: Option<TaskId>,
}

/// Somebody who has looked at a document found it bad.
#[derive(Clone, Debug)]
pub struct RejectDocument {
    /// Which.
    pub document_id: DocumentId,
    /// Why.
    pub reason: String,
}

/// A file on its way.
#[derive(Debug)]
pub struct Upload {
    app: App,
    key: RequestKey,
    command: UploadDocument,
    file: File,
    sniffer: Sniffer,
    hash: Sha256,
}

/// A file on its way out.
#[derive(Debug)]
pub struct Download {
    app: App,
    /// What is sent.
    pub document: Document,
    sent: u64,
    hash: Sha256,
}

impl App {
    /// Begins to take a file.
    ///
    /// # Errors
    /// If there is no such person, this machine cannot keep the file, or the database fails.
    pub async fn begin_upload(&self, key: RequestKey, command: UploadDocument) -> Result<Upload, Error> {
        self.get_person(command.person_id).await?.expect_open()?;
        Ok(Upload {
            app: self.clone(),
            key,
            file: self.files.nameless().await?,
            sniffer: Sniffer::new(command.file_name.content_type(), self.files.max_bytes),
            hash: Sha256::new(),
            command,
        })
    }

    /// Begins to hand out a file.
    ///
    /// # Errors
    /// As [`get_document`](Self::get_document).
    pub async fn begin_download(&self, read: ReadDocument) -> Result<Download, Error> {
        Ok(Download {
            app: self.clone(),
            document: self.get_document(read).await?,
            sent: 0,
            hash: Sha256::new(),
        })
    }

    /// Reads a document.
    ///
    /// # Errors
    /// If there is none, or the client of the task is not shown it, which look alike; if the database fails.
    pub async fn get_document(&self, read: ReadDocument) -> Result<Document, Error> {
        let unknown = || Error::not_found("document", read.document_id);
        let found = store::find(self.db().reader(), read.document_id).await?;
        let document = found.ok_or_else(unknown)?;
        match read.task_id {
            Some(task) if !self.is_shown(&document, task).await? => Err(unknown()),
            _ => Ok(document),
        }
    }

    /// Whether the client of a task's case is shown a document: it was handed in for that task and found good, and client and
    /// talent still have to do with one another. Who has closed their account has left.
    async fn is_shown(&self, document: &Document, task: TaskId) -> Result<bool, Error> {
        let conn = self.db().reader();
        let task = tasks::find(conn, task).await?.filter(Task::is_shown_to_client);
        let Some(task) = task else { return Ok(false) };
        let handed_in = task.submission.is_some_and(|it| it.documents.contains(&document.id));
        let Some((case, _)) = cases::find_case(conn, task.case_id).await? else {
            return Ok(false);
        };
        let person = people::find_person(conn, case.person_id).await?;
        let is_there = person.is_some_and(|person| person.expect_open().is_ok());
        let is_released = matches!(document.state, DocumentState::Released { .. });
        Ok(handed_in && is_released && is_there && case.stands(self.now()))
    }

    /// Reads one page of a person's documents, the newest first.
    ///
    /// # Errors
    /// If there is no such person, or the database fails.
    pub async fn list_documents(
        &self,
        person: PersonId,
        page: &Page<DocumentId>,
    ) -> Result<Listed<Document, DocumentId>, Error> {
        let documents = store::list(self.db().reader(), person, page.after, page.limit()).await?;
        if documents.is_empty() {
            self.get_person(person).await?;
        }
        Ok(page.cut(documents, |document| document.id))
    }

    /// Lets a document out of quarantine. Releasing it again is a normal outcome.
    ///
    /// # Errors
    /// If there is none or it was rejected, or the database fails.
    pub async fn release_document(
        &self,
        key: &RequestKey,
        id: DocumentId,
    ) -> Result<pb::ReleaseDocumentResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut document = lock(&txn, id).await?;
                document.release(now)?;
                store::save(&txn, &document).await?;
                Ok(pb::ReleaseDocumentResponse {
                    document: Some(document.into()),
                })
            })
            .await
    }

    /// Keeps a document in quarantine for good. Rejecting it again is a normal outcome.
    ///
    /// # Errors
    /// If there is none or it was released, or the database fails.
    pub async fn reject_document(
        &self,
        key: &RequestKey,
        command: &RejectDocument,
    ) -> Result<pb::RejectDocumentResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let mut document = lock(&txn, command.document_id).await?;
                document.reject(now, command.reason.clone())?;
                store::save(&txn, &document).await?;
                Ok(pb::RejectDocumentResponse {
                    document: Some(document.into()),
                })
            })
            .await
    }

    /// Deletes a document that nothing rests on. Its bytes go at once, by a timer.
    ///
    /// # Errors
    /// If there is none or something rests on it, or the database fails.
    pub async fn delete_document(&self, key: &RequestKey, id: DocumentId) -> Result<pb::DeleteDocumentResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let document = lock(&txn, id).await?;
                if store::is_used(&*txn, id).await? {
                    return Err(DocumentRefusal::InUse.into());
                }
                store::delete(&txn, id).await?;
                sweep_at(&txn, document.stored_as, now).await?;
                Ok(pb::DeleteDocumentResponse {})
            })
            .await
    }

    /// Takes away a file that belongs to no document, and the row of an upload that came to nothing: what its timer does.
    /// The row goes first, so that an upload that is still under way can no longer become a document without its file.
    ///
    /// # Errors
    /// If the store of files or the database fails; it is then tried again.
    pub async fn sweep_file(&self, file: StoredFileId) -> Result<(), Error> {
        let is_left = self
            .db()
            .write_tx(|txn| async move { store::delete_upload(&txn, file).await })
            .await?;
        if is_left {
            self.files.remove(file).await?;
        }
        self.db()
            .write_tx(|txn| async move { Ok(timers::cancel(&txn, SWEEP_FILE, &[file.as_uuid()]).await?) })
            .await
    }

    /// Step 2, in the database.
    async fn announce(&self, upload: &Document) -> Result<(), Error> {
        self.db()
            .write_tx(|txn| async move {
                // Locked, so that two uploads of one person do not both take the last place.
                let person = people::lock_person(&txn, upload.person_id).await?;
                let person = person.ok_or_else(|| Error::not_found("person", upload.person_id))?;
                person.expect_open()?;
                let most = person.verified_email().map_or(MOST_OF_UNVERIFIED, |_| MOST_OF_ONE);
                if store::count(&*txn, upload.person_id).await? >= most {
                    return Err(DocumentRefusal::TooMany.into());
                }
                store::insert(&txn, upload).await?;
                sweep_at(&txn, upload.stored_as, self.now().saturating_add(LEFT_BEHIND_AFTER)).await
            })
            .await
    }

    /// Step 3. The same file may have come under the same request meanwhile; then it is that one.
    async fn take_in(&self, key: &RequestKey, upload: &Document) -> Result<pb::UploadDocumentResponse, Error> {
        self.commands
            .once(key, |txn, now| async move {
                let swept = || FilesError::Changed(upload.stored_as);
                let mut document = store::lock_upload(&txn, upload.id).await?.ok_or_else(swept)?;
                document.arrive(now);
                store::save(&txn, &document).await?;
                timers::cancel(&txn, SWEEP_FILE, &[document.stored_as.as_uuid()]).await?;
                Ok(pb::UploadDocumentResponse {
                    document: Some(document.into()),
                })
            })
            .await
    }

    /// What is left of an upload that came to nothing goes at once, not in a day.
    async fn abandon(&self, file: StoredFileId) {
        let set = self
            .db()
            .write_tx(|txn| async move { sweep_at(&txn, file, self.now()).await })
            .await;
        if let Err(error) = set {
            let error = vouch_storage::describe(&error);
            tracing::warn!(error, "an upload that came to nothing is taken away in a day");
        }
    }
}

impl Upload {
    /// Takes the next piece of the file.
    ///
    /// # Errors
    /// As soon as it is known that the file is not taken; if this machine cannot keep it.
    pub async fn take(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.sniffer.feed(piece)?;
        self.hash.update(piece);
        Ok(self.file.write_all(piece).await.map_err(FilesError::from)?)
    }

    /// The file is at its end: it becomes a document in quarantine.
    ///
    /// # Errors
    /// If the file is not taken or the person has too many; if another file came under the same request id; if the store of
    /// files or the database fails.
    pub async fn finish(self) -> Result<pb::UploadDocumentResponse, Error> {
        let Self {
            app,
            key,
            command,
            mut file,
            sniffer,
            hash,
        } = self;
        let parts = sniffer.parts()?;
        let size = sniffer.finish()?;
        if !parts.is_empty() {
            file = archives::look_into(file, parts).await?;
        }
        let sha256: [u8; 32] = hash.finalize().into();
        let key = RequestKey {
            hash: Sha256::new()
                .chain_update(key.hash)
                .chain_update(sha256)
                .finalize()
                .into(),
            ..key
        };
        if idempotency::recall(app.db().reader(), &key).await?.is_some() {
            let unanswered = || StorageError::RequestUnanswered { id: key.id };
            let repeat = app
                .commands
                .once(&key, |_, _| std::future::ready(Err(unanswered().into())));
            return repeat.await;
        }
        let upload = Document {
            id: DocumentId::new(),
            person_id: command.person_id,
            stored_as: StoredFileId::new(),
            file_name: command.file_name,
            purpose: command.purpose,
            size,
            sha256,
            state: DocumentState::Uploading,
            created_at: app.now(),
        };
        app.announce(&upload).await?;
        let arrived = match app.files.put(upload.stored_as, &mut file).await {
            Ok(()) => app.take_in(&key, &upload).await,
            Err(error) => Err(error.into()),
        };
        let id = upload.id.to_string();
        let is_it = |answer: &pb::UploadDocumentResponse| answer.document.as_ref().is_some_and(|found| found.id == id);
        if !arrived.as_ref().is_ok_and(is_it) {
            app.abandon(upload.stored_as).await;
        }
        arrived
    }
}

impl Download {
    /// The next bytes, at most a mebibyte; `None` at the end.
    ///
    /// # Errors
    /// If the store of files fails, or the file is not what was put there.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Document {
            stored_as,
            size,
            sha256,
            ..
        } = self.document;
        let bytes = self.app.files.read(stored_as, self.sent, size).await?;
        if bytes.is_empty() {
            let found: [u8; 32] = self.hash.clone().finalize().into();
            return if self.sent == size && found == sha256 {
                Ok(None)
            } else {
                Err(FilesError::Changed(stored_as).into())
            };
        }
        self.hash.update(&bytes);
        self.sent = self.sent.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        Ok(Some(bytes))
    }
}

async fn lock(txn: &Txn, id: DocumentId) -> Result<Document, Error> {
    let document = store::lock(txn, id).await?;
    document.ok_or_else(|| Error::not_found("document", id))
}

pub(super) async fn sweep_at(txn: &Txn, file: StoredFileId, due: Timestamp) -> Result<(), Error> {
    let timer = NewTimer {
        kind: SWEEP_FILE,
        key: file.as_uuid(),
        due,
    };
    Ok(timers::schedule(txn, &[timer]).await?)
}
