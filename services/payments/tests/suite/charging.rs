//! Funding, and waiting for the payment provider.

use tonic::Status;
use vouch_primitives::{Clock, Timestamp};
use vouch_proto::payments::v1 as pb;
use vouch_storage::timers;
use vouch_testkit::eventually;

use crate::world::{SOON, World, milestones, request_id};

impl World {
    /// Begins to fund a milestone.
    pub async fn begin_to_fund(&self, milestone: &str) -> Result<pb::FundMilestoneResponse, Status> {
        let request = pb::FundMilestoneRequest {
            request_id: request_id(),
            milestone_id: milestone.to_owned(),
        };
        Ok(self.contracts.clone().fund_milestone(request).await?.into_inner())
    }

    /// Funds a milestone, and returns it once the client has been charged or could not be.
    pub async fn fund(&self, milestone: &str) -> Result<pb::Milestone, Status> {
        let begun = self.begin_to_fund(milestone).await?;
        self.until_charged(&begun.charge_id).await;
        let contract = self
            .contract_of(&begun.milestone.expect("a milestone").contract_id)
            .await;
        let found = milestones(&contract).iter().find(|one| one.id == milestone);
        Ok(found.expect("a milestone").clone())
    }

    pub async fn charge(&self, id: &str) -> pb::Charge {
        let request = pb::GetChargeRequest {
            charge_id: id.to_owned(),
        };
        let answer = self.charges.clone().get_charge(request).await.expect("a charge");
        answer.into_inner().charge.expect("a charge")
    }

    /// The charge, once its latest attempt has ended.
    pub async fn until_charged(&self, id: &str) -> pb::Charge {
        eventually("the charge", SOON, async || {
            let charge = self.charge(id).await;
            match charge.state() {
                pb::charge::State::Pending => Err(format!("{charge:?}")),
                _ => Ok(charge),
            }
        })
        .await
    }

    /// Waits until nothing is left to do at this moment.
    pub async fn rest(&self) {
        eventually("rest", SOON, async || {
            let running = self.db.running_tasks();
            let due = timers::count_due(self.db.reader(), self.clock.now()).await;
            match (running, due.expect("a count")) {
                (0, 0) => Ok(()),
                waiting => Err(format!("{waiting:?} tasks and timers")),
            }
        })
        .await;
    }

    /// Moves the clock from one due moment to the next, at last to `to`.
    pub async fn advance_to(&self, to: Timestamp) {
        loop {
            self.rest().await;
            let next = timers::next_due(self.db.reader()).await.expect("the timers");
            let next = next.filter(|next| *next < to).unwrap_or(to);
            self.clock.set(next.max(self.clock.now())).expect("forwards");
            if next == to {
                return self.rest().await;
            }
        }
    }
}
