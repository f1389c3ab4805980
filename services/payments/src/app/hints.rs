//! What the payment provider tells by itself. It may come twice, late and in any order, so that it only makes the service ask;
//! what is answered then is written down as if it had been asked for at its time.

use std::{collections::HashMap, slice, sync::Arc};

use vouch_messaging::outbox;
use vouch_primitives::{ChargeId, PayoutId, RefundId, Timestamp};
use vouch_storage::Txn;

use super::{
    App,
    chargebacks::{self, RecordChargeback},
    charges,
    gateway::{Answer, GatewayError, Hint, PayoutOrder, Standing, TakenBack},
    payout_dispatch, payouts,
};
use crate::{
    domain::{Charge, ChargeState, ChargebackError, PayoutState},
    error::Error,
    store,
};

/// What has come of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The provider was asked, and what it answered is written down, if it was news.
    Asked,
    /// There was nothing to ask about.
    Nothing,
    /// The provider did not answer, or not yet all that is needed: the hint is wanted again.
    Unanswered,
}

impl App {
    /// Follows a hint of the payment provider.
    ///
    /// # Errors
    /// When the database fails, or what the provider says cannot be written down.
    pub async fn follow_hint(&self, hint: &Hint) -> Result<Followed, Error> {
        match hint {
            Hint::Charge(id) => self.follow_charge(*id).await,
            Hint::Payout(id) => self.follow_payout(*id).await,
            Hint::Refund(id) => self.follow_refund(*id).await,
            Hint::TakenBack(reference) => self.follow_taken_back(reference).await,
            Hint::Nothing => Ok(Followed::Nothing),
        }
    }

    /// Also while the order is being given: whoever gives it then hears what is known already.
    async fn follow_charge(&self, id: ChargeId) -> Result<Followed, Error> {
        let found = store::charges::find(self.commands.db().reader(), &[id]).await?.pop();
        let is_waiting = |charge: &Charge| matches!(charge.state, ChargeState::Pending { .. });
        let Some(charge) = found.filter(is_waiting) else {
            return Ok(Followed::Nothing);
        };
        let Some(order) = charges::order(&charge) else {
            return Ok(Followed::Nothing);
        };
        let answer = match self.gateway().find_charge(&order).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(Followed::Nothing),
            Err(error) => return Ok(unanswered(&error)),
        };
        // What is no end yet is asked for again at its time.
        if !matches!(answer, Answer::Pending { .. }) {
            let at = (charge.attempt.number, charge.attempt.tries);
            let news = (id, at, Some(charges::heard(answer)));
            self.conclude_in_one(&[news], &HashMap::new()).await?;
        }
        Ok(Followed::Asked)
    }

    async fn follow_payout(&self, id: PayoutId) -> Result<Followed, Error> {
        let db = self.commands.db();
        let Some(payout) = store::payouts::find(db.reader(), &[id]).await?.pop() else {
            return Ok(Followed::Nothing);
        };
        if !matches!(payout.state, PayoutState::Dispatched { .. } | PayoutState::Paid { .. }) {
            return Ok(Followed::Nothing);
        }
        let method = store::payout_methods::find(db.reader(), &[payout.method_id])
            .await?
            .pop();
        let Some(method) = method else {
            return Ok(Followed::Nothing);
        };
        let order = PayoutOrder {
            id,
            account: payout.account_id,
            destination: method.provider_token,
            amount: payout.sent(),
        };
        let answer = match self.gateway().find_payout(&order).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(Followed::Nothing),
            Err(error) => return Ok(unanswered(&error)),
        };
        let (answer, now) = (&answer, self.commands.now());
        db.write_tx(|txn| async move { take(&txn, now, id, answer).await })
            .await?;
        Ok(Followed::Asked)
    }

    /// Also after it has succeeded: the bank may have sent it back.
    async fn follow_refund(&self, id: RefundId) -> Result<Followed, Error> {
        let found = store::client_refunds::find(self.commands.db().reader(), &[id]).await?;
        let Some((refund, Some(order))) = self.refund_orders(found).await?.pop() else {
            return Ok(Followed::Nothing);
        };
        let answer = match self.gateway().find_refund(&order).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Ok(Followed::Nothing),
            Err(error) => return Ok(unanswered(&error)),
        };
        // What is no end yet is asked for again at its time.
        if !matches!(answer, Answer::Pending { .. }) {
            let at = (refund.attempt, refund.tries);
            let news = (id, refund.charge_id, at, charges::heard(answer));
            self.conclude_refunds(&[news]).await?;
        }
        Ok(Followed::Asked)
    }

    async fn follow_taken_back(&self, reference: &str) -> Result<Followed, Error> {
        let taken = match self.gateway().find_taken_back(reference).await {
            Ok(Some(taken)) => taken,
            Ok(None) => return Ok(Followed::Nothing),
            Err(error) => return Ok(unanswered(&error)),
        };
        // What is taken back was paid, of which this may be the first news.
        if self.follow_charge(taken.charge).await? == Followed::Unanswered {
            return Ok(Followed::Unanswered);
        }
        let (taken, now) = (&taken, self.commands.now());
        let written = self.commands.db();
        let written = written.write_tx(|txn: Arc<Txn>| async move { write_down(&txn, now, taken).await });
        match written.await {
            // Somebody else was told as well, at the same time.
            Err(Error::Chargeback(ChargebackError::Exists | ChargebackError::Reversed)) => Ok(Followed::Asked),
            written => written,
        }
    }
}

