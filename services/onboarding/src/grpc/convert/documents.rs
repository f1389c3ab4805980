//! Documents.

use vouch_primitives::DocumentId;
use vouch_proto::{
    Fields, Violations,
    convert::to_wire_time,
    onboarding::v1::{self as pb, document::State as WireState},
};

use super::{Id, ListDocuments};
use crate::{
    app::documents::{ReadDocument, RejectDocument, UploadDocument},
    domain::{
        Document, DocumentState, FileName,
        document::{FILE_NAME_LENGTH, InvalidFileName, PURPOSE_LENGTH, REASON_LENGTH},
    },
};

impl TryFrom<pb::UploadDocumentRequest> for UploadDocument {
    type Error = Violations;

    fn try_from(request: pb::UploadDocumentRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let person_id = fields.id("person_id", &request.person_id);
        let file_name = file_name(&mut fields, &request.file_name);
        let purpose = fields.line("purpose", &request.purpose, PURPOSE_LENGTH);
        let (Some(person_id), Some(file_name), Some(purpose)) = (person_id, file_name, purpose) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            person_id,
            file_name,
            purpose,
        })
    }
}

fn file_name(fields: &mut Fields, text: &str) -> Option<FileName> {
    let text = fields.line("file_name", text, FILE_NAME_LENGTH)?;
    text.parse()
        .map_err(|error: InvalidFileName| {
            let reason = match error {
                InvalidFileName::Ending => "TYPE_NOT_TAKEN",
                InvalidFileName::Length | InvalidFileName::Control | InvalidFileName::Path => "INVALID_FORMAT",
            };
            fields.refuse("file_name", reason, error.to_string());
        })
        .ok()
}

impl TryFrom<pb::DownloadDocumentRequest> for ReadDocument {
    type Error = Violations;

    fn try_from(request: pb::DownloadDocumentRequest) -> Result<Self, Violations> {
        read(&request.document_id, &request.task_id)
    }
}

impl TryFrom<pb::GetDocumentRequest> for ReadDocument {
    type Error = Violations;

    fn try_from(request: pb::GetDocumentRequest) -> Result<Self, Violations> {
        read(&request.document_id, &request.task_id)
    }
}

fn read(document_id: &str, task_id: &str) -> Result<ReadDocument, Violations> {
    let mut fields = Fields::new();
    let document_id = fields.id("document_id", document_id);
    let task_id = match task_id {
        "" => Some(None),
        text => fields.id("task_id", text).map(Some),
    };
    let (Some(document_id), Some(task_id)) = (document_id, task_id) else {
        return Err(fields.into());
    };
    fields.finish(ReadDocument { document_id, task_id })
}

impl TryFrom<pb::DeleteDocumentRequest> for Id<DocumentId> {
    type Error = Violations;

    fn try_from(request: pb::DeleteDocumentRequest) -> Result<Self, Violations> {
        document_id(&request.document_id)
    }
}

impl TryFrom<pb::ReleaseDocumentRequest> for Id<DocumentId> {
    type Error = Violations;

    fn try_from(request: pb::ReleaseDocumentRequest) -> Result<Self, Violations> {
        document_id(&request.document_id)
    }
}

fn document_id(text: &str) -> Result<Id<DocumentId>, Violations> {
    let mut fields = Fields::new();
    let id = fields.id("document_id", text);
    id.map(Id).ok_or_else(|| fields.into())
}

impl TryFrom<pb::RejectDocumentRequest> for RejectDocument {
    type Error = Violations;

    fn try_from(request: pb::RejectDocumentRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let document_id = fields.id("document_id", &request.document_id);
        let reason = fields.text("reason", &request.reason, REASON_LENGTH);
        let (Some(document_id), Some(reason)) = (document_id, reason) else {
            return Err(fields.into());
        };
        fields.finish(Self { document_id, reason })
    }
}

impl TryFrom<pb::ListDocumentsRequest> for ListDocuments {
    type Error = Violations;

    fn try_from(request: pb::ListDocumentsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let person_id = fields.id("person_id", &request.person_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(person_id), Some(page)) = (person_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { person_id, page })
    }
}

impl From<Document> for pb::Document {
    fn from(document: Document) -> Self {
        let content_type = document.content_type().media_type().to_owned();
        let (state, decided_at, reject_reason) = match document.state {
            // Nobody is shown an upload; should it be, it is not less guarded than a document.
            DocumentState::Uploading | DocumentState::Quarantined => (WireState::Quarantined, None, String::new()),
            DocumentState::Released { at } => (WireState::Released, Some(at), String::new()),
            DocumentState::Rejected { at, reason } => (WireState::Rejected, Some(at), reason),
        };
        Self {
            id: document.id.to_string(),
            person_id: document.person_id.to_string(),
            file_name: document.file_name.as_str().to_owned(),
            content_type,
            size_bytes: i64::try_from(document.size).unwrap_or(i64::MAX),
            sha256: document.sha256.to_vec(),
            purpose: document.purpose,
            state: state.into(),
            create_time: Some(to_wire_time(document.created_at)),
            decide_time: decided_at.map(to_wire_time),
            reject_reason,
        }
    }
}
