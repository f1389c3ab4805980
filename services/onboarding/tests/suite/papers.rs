//! Files that people upload, and how a test sends and gets them.

use std::{io::Write, path::Path, time::Duration};

use flate2::{Compression, write::DeflateEncoder};
use futures::{Stream, stream};
use tonic::{Request, Status};
use vouch_proto::onboarding::v1::{self as pb, download_document_response::Part};
use vouch_runtime::{
    access::{Caller, issue},
    config::AccessConfig,
};

use crate::{
    example::{registration, request_id},
    world::{KEYS, World},
};

/// A PDF of about this many bytes, each time with other content for another `seed`.
pub fn pdf(size: usize, seed: u8) -> Vec<u8> {
    let filling = (0..size).map(|nth| u8::try_from(nth * 31 % 251).expect("a byte").wrapping_add(seed));
    let begin = b"%PDF-1.7\n".iter().copied();
    begin.chain(filling).chain(b"\n%%EOF\n".iter().copied()).collect()
}

/// A DOCX whose list of content types says this besides, deflated; its document is stored.
pub fn docx(declared: &str) -> Vec<u8> {
    let types = format!(
        "<Types><Override PartName=\"/word/document.xml\" ContentType=\"application/\
         vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml\"/>{declared}</Types>"
    );
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::default());
    deflated.write_all(types.as_bytes()).expect("in memory");
    let deflated = deflated.finish().expect("in memory");
    let entries = [
        ("[Content_Types].xml", 8_u16, deflated, types.len()),
        ("word/document.xml", 0, b"<w:document/>".to_vec(), 13),
    ];
    let small = |number: usize| u32::try_from(number).expect("small").to_le_bytes();
    let short = |number: usize| u16::try_from(number).expect("short").to_le_bytes();
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, method, data, unpacked) in &entries {
        let fields = [
            [0; 2].as_slice(),
            &method.to_le_bytes(),
            &[0; 8],
            &small(data.len()),
            &small(*unpacked),
            &short(name.len()),
            &[0; 2],
        ]
        .concat();
        let offset = small(file.len());
        file.extend([b"PK\x03\x04\x14\0", fields.as_slice(), name.as_bytes(), data].concat());
        let place = [[0; 10].as_slice(), &offset].concat();
        directory.extend([b"PK\x01\x02\x14\x03\x14\0", fields.as_slice(), &place, name.as_bytes()].concat());
    }
    let (size, offset, count) = (small(directory.len()), small(file.len()), short(entries.len()));
    let end = [
        b"PK\x05\x06\0\0\0\0".as_slice(),
        &count,
        &count,
        &size,
        &offset,
        &[0; 2],
    ]
    .concat();
    [file, directory, end].concat()
}

/// The first message of an upload.
pub fn upload_for(person: &pb::Person, file_name: &str) -> pb::UploadDocumentRequest {
    pb::UploadDocumentRequest {
        request_id: request_id(),
        person_id: person.id.clone(),
        file_name: file_name.to_owned(),
        purpose: "my diploma".to_owned(),
        ..Default::default()
    }
}

/// One piece of a file.
pub fn piece(data: &[u8]) -> pb::UploadDocumentRequest {
    pb::UploadDocumentRequest {
        data: data.to_vec(),
        ..Default::default()
    }
}

/// The messages of a whole upload, of which the first holds no bytes.
pub fn messages(first: pb::UploadDocumentRequest, file: &[u8]) -> Vec<pb::UploadDocumentRequest> {
    let mut messages: Vec<_> = [first].into_iter().chain(file.chunks(60_001).map(piece)).collect();
    if let Some(last) = messages.last_mut() {
        last.last = true;
    }
    messages
}

/// The request, sent by somebody else than an operator.
pub fn sent_by<T>(caller: &Caller, message: T) -> Request<T> {
    let access = AccessConfig {
        keys: KEYS.to_owned(),
        make_keys: true,
        audience: "vouch".to_owned(),
    };
    let token = issue(&access, caller, Duration::from_secs(3600)).expect("a token");
    let mut request = Request::new(message);
    let value = format!("Bearer {token}").parse().expect("a header value");
    request.metadata_mut().insert("authorization", value);
    request
}