fn unanswered(error: &GatewayError) -> Followed {
    tracing::warn!(%error, "the payment provider has told of something and does not answer");
    Followed::Unanswered
}

async fn take(txn: &Txn, now: Timestamp, id: PayoutId, answer: &Answer) -> Result<(), Error> {
    let Some(mut payout) = store::payouts::lock(txn, id).await? else {
        return Ok(());
    };
    let mut book = payouts::opened(txn, slice::from_ref(&payout)).await?;
    let mut events = Vec::new();
    for step in payout_dispatch::steps(answer, payout.state) {
        events.extend(payouts::take(&mut book, &mut payout, step, now)?);
    }
    store::payouts::save_states(txn, slice::from_ref(&payout)).await?;
    store::ledger::save(txn, now, &book).await?;
    Ok(outbox::append(txn, now, &events).await?)
}

/// A chargeback under the provider's own name for it, once, and won back once. One that was won before anybody heard of it has
/// moved nothing here and moves nothing now.
async fn write_down(txn: &Txn, now: Timestamp, taken: &TakenBack) -> Result<Followed, Error> {
    let charge = store::charges::find(txn, &[taken.charge]).await?.pop();
    let goes_on = |charge: &Charge| matches!(charge.state, ChargeState::Pending { .. } | ChargeState::Failed { .. });
    if charge.as_ref().is_some_and(goes_on) {
        tracing::warn!(charge.id = %taken.charge, reference = taken.reference, "a payment is taken back that is not known yet");
        return Ok(Followed::Unanswered);
    }
    let paid_by = |state: &ChargeState| matches!(state, ChargeState::Succeeded { reference, .. } if *reference == taken.charge_reference);
    let Some(charge) = charge.filter(|charge| paid_by(&charge.state)) else {
        tracing::error!(charge.id = %taken.charge, reference = taken.reference, "a payment is taken back that nobody has made");
        return Ok(Followed::Nothing);
    };
    match taken.standing {
        Standing::Untouched => return Ok(Followed::Nothing),
        Standing::Taken => {
            if !store::chargebacks::is_known(txn, &taken.reference).await? {
                let command = RecordChargeback {
                    payment: charge.purpose,
                    amount: taken.amount,
                    provider_reference: taken.reference.clone(),
                };
                chargebacks::charge_back(txn, now, &command).await?;
            }
        }
        Standing::GivenAgain => {
            let chargeback = store::chargebacks::of_reference(txn, &taken.reference).await?;
            if let Some(chargeback) = chargeback.filter(|chargeback| chargeback.won_back.is_none()) {
                chargebacks::win_back(txn, now, chargeback.id).await?;
            }
        }
    }
    Ok(Followed::Asked)
}
