//! What clients are made to pay: begun in the transaction that makes it due, carried out by the provider outside of any, and
//! concluded in one for all answers that are there by then. A process that dies between the two turns to the provider again
//! with the same order.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use futures::{StreamExt as _, stream};
use vouch_primitives::{ChargeId, ClientId, ContractId, Money, Timestamp, Uuid};
use vouch_proto::{Listed, Page, payments::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, DueTimer, NewTimer},
};

use super::{
    App,
    gateway::{Answer, ChargeOrder, GatewayError},
    outcomes::{self, Outcome},
};
use crate::{
    domain::{
        Attempt, Charge, ChargeError, ChargeState, ChargedInstrument, Concluded, EarningSource, EndedAttempt, Heard,
        LedgerAccount, Refusal,
    },
    error::Error,
    store,
};

/// The task by which the provider is turned to; its key is the charge.
pub const CHARGE: &str = "charge.send";
/// The timer by which a failed charge is tried again; its key is the charge.
pub const RETRY: &str = "charge.retry";

/// Orders of one batch that the provider has at a time.
const AT_ONCE: usize = 32;
/// The most answers in one transaction.
const TOGETHER: usize = 256;

/// Something that a client is to pay.
#[derive(Clone, Copy, Debug)]
pub struct NewCharge {
    /// The contract that it is for.
    pub contract_id: ContractId,
    /// Who pays.
    pub client_id: ClientId,
    /// What is paid for.
    pub purpose: EarningSource,
    /// How much, above zero.
    pub amount: Money,
}

/// Tries a charge again, now.
#[derive(Clone, Copy, Debug)]
pub struct RetryCharge {
    /// Which one.
    pub charge_id: ChargeId,
}

/// Writes down that a client has paid what it owes otherwise.
#[derive(Clone, Debug)]
pub struct RecordChargePayment {
    /// Which charge.
    pub charge_id: ChargeId,
    /// What the bank calls it.
    pub reference: String,
}

/// A charge with what became of its attempts.
#[derive(Clone, Debug)]
pub struct ChargeWithAttempts {
    /// The charge.
    pub charge: Charge,
    /// The attempts that have ended, in their order.
    pub attempts: Vec<EndedAttempt>,
}

/// What was heard of an attempt that had this number, at this try.
pub(super) type News = (ChargeId, (u32, u32), Option<Heard>);

impl App {
    /// Begins to make clients pay; the contracts are locked. The ids of the charges are in the order of what is due.
    ///
    /// # Errors
    /// When the database fails; if something is charged already.
    pub(super) async fn begin_charges(
        &self,
        txn: &Txn,
        now: Timestamp,
        due: &[NewCharge],
    ) -> Result<Vec<ChargeId>, Error> {
        let instruments = self.instruments(txn, due.iter().map(|one| one.client_id)).await?;
        let charge = |one: &NewCharge| Charge {
            id: ChargeId::new(),
            contract_id: one.contract_id,
            client_id: one.client_id,
            purpose: one.purpose,
            amount: one.amount,
            created_at: now,
            attempt: Attempt::new(1, instruments.get(&one.client_id).cloned(), now),
            first_failed_at: None,
            given_up_at: None,
            refunded_minor: 0,
            state: ChargeState::Pending { look_at: now },
        };
        let charges: Vec<Charge> = due.iter().map(charge).collect();
        save(txn, &charges).await?;
        Ok(charges.iter().map(|charge| charge.id).collect())
    }

    /// As above for one thing that nobody has to pay: it is refused if the client has nothing that could be charged.
    ///
    /// # Errors
    /// [`ChargeError::NoBillingMethod`]; if the escrow could not hold it; when the database fails.
    pub(super) async fn begin_charge(&self, txn: &Txn, now: Timestamp, due: NewCharge) -> Result<ChargeId, Error> {
        if self.instruments(txn, [due.client_id]).await?.is_empty() {
            return Err(ChargeError::NoBillingMethod.into());
        }
        // What the books could not hold is refused before anybody pays it.
        let escrow = LedgerAccount::escrow(due.contract_id, due.amount.currency);
        store::ledger::open(txn, [escrow])
            .await?
            .check_room(escrow, due.amount.minor)?;
        let begun = self.begin_charges(txn, now, &[due]).await?.pop();
        begun.ok_or(Error::not_found(due.purpose.name(), due.purpose.id()))
    }

    /// What is charged of these clients: their default billing method, or what is configured for clients that have none.
    pub(super) async fn instruments(
        &self,
        txn: &Txn,
        clients: impl IntoIterator<Item = ClientId>,
    ) -> Result<BTreeMap<ClientId, ChargedInstrument>, Error> {
        let clients: Vec<ClientId> = clients.into_iter().collect();
        let mut instruments = BTreeMap::new();
        if let Some(token) = &self.default_instrument {
            let fallback = ChargedInstrument {
                method: None,
                token: token.to_string(),
                verified: true,
            };
            instruments.extend(clients.iter().map(|client| (*client, fallback.clone())));
        }
        let methods = store::billing_methods::defaults(txn, clients).await?;
        instruments.extend(methods.into_iter().map(|(client, method)| (client, method.charged())));
        Ok(instruments)
    }

