//! `vouch.referral.v1.BooksService`.

use std::sync::Arc;

use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use vouch_proto::{
    Fields, Violations,
    referral::v1::{self as pb, books_service_server, rebuild_response::Part},
};
use vouch_runtime::grpc::{parse_mutation, pieces::tell, status};

use super::{imports, streamed};
use crate::app::{App, rebuild::Rebuild};

/// How many of these go on at a time.
const AT_ONCE: usize = 1;

/// `vouch.referral.v1.BooksService`.
#[derive(Clone, Debug)]
pub struct Books {
    app: App,
    slots: Arc<Semaphore>,
}

/// Whether a new epoch begins.
struct BeginEpoch(bool);

impl TryFrom<pb::RebuildRequest> for BeginEpoch {
    type Error = Violations;

    fn try_from(request: pb::RebuildRequest) -> Result<Self, Violations> {
        Ok(Self(request.begin_epoch))
    }
}

/// The parts of an answer.
type Parts<R> = ReceiverStream<Result<R, Status>>;

impl Books {
    /// The service over these use cases.
    #[must_use]
    pub fn new(app: App) -> Self {
        Self {
            app,
            slots: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Goes on only as fast as the caller reads, and ends when the caller leaves.
    fn stream<R, F>(&self, work: impl FnOnce(mpsc::Sender<Result<R, Status>>) -> F) -> Result<Parts<R>, Status>
    where
        R: Send + 'static,
        F: Future<Output = Result<(), Status>> + Send + 'static,
    {
        let too_many = |_| status::unavailable("the books are being gone through already", status::OVERLOADED);
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(too_many)?;
        let (told, parts) = mpsc::channel(4);
        let work = work(told.clone());
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = work.await {
                tell(&told, Err(error)).await;
            }
        });
        Ok(ReceiverStream::new(parts))
    }
}

/// Goes through the books, as long as somebody is there to hear what comes out.
pub(super) async fn tell_all<R>(
    rebuild: &mut Rebuild,
    told: &mpsc::Sender<Result<R, Status>>,
    answer: impl Fn(Part) -> R,
) -> Result<(), Status> {
    while let Some(parts) = rebuild.next().await? {
        for part in parts {
            if !tell(told, Ok(answer(part))).await {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// One field is wrong.
pub(super) fn refuse(field: &str, reason: &'static str, description: &str) -> Status {
    let mut fields = Fields::new();
    fields.refuse(field, reason, description);
    status::invalid_argument(&fields.into())
}

#[tonic::async_trait]
impl books_service_server::BooksService for Books {
    type RebuildStream = Parts<pb::RebuildResponse>;
    type RebuildFromStreamsStream = Parts<pb::RebuildFromStreamsResponse>;
    type ReconcileRewardsStream = Parts<pb::ReconcileRewardsResponse>;
    type ImportBooksStream = Parts<pb::ImportBooksResponse>;

    async fn rebuild(&self, request: Request<pb::RebuildRequest>) -> Result<Response<Self::RebuildStream>, Status> {
        let (key, BeginEpoch(begin_epoch)) = parse_mutation(&self.app, request).await?;
        let app = self.app.clone();
        let stream = self.stream(|told| async move {
            let mut rebuild = app.rebuild(key.id, begin_epoch).await?;
            let answer = |part| pb::RebuildResponse { part: Some(part) };
            let outcome = tell_all(&mut rebuild, &told, answer).await;
            // Who asked may have left.
            rebuild.abandon().await?;
            outcome
        })?;
        Ok(Response::new(stream))
    }

    async fn rebuild_from_streams(
        &self,
        request: Request<Streaming<pb::RebuildFromStreamsRequest>>,
    ) -> Result<Response<Self::RebuildFromStreamsStream>, Status> {
        let app = self.app.clone();
        let begun = streamed::receive_first(request.into_inner()).await?;
        let stream = self.stream(|told| async move { streamed::run(&app, begun, &told).await })?;
        Ok(Response::new(stream))
    }

    async fn import_books(
        &self,
        request: Request<Streaming<pb::ImportBooksRequest>>,
    ) -> Result<Response<Self::ImportBooksStream>, Status> {
        let app = self.app.clone();
        let begun = imports::receive_first(request.into_inner()).await?;
        let stream = self.stream(|told| async move { imports::run(&app, begun.receive().await?, &told).await })?;
        Ok(Response::new(stream))
    }

    async fn reconcile_rewards(
        &self,
        _: Request<pb::ReconcileRewardsRequest>,
    ) -> Result<Response<Self::ReconcileRewardsStream>, Status> {
        let app = self.app.clone();
        let stream = self.stream(|told| async move {
            let mut reconciliation = app.reconcile_rewards();
            while let Some(parts) = reconciliation.next().await? {
                for part in parts {
                    let answer = pb::ReconcileRewardsResponse { part: Some(part) };
                    if !tell(&told, Ok(answer)).await {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })?;
        Ok(Response::new(stream))
    }
}
