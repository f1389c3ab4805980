//! `vouch.onboarding.v1.DocumentService`.

use tonic::{Request, Response, Status, Streaming};
use vouch_primitives::{DocumentId, PersonId};
use vouch_proto::onboarding::v1::{self as pb, document_service_server::DocumentService};
use vouch_runtime::{
    access::Caller,
    grpc::{parse_mutation, parse_query, slots::Slots},
};

use super::{
    convert::{Id, ListDocuments},
    downloads, uploads,
};
use crate::app::{
    App,
    documents::{ReadDocument, RejectDocument},
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Documents {
    app: App,
    uploads: Slots<PersonId>,
    downloads: Slots<Caller>,
}

impl Documents {
    /// The service on these use cases.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self {
            app,
            uploads: uploads::slots(),
            downloads: downloads::slots(),
        }
    }
}

#[tonic::async_trait]
impl DocumentService for Documents {
    type UploadDocumentStream = uploads::Answer;

    async fn upload_document(
        &self,
        request: Request<Streaming<pb::UploadDocumentRequest>>,
    ) -> Result<Response<uploads::Answer>, Status> {
        Ok(Response::new(uploads::begin(&self.app, &self.uploads, request).await?))
    }

    type DownloadDocumentStream = downloads::Parts;

    async fn download_document(
        &self,
        request: Request<pb::DownloadDocumentRequest>,
    ) -> Result<Response<downloads::Parts>, Status> {
        let caller = Caller::of(&request);
        let read: ReadDocument = parse_query(&self.app, request).await?;
        let parts = downloads::begin(&self.app, &self.downloads, caller, read).await?;
        Ok(Response::new(parts))
    }

    async fn get_document(
        &self,
        request: Request<pb::GetDocumentRequest>,
    ) -> Result<Response<pb::GetDocumentResponse>, Status> {
        let read: ReadDocument = parse_query(&self.app, request).await?;
        let document = Some(self.app.get_document(read).await?.into());
        Ok(Response::new(pb::GetDocumentResponse { document }))
    }

    async fn list_documents(
        &self,
        request: Request<pb::ListDocumentsRequest>,
    ) -> Result<Response<pb::ListDocumentsResponse>, Status> {
        let ListDocuments { person_id, page } = parse_query(&self.app, request).await?;
        let listed = self.app.list_documents(person_id, &page).await?;
        Ok(Response::new(pb::ListDocumentsResponse {
            next_page_token: listed.next_page_token(),
            documents: listed.items.into_iter().map(Into::into).collect(),
        }))
    }

    async fn delete_document(
        &self,
        request: Request<pb::DeleteDocumentRequest>,
    ) -> Result<Response<pb::DeleteDocumentResponse>, Status> {
        let (key, Id::<DocumentId>(id)) = parse_mutation(&self.app, request).await?;
        Ok(Response::new(self.app.delete_document(&key, id).await?))
    }

    async fn release_document(
        &self,
        request: Request<pb::ReleaseDocumentRequest>,
    ) -> Result<Response<pb::ReleaseDocumentResponse>, Status> {
        let (key, Id::<DocumentId>(id)) = parse_mutation(&self.app, request).await?;
        Ok(Response::new(self.app.release_document(&key, id).await?))
    }

    async fn reject_document(
        &self,
        request: Request<pb::RejectDocumentRequest>,
    ) -> Result<Response<pb::RejectDocumentResponse>, Status> {
        let (key, command) = parse_mutation::<_, RejectDocument>(&self.app, request).await?;
        Ok(Response::new(self.app.reject_document(&key, &command).await?))
    }
}