    /// Turns to the provider for these charges, many at a time, and concludes what it answers.
    ///
    /// # Errors
    /// When the database fails, or an amount does not fit. What was not concluded is turned to again.
    pub async fn send_charges(&self, due: &[DueTimer]) -> Result<(), Error> {
        let ids: Vec<ChargeId> = due.iter().map(|timer| ChargeId::from_uuid(timer.key)).collect();
        let charges = store::charges::find(self.commands.db().reader(), &ids).await?;
        let traces: HashMap<_, _> = due.iter().map(|timer| (timer.key, timer.traceparent.clone())).collect();
        let asked = stream::iter(charges).map(|charge| self.ask(charge));
        let mut answers = asked.buffer_unordered(AT_ONCE).ready_chunks(TOGETHER);
        let mut outcome = Ok(());
        while let Some(news) = answers.next().await {
            if self.conclude_in_one(&news, &traces).await.is_ok() {
                continue;
            }
            // One that cannot be concluded does not hold up the rest.
            for one in news.chunks(1) {
                outcome = outcome.and(self.conclude_in_one(one, &traces).await);
            }
        }
        outcome
    }

    pub(super) async fn conclude_in_one(
        &self,
        news: &[News],
        traces: &HashMap<Uuid, Option<String>>,
    ) -> Result<(), Error> {
        let conclude = |txn: Arc<Txn>| async move { self.conclude(&txn, news, traces).await };
        self.commands.db().write_tx(conclude).await
    }

    async fn ask(&self, charge: Charge) -> News {
        let at = (charge.attempt.number, charge.attempt.tries);
        let ChargeState::Pending { .. } = charge.state else {
            return (charge.id, at, None);
        };
        let Some(order) = order(&charge) else {
            return (charge.id, at, Some(Heard::Refused(Refusal::NoBillingMethod)));
        };
        let heard = if charge.attempt.asks {
            when_asked(self.gateway().find_charge(&order).await)
        } else {
            when_given(self.gateway().charge(&order).await)
        };
        (charge.id, at, Some(heard))
    }

    async fn conclude(&self, txn: &Txn, news: &[News], traces: &HashMap<Uuid, Option<String>>) -> Result<(), Error> {
        let now = self.commands.now();
        let mut heard: HashMap<ChargeId, _> = news.iter().map(|(id, at, heard)| (*id, (*at, heard))).collect();
        let ids: Vec<ChargeId> = heard.keys().copied().collect();
        // The timers' rows first and the contracts' after them, as in the worker.
        let keys: Vec<_> = ids.iter().map(|id| id.as_uuid()).collect();
        timers::cancel(txn, CHARGE, &keys).await?;
        let contracts = store::contracts::lock_of_charges(txn, &ids).await?;
        let mut charges = store::charges::find(txn, &ids).await?;
        let mut concluded = Vec::new();
        for charge in &mut charges {
            if let Some((at, Some(heard))) = heard.remove(&charge.id)
                && let Some(Concluded { ended, gives_up }) = charge.hear(at, heard.clone(), now)
            {
                let charge = charge.clone();
                concluded.push((ended, Outcome { charge, gives_up }));
            }
        }
        let (ended, outcomes): (Vec<_>, Vec<_>) = concluded.into_iter().unzip();
        store::charges::insert_attempts(txn, &ended).await?;
        save(txn, &charges).await?;
        outcomes::follow(txn, now, &outcomes, contracts, traces).await?;
        self.expect_chargebacks(txn, now, &outcomes).await
    }

