//! What operators do while a story is told.

use vouch_primitives::RequestId;
use vouch_proto::referral::v1 as pb;

use crate::{Error, story::Story};

impl Story {
    /// An operator looks at whatever seems wrong about referrals, and finds that it is not: those whom a story is about are
    /// real, though many of them may join on one day.
    ///
    /// # Errors
    /// If the services do not come to rest, or refuse.
    pub async fn look_at_signals(&self) -> Result<(), Error> {
        self.clock.settle().await?;
        let mut signals = self.clients.signals.clone();
        let waiting = signals
            .list_signals(pb::ListSignalsRequest::default())
            .await?
            .into_inner();
        for signal in waiting.signals {
            let request = pb::CloseSignalRequest {
                request_id: RequestId::new().to_string(),
                signal_id: signal.id,
                confirmed: false,
                reason: "Real people.".to_owned(),
            };
            signals.close_signal(request).await?;
        }
        Ok(())
    }
}
