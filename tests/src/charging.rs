//! Waiting for the payment provider.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::Status;
use vouch_proto::payments::v1::{GetChargeRequest, charge::State};

use crate::{Story, clients::until_definite};

/// How long the payment provider may take: as long as a storm may keep a process from asking it.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

impl Story {
    /// Waits until the payment provider has answered.
    ///
    /// # Errors
    /// If it refuses, or does not answer within a minute.
    pub async fn until_charged(&self, charge: &str) -> Result<(), Status> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ask = || {
                let mut charges = self.clients.charges.clone();
                let request = GetChargeRequest {
                    charge_id: charge.to_owned(),
                };
                async move { self.clients.tally.watch(charges.get_charge(request)).await }
            };
            let charge = until_definite(ask).await?.into_inner().charge.unwrap_or_default();
            match charge.state() {
                State::Succeeded => return Ok(()),
                State::Pending if Instant::now() < deadline => sleep(PAUSE).await,
                state => return Err(Status::failed_precondition(format!("the charge is {state:?}"))),
            }
        }
    }
}