    /// Tries failed charges again, each with what is charged of its client by now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry_charges(&self, txn: &Txn, now: Timestamp, due: &[DueTimer]) -> Result<(), Error> {
        let ids: Vec<ChargeId> = due.iter().map(|timer| ChargeId::from_uuid(timer.key)).collect();
        store::contracts::lock_of_charges(txn, &ids).await?;
        let mut charges = store::charges::find(txn, &ids).await?;
        charges.retain(|charge| matches!(charge.state, ChargeState::Failed { .. }));
        let instruments = self
            .instruments(txn, charges.iter().map(|charge| charge.client_id))
            .await?;
        for charge in &mut charges {
            charge.try_again(instruments.get(&charge.client_id).cloned(), now)?;
        }
        save(txn, &charges).await
    }

    /// The client has a charge tried again that has failed, without waiting for the calendar, or after it.
    ///
    /// # Errors
    /// [`Error::NotFound`], and whatever the charge refuses.
    pub async fn retry_charge(&self, key: &RequestKey, command: RetryCharge) -> Result<pb::RetryChargeResponse, Error> {
        let id = command.charge_id;
        let work = |txn: Arc<Txn>, now| async move {
            timers::cancel(&txn, RETRY, &[id.as_uuid()]).await?;
            store::contracts::lock_of_charges(&txn, &[id]).await?;
            let found = store::charges::find(&*txn, &[id]).await?.pop();
            let mut charge = found.ok_or(Error::not_found("charge", id.as_uuid()))?;
            let instrument = self.instruments(&txn, [charge.client_id]).await?;
            charge.try_again(instrument.get(&charge.client_id).cloned(), now)?;
            if charge.attempt.instrument.is_none() {
                return Err(ChargeError::NoBillingMethod.into());
            }
            save(&txn, std::slice::from_ref(&charge)).await?;
            let attempts = store::charges::attempts(&*txn, id).await?;
            Ok(pb::RetryChargeResponse {
                charge: Some(ChargeWithAttempts { charge, attempts }.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// The client has paid what it owes otherwise, as by a bank transfer; what follows is what follows from a charge.
    ///
    /// # Errors
    /// [`Error::NotFound`], and if it is not owed.
    pub async fn record_charge_payment(
        &self,
        key: &RequestKey,
        command: &RecordChargePayment,
    ) -> Result<pb::RecordChargePaymentResponse, Error> {
        let id = command.charge_id;
        let work = |txn: Arc<Txn>, now| async move {
            let contracts = store::contracts::lock_of_charges(&txn, &[id]).await?;
            let found = store::charges::find(&*txn, &[id]).await?.pop();
            let mut charge = found.ok_or(Error::not_found("charge", id.as_uuid()))?;
            let ended = charge.pay(command.reference.clone(), now)?;
            store::charges::insert_attempts(&txn, &[ended]).await?;
            save(&txn, std::slice::from_ref(&charge)).await?;
            let paid = Outcome {
                charge: charge.clone(),
                gives_up: false,
            };
            outcomes::follow(&txn, now, &[paid], contracts, &HashMap::new()).await?;
            let attempts = store::charges::attempts(&*txn, id).await?;
            Ok(pb::RecordChargePaymentResponse {
                charge: Some(ChargeWithAttempts { charge, attempts }.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Reads one charge.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get_charge(&self, id: ChargeId) -> Result<ChargeWithAttempts, Error> {
        let conn = self.commands.db().reader();
        let found = store::charges::find(conn, &[id]).await?.pop();
        let charge = found.ok_or(Error::not_found("charge", id.as_uuid()))?;
        let attempts = store::charges::attempts(conn, id).await?;
        Ok(ChargeWithAttempts { charge, attempts })
    }

    /// Lists a client's charges, of one contract or of all, newest first, without their attempts.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_charges(
        &self,
        client: ClientId,
        contract: Option<ContractId>,
        page: Page<ChargeId>,
    ) -> Result<Listed<ChargeWithAttempts, ChargeId>, Error> {
        let found = store::charges::list(self.commands.db().reader(), client, contract, page).await?;
        let listed = found.into_iter().map(|charge| ChargeWithAttempts {
            charge,
            attempts: Vec::new(),
        });
        Ok(page.cut(listed.collect(), |one: &ChargeWithAttempts| one.charge.id))
    }
}

/// Saves charges, and sets the timers for what comes next.
async fn save(txn: &Txn, charges: &[Charge]) -> Result<(), Error> {
    store::charges::save(txn, charges).await?;
    let timer = |charge: &Charge| {
        let (kind, due) = match charge.state {
            ChargeState::Pending { look_at } => (CHARGE, look_at),
            ChargeState::Failed { retry_at, .. } => (RETRY, retry_at),
            ChargeState::Succeeded { .. } | ChargeState::GivenUp { .. } => return None,
        };
        let key = charge.id.as_uuid();
        Some(NewTimer { kind, key, due })
    };
    let next: Vec<NewTimer> = charges.iter().filter_map(timer).collect();
    Ok(timers::schedule(txn, &next).await?)
}

/// The order of the latest attempt; `None` if nothing can be charged.
pub(super) fn order(charge: &Charge) -> Option<ChargeOrder> {
    let instrument = charge.attempt.instrument.as_ref()?;
    Some(ChargeOrder {
        id: charge.order_id(),
        charge: charge.id,
        attempt: charge.attempt.number,
        begun_at: charge.attempt.begun_at,
        client: charge.client_id,
        instrument: instrument.token.clone(),
        amount: charge.amount,
    })
}

pub(super) fn heard(answer: Answer) -> Heard {
    match answer {
        Answer::Succeeded { reference } => Heard::Succeeded { reference },
        Answer::Pending { .. } => Heard::Unknown,
        Answer::Refused { reason } => Heard::Refused(reason),
    }
}

/// What is heard by whoever asks what became of an order.
pub(super) fn when_asked(found: Result<Option<Answer>, GatewayError>) -> Heard {
    match found {
        Ok(found) => found.map_or(Heard::NotCarriedOut, heard),
        Err(_) => Heard::Unknown,
    }
}

/// What is heard by whoever gives an order.
pub(super) fn when_given(answered: Result<Answer, GatewayError>) -> Heard {
    match answered {
        Ok(answer) => heard(answer),
        Err(GatewayError::Unreachable(_)) => Heard::NotCarriedOut,
        Err(GatewayError::Unknown(_)) => Heard::Unknown,
    }
}