/// The person, as a caller.
pub fn as_caller(person: &pb::Person) -> Caller {
    Caller::Person(person.id.parse().expect("an id"))
}

/// Every file below a directory, by its name.
pub fn files_below(directory: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(directory) else {
        return files;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path.file_name().expect("a name").to_string_lossy().into_owned());
        }
    }
    files
}

impl World {
    pub async fn somebody(&self, email: &str) -> pb::Person {
        self.register(registration(email)).await.expect("an account")
    }

    pub async fn upload(&self, first: pb::UploadDocumentRequest, file: &[u8]) -> Result<pb::Document, Status> {
        self.send(stream::iter(messages(first, file))).await
    }

    pub async fn send(
        &self,
        messages: impl Stream<Item = pb::UploadDocumentRequest> + Send + 'static,
    ) -> Result<pb::Document, Status> {
        let mut answers = self.documents.clone().upload_document(messages).await?.into_inner();
        let answer = answers.message().await?.expect("an answer");
        assert_eq!(answers.message().await?, None, "one answer");
        Ok(answer.document.expect("a document"))
    }

    pub async fn download(&self, id: &str, caller: &Caller) -> Result<(pb::Document, Vec<u8>), Status> {
        self.download_through("", id, caller).await
    }

    /// What `caller` gets of a document that was handed in for this task.
    pub async fn download_through(
        &self,
        task: &str,
        id: &str,
        caller: &Caller,
    ) -> Result<(pb::Document, Vec<u8>), Status> {
        let (document_id, task_id) = (id.to_owned(), task.to_owned());
        let request = sent_by(caller, pb::DownloadDocumentRequest { document_id, task_id });
        let mut parts = self.documents.clone().download_document(request).await?.into_inner();
        let first = parts.message().await?.and_then(|answer| answer.part);
        let Some(Part::Document(document)) = first else {
            panic!("not a document first: {first:?}")
        };
        let mut file = Vec::new();
        while let Some(answer) = parts.message().await? {
            let Some(Part::Data(data)) = answer.part else {
                panic!("not a piece: {answer:?}")
            };
            assert!(data.len() <= 64 * 1024, "{} bytes at once", data.len());
            file.extend(data);
        }
        Ok((document, file))
    }

    pub async fn document(&self, id: &str) -> Result<pb::Document, Status> {
        let document_id = id.to_owned();
        let request = pb::GetDocumentRequest {
            document_id,
            ..Default::default()
        };
        let answer = self.documents.clone().get_document(request).await?;
        Ok(answer.into_inner().document.expect("a document"))
    }

    pub async fn documents_of(&self, person: &pb::Person) -> Vec<pb::Document> {
        let request = pb::ListDocumentsRequest {
            person_id: person.id.clone(),
            ..Default::default()
        };
        let answer = self.documents.clone().list_documents(request).await.expect("a list");
        answer.into_inner().documents
    }

    pub async fn release(&self, id: &str) -> Result<pb::Document, Status> {
        let request = pb::ReleaseDocumentRequest {
            request_id: request_id(),
            document_id: id.to_owned(),
        };
        let answer = self.documents.clone().release_document(request).await?;
        Ok(answer.into_inner().document.expect("a document"))
    }

    pub async fn reject_document(&self, id: &str, reason: &str) -> Result<pb::Document, Status> {
        let request = pb::RejectDocumentRequest {
            request_id: request_id(),
            document_id: id.to_owned(),
            reason: reason.to_owned(),
        };
        let answer = self.documents.clone().reject_document(request).await?;
        Ok(answer.into_inner().document.expect("a document"))
    }

    pub async fn delete(&self, id: &str) -> Result<(), Status> {
        let request = pb::DeleteDocumentRequest {
            request_id: request_id(),
            document_id: id.to_owned(),
        };
        self.documents.clone().delete_document(request).await.map(|_| ())
    }
}
