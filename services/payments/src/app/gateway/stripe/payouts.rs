//! Talent's money goes out in two steps: a transfer from the platform to the connected account, and a payout from there to
//! its bank. What does not get as far as the bank, or comes back from it, is taken back from the connected account, so that it is either
//! out or the platform's again, and never forgotten between the two.

use vouch_primitives::AccountId;

use super::{
    ACCOUNT, ORDER, PAYOUT, Stripe, amounts,
    api::{Change, Failure, Pairs, pair},
    charges::if_there,
    objects::{self, Payout, Transfer},
    refusals, says,
    tokens::Destination,
    unknown,
};
use crate::{
    app::gateway::{self, Answer, GatewayError, PayoutOrder},
    domain::Refusal,
};

const TRANSFERS: &str = "/v1/transfers";
const PAYOUTS: &str = "/v1/payouts";

impl Stripe {
    /// The connected account has to be made for this account, and be able to be paid out.
    pub(super) async fn look_at_destination(
        &self,
        account: AccountId,
        destination: &str,
    ) -> Result<Option<gateway::Destination>, GatewayError> {
        let Some(destination) = Destination::parse(destination) else {
            return Ok(None);
        };
        let path = format!("/v1/accounts/{}", destination.account);
        let connected = self.api.get::<objects::Account>(&path, None, &Pairs::new()).await;
        let Some(connected) = if_there(connected).map_err(unknown)? else {
            return Ok(None);
        };
        if !connected.payouts_enabled || !says(&connected.metadata, ACCOUNT, &account.to_string()) {
            return Ok(None);
        }
        let path = format!("{path}/external_accounts/{}", destination.external);
        let external = self.api.get::<objects::External>(&path, None, &Pairs::new()).await;
        let external = if_there(external).map_err(unknown)?;
        Ok(external.map(|external| gateway::Destination {
            label: format!("•••• {}", external.last4),
            fingerprint: external.fingerprint.unwrap_or(external.id),
        }))
    }

    pub(super) async fn send(&self, order: &PayoutOrder) -> Result<Answer, GatewayError> {
        // Whoever gives an order may have given it before, and have died.
        if let Some(answer) = self.look_for_payout(order).await? {
            return Ok(answer);
        }
        let Some(destination) = Destination::parse(&order.destination) else {
            return Ok(refused(Refusal::Unknown));
        };
        let Some(amount) = amounts::paid_out(order.amount) else {
            tracing::error!(payout.id = %order.id, amount = %order.amount, "Stripe cannot pay out exactly so much");
            return Ok(refused(Refusal::Declined));
        };
        let change = Change {
            path: TRANSFERS,
            key: format!("{}-transfer", order.id),
            account: None,
            form: vec![
                pair("amount", amount),
                pair("currency", amounts::code(order.amount.currency)),
                pair("destination", destination.account),
                pair("transfer_group", order.id),
                pair(&format!("metadata[{ORDER}]"), order.id),
            ],
        };
        match self.api.post(change).await {
            Ok(transfer) => self.go_on(order, transfer).await,
            Err(Failure::NotDone(text)) => Err(GatewayError::Unreachable(text)),
            Err(Failure::Unknown(text)) => Err(GatewayError::Unknown(text)),
            // The platform's own balance is too low today; that is not the talent's fault.
            Err(Failure::Refused(error)) if is_for_later(&error) => {
                tracing::error!(payout.id = %order.id, %error, "Stripe has too little of the platform's money");
                Err(GatewayError::Unreachable(error.to_string()))
            }
            Err(Failure::Refused(error)) => {
                tracing::warn!(payout.id = %order.id, %error, "Stripe refuses a transfer");
                Ok(refused(refusals::of_payout(&error)))
            }
        }
    }

    pub(super) async fn look_for_payout(&self, order: &PayoutOrder) -> Result<Option<Answer>, GatewayError> {
        match self.transfer(order).await.map_err(unknown)? {
            Some(transfer) => self.go_on(order, transfer).await.map(Some),
            None => Ok(None),
        }
    }

