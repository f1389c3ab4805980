//! Payouts leave through the payment provider, and what becomes of them is learned from it.
//!
//! Payouts that were made together are sent together, by one task. It says first, in a transaction of its own, that the
//! provider may know of them from now on; then it tells the provider; then it writes down what was answered. Whoever
//! finds a payout that was dispatched before asks what became of it, and gives the same order again only if the provider
//! has never heard of it. So no crash pays twice, and none is forgotten.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt, stream};
use vouch_messaging::outbox;
use vouch_primitives::{PayoutId, PayoutMethodId, Timestamp, Uuid};
use vouch_storage::{
    FailPoint, Txn,
    timers::{self, NewTimer},
};

use super::{
    App,
    gateway::{Answer, PaymentGateway, PayoutOrder},
    payouts,
};
use crate::{
    domain::{Book, Payout, PayoutState, PayoutStep, Refusal},
    error::Error,
    store,
};

/// The task that sends payouts and learns what becomes of them; its key is what they have in common.
pub const SEND: &str = "payout.send";

/// How many payouts of one task the provider is told of at a time.
const AT_ONCE: usize = 16;

/// A payout that the provider is to be told of, or asked about.
#[derive(Debug)]
struct Sending {
    payout: Payout,
    order: PayoutOrder,
    /// Whether the provider cannot have heard of it.
    is_new: bool,
}

impl App {
    /// Sends the payouts that have this in common, or asks what became of them, and comes again as long as there is more to be
    /// learned.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn send_payouts(&self, dispatch: Uuid, now: Timestamp) -> Result<(), Error> {
        let db = self.commands.db();
        let sendings = db
            .write_tx(|txn| async move { dispatched(&txn, now, dispatch).await })
            .await?;
        let gateway = self.gateway();
        let asked = stream::iter(sendings).map(|sending| async move {
            let answer = ask(gateway, &sending, now).await;
            (sending.payout.id, answer)
        });
        let answers: HashMap<PayoutId, Option<Answer>> = asked.buffer_unordered(AT_ONCE).collect().await;
        db.reached(FailPoint::AnsweredNotRecorded);
        let (answers, now) = (&answers, self.commands.now());
        db.write_tx(|txn| async move { record(&txn, now, dispatch, answers).await })
            .await
    }
}

/// From now on the provider may know of these payouts: nobody can call them off any more.
async fn dispatched(txn: &Txn, now: Timestamp, dispatch: Uuid) -> Result<Vec<Sending>, Error> {
    let mut sendings = Vec::new();
    let (mut moved, mut events) = (Vec::new(), Vec::new());
    let mut book = Book::new(BTreeMap::new());
    for mut payout in store::payouts::lock_of_dispatch(txn, dispatch).await? {
        let is_new = payout.state == PayoutState::Requested;
        if is_new {
            events.extend(payouts::take(&mut book, &mut payout, PayoutStep::Dispatch, now)?);
            moved.push(payout);
        }
        if payout.is_to_be_asked_for(now) {
            sendings.push((payout, is_new));
        }
    }
    store::payouts::save_states(txn, &moved).await?;
    outbox::append(txn, now, &events).await?;
    let methods: Vec<PayoutMethodId> = sendings.iter().map(|(payout, _)| payout.method_id).collect();
    let methods = store::payout_methods::find(txn, &methods).await?;
    let tokens: HashMap<_, _> = methods
        .into_iter()
        .map(|method| (method.id, method.provider_token))
        .collect();
    let sending = |(payout, is_new): (Payout, bool)| Sending {
        order: PayoutOrder {
            id: payout.id,
            account: payout.account_id,
            destination: tokens.get(&payout.method_id).cloned().unwrap_or_default(),
            amount: payout.sent(),
        },
        payout,
        is_new,
    };
    Ok(sendings.into_iter().map(sending).collect())
}

/// What became of a payout; `None` if that is unknown, and has to be asked for again.
async fn ask(gateway: &dyn PaymentGateway, sending: &Sending, now: Timestamp) -> Option<Answer> {
    let (payout, order) = (&sending.payout, &sending.order);
    let answered = if sending.is_new {
        gateway.pay_out(order).await
    } else {
        match gateway.find_payout(order).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) if payout.is_given_up(now) => Ok(Answer::Refused {
                reason: Refusal::NotCarriedOut,
            }),
            Ok(None) if matches!(payout.state, PayoutState::Paid { .. }) => {
                tracing::error!(payout.id = %payout.id, "the payment provider does not know of a payout that it has paid");
                return None;
            }
            Ok(None) => gateway.pay_out(order).await,
            Err(error) => Err(error),
        }
    };
    answered
        .inspect_err(|error| tracing::warn!(payout.id = %payout.id, %error, "what became of a payout is unknown"))
        .ok()
}

async fn record(
    txn: &Txn,
    now: Timestamp,
    dispatch: Uuid,
    answers: &HashMap<PayoutId, Option<Answer>>,
) -> Result<(), Error> {
    let mut payouts = store::payouts::lock_of_dispatch(txn, dispatch).await?;
    let mut book = payouts::opened(txn, &payouts).await?;
    let (mut moved, mut events, mut next) = (Vec::new(), Vec::new(), None);
    for payout in &mut payouts {
        let answer = answers.get(&payout.id);
        let before = payout.state;
        let steps = answer.and_then(Option::as_ref).map(|answer| steps(answer, before));
        for step in steps.unwrap_or_default() {
            match payouts::take(&mut book, payout, step, now) {
                Ok(told) => events.extend(told),
                Err(Error::Payout(error)) => {
                    tracing::error!(payout.id = %payout.id, %error, "the payment provider contradicts itself");
                }
                Err(error) => return Err(error),
            }
        }
        if payout.state != before {
            moved.push(*payout);
        }
        let look = payout.next_look(now, matches!(answer, Some(None)));
        next = look.into_iter().chain(next).min();
    }
    store::payouts::save_states(txn, &moved).await?;
    store::ledger::save(txn, now, &book).await?;
    outbox::append(txn, now, &events).await?;
    match next {
        Some(due) => {
            let again = NewTimer {
                kind: SEND,
                key: dispatch,
                due,
            };
            Ok(timers::schedule(txn, &[again]).await?)
        }
        None => Ok(timers::cancel(txn, SEND, &[dispatch]).await?),
    }
}

/// What an answer means to a payout in this state. One that comes back before anybody has heard that it was paid was paid
/// first.
pub(super) fn steps(answer: &Answer, state: PayoutState) -> Vec<PayoutStep> {
    match *answer {
        Answer::Pending { .. } => vec![],
        Answer::Succeeded { .. } => vec![PayoutStep::Pay],
        Answer::Refused {
            reason: Refusal::Returned,
        } if matches!(state, PayoutState::Dispatched { .. }) => {
            vec![PayoutStep::Pay, PayoutStep::Return(Refusal::Returned)]
        }
        Answer::Refused {
            reason: Refusal::Returned,
        } => vec![PayoutStep::Return(Refusal::Returned)],
        Answer::Refused { reason } => vec![PayoutStep::Fail(reason)],
    }
}
