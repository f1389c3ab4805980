//! `vouch.payments.v1.TimeService`.

use tonic::{Code, Request, Response, Status};
use vouch_primitives::TimeEntryId;
use vouch_proto::payments::v1::{self as pb, time_service_server::TimeService};
use vouch_runtime::grpc::{parse_mutation, parse_query, status};

use super::{
    author,
    convert::{Id, ListTimeEntries},
};
use crate::{
    app::{App, time_entries::AddTimeEntry},
    domain::Author,
};

/// The service, on its use cases.
#[derive(Clone, Debug)]
pub struct Times(pub App);

#[tonic::async_trait]
impl TimeService for Times {
    async fn add_time_entry(
        &self,
        request: Request<pb::AddTimeEntryRequest>,
    ) -> Result<Response<pb::AddTimeEntryResponse>, Status> {
        let by_hand = author(&request) == Author::Talent;
        let (key, command) = parse_mutation::<_, AddTimeEntry>(&self.0, request).await?;
        if by_hand && command.tracked {
            let why = "only a tracker says that time was tracked";
            return Err(status::with_reason(Code::PermissionDenied, "TRACKER_ONLY", why));
        }
        Ok(Response::new(self.0.add_time_entry(&key, &command).await?))
    }

    async fn change_time_entry(
        &self,
        request: Request<pb::ChangeTimeEntryRequest>,
    ) -> Result<Response<pb::ChangeTimeEntryResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.change_time_entry(&key, &command).await?))
    }

    async fn remove_time_entry(
        &self,
        request: Request<pb::RemoveTimeEntryRequest>,
    ) -> Result<Response<pb::RemoveTimeEntryResponse>, Status> {
        let (key, command) = parse_mutation(&self.0, request).await?;
        Ok(Response::new(self.0.remove_time_entry(&key, command).await?))
    }

    async fn get_time_entry(
        &self,
        request: Request<pb::GetTimeEntryRequest>,
    ) -> Result<Response<pb::GetTimeEntryResponse>, Status> {
        let Id::<TimeEntryId>(id) = parse_query(&self.0, request).await?;
        let entry = self.0.get_time_entry(id).await?;
        Ok(Response::new(pb::GetTimeEntryResponse {
            time_entry: Some(entry.into()),
        }))
    }

    async fn list_time_entries(
        &self,
        request: Request<pb::ListTimeEntriesRequest>,
    ) -> Result<Response<pb::ListTimeEntriesResponse>, Status> {
        let ListTimeEntries { which, page } = parse_query(&self.0, request).await?;
        let listed = self.0.list_time_entries(which, page).await?;
        Ok(Response::new(pb::ListTimeEntriesResponse {
            next_page_token: listed.next_page_token(),
            time_entries: listed.items.into_iter().map(Into::into).collect(),
        }))
    }
}