    async fn transfer(&self, order: &PayoutOrder) -> Result<Option<Transfer>, Failure> {
        let id = order.id.to_string();
        let of_order = |transfer: &Transfer| says(&transfer.metadata, ORDER, &id);
        let query = vec![pair("transfer_group", &id)];
        let found = self.api.matching(TRANSFERS, None, query, of_order).await?;
        Ok(found.into_iter().next())
    }

    /// What becomes of money that the connected account has, or had. Whoever only asks comes here as well: an order that has
    /// got half way is brought to its end.
    async fn go_on(&self, order: &PayoutOrder, transfer: Transfer) -> Result<Answer, GatewayError> {
        let id = order.id.to_string();
        let of_order = |payout: &Payout| says(&payout.metadata, PAYOUT, &id);
        let account = Some(transfer.destination.as_str());
        let found = self.api.matching(PAYOUTS, account, Pairs::new(), of_order).await;
        if let Some(payout) = found.map_err(unknown)?.into_iter().next() {
            return self.judge_payout(order, &transfer, payout).await;
        }
        if transfer.amount_reversed >= transfer.amount {
            return Ok(refused(Refusal::DestinationClosed));
        }
        // The house may have forgotten meanwhile where it goes, because somebody was erased.
        let Some(destination) = Destination::parse(&order.destination) else {
            self.take_back(order, &transfer).await?;
            return Ok(refused(Refusal::Unknown));
        };
        let change = Change {
            path: PAYOUTS,
            key: format!("{}-payout", order.id),
            account,
            form: vec![
                pair("amount", amounts::paid_out(order.amount).unwrap_or(transfer.amount)),
                pair("currency", amounts::code(order.amount.currency)),
                pair("destination", destination.external),
                pair("method", "standard"),
                pair(&format!("metadata[{PAYOUT}]"), order.id),
            ],
        };
        match self.api.post(change).await {
            Ok(payout) => self.judge_payout(order, &transfer, payout).await,
            Err(Failure::Refused(error)) if !is_for_later(&error) => {
                tracing::warn!(payout.id = %order.id, %error, "Stripe refuses a payout");
                self.take_back(order, &transfer).await?;
                Ok(refused(refusals::of_payout(&error)))
            }
            // The transfer was heard, so that the order as a whole was.
            Err(failure) => Err(unknown(failure)),
        }
    }

    async fn judge_payout(
        &self,
        order: &PayoutOrder,
        transfer: &Transfer,
        payout: Payout,
    ) -> Result<Answer, GatewayError> {
        match payout.status.as_str() {
            "paid" => Ok(Answer::Succeeded { reference: payout.id }),
            "pending" | "in_transit" => Ok(Answer::Pending { reference: payout.id }),
            // Also days after it was paid: the bank has sent it back to the connected account.
            "failed" | "canceled" => {
                let code = payout.failure_code.as_deref().unwrap_or("none");
                tracing::info!(payout.id = %order.id, code, "a payout has come back");
                self.take_back(order, transfer).await?;
                Ok(refused(Refusal::Returned))
            }
            other => Err(GatewayError::Unknown(format!("a payout that is {other}"))),
        }
    }

    /// The platform takes back what the connected account has of it.
    async fn take_back(&self, order: &PayoutOrder, transfer: &Transfer) -> Result<(), GatewayError> {
        if transfer.amount_reversed >= transfer.amount {
            return Ok(());
        }
        let change = Change {
            path: &format!("{TRANSFERS}/{}/reversals", transfer.id),
            key: format!("{}-reversal", order.id),
            account: None,
            form: vec![pair("amount", transfer.amount - transfer.amount_reversed)],
        };
        let reversed = self.api.post::<objects::Reversal>(change).await;
        reversed.map(drop).map_err(unknown)
    }
}

fn refused(reason: Refusal) -> Answer {
    Answer::Refused { reason }
}

/// Whether the same may succeed when there is more money.
fn is_for_later(error: &objects::ApiError) -> bool {
    error.code.as_deref() == Some("balance_insufficient")
}
