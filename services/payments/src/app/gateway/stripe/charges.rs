//! Clients pay by payment intents, confirmed at once and off session; refunds give back what one has brought.

use tokio::join;
use vouch_primitives::{ClientId, Clock, SystemClock};

use super::{
    CHARGE, CLIENT, ORDER, REFUND, Stripe, amounts,
    api::{Change, Failure, Pairs, pair},
    objects::{self, Expandable, Intent, PaymentMethod},
    refusals, says,
    tokens::{self, Instrument},
    unknown,
};
use crate::{
    app::gateway::{self, Answer, ChargeOrder, GatewayError, RefundOrder},
    domain::Refusal,
};

const INTENTS: &str = "/v1/payment_intents";
const REFUNDS: &str = "/v1/refunds";
/// By how much the clocks of both sides may differ, generously.
const DAYS_BEFORE: u64 = 1;

impl Stripe {
    /// The customer has to be made for this client, and the payment method attached to it.
    pub(super) async fn look_at_instrument(
        &self,
        client: ClientId,
        instrument: &str,
    ) -> Result<Option<gateway::Instrument>, GatewayError> {
        let Some(instrument) = Instrument::parse(instrument) else {
            return Ok(None);
        };
        let path = format!("/v1/customers/{}", instrument.customer);
        let customer = self.api.get::<objects::Customer>(&path, None, &Pairs::new()).await;
        let Some(customer) = if_there(customer).map_err(unknown)? else {
            return Ok(None);
        };
        if customer.deleted || !says(&customer.metadata, CLIENT, &client.to_string()) {
            return Ok(None);
        }
        let method = self.method(&instrument).await.map_err(unknown)?;
        Ok(method.map(|method| gateway::Instrument {
            verified: is_verified(&method),
        }))
    }

    /// The payment method, if the customer has it.
    async fn method(&self, instrument: &Instrument<'_>) -> Result<Option<PaymentMethod>, Failure> {
        let path = format!("/v1/payment_methods/{}", instrument.method);
        let method = self.api.get::<PaymentMethod>(&path, None, &Pairs::new()).await;
        let attached = |method: &PaymentMethod| method.customer.as_deref() == Some(instrument.customer);
        Ok(if_there(method)?.filter(attached))
    }

    pub(super) async fn make_pay(&self, order: &ChargeOrder) -> Result<Answer, GatewayError> {
        let Some(instrument) = Instrument::parse(&order.instrument) else {
            return Ok(refused(Refusal::Unknown));
        };
        let Some(amount) = amounts::charged(order.amount) else {
            tracing::error!(charge.id = %order.charge, amount = %order.amount, "Stripe cannot charge exactly so much");
            return Ok(refused(Refusal::Declined));
        };
        // Whoever gives an order may have given it before, and have died. As long as Stripe cannot be asked, that is unknown.
        let (before, method) = join!(self.intents(order, &instrument), self.method(&instrument));
        let before = match before {
            Err(failure) if failure.is_missing() => Vec::new(),
            before => before.map_err(unknown)?,
        };
        if let Some(answer) = self.judge_all(before).await? {
            return Ok(answer);
        }
        let Some(method) = method.map_err(unknown)? else {
            return Ok(refused(Refusal::Unknown));
        };
        let form = vec![
            pair("amount", amount),
            pair("currency", amounts::code(order.amount.currency)),
            pair("customer", instrument.customer),
            pair("payment_method", instrument.method),
            pair("payment_method_types[0]", method.kind),
            pair("confirm", true),
            pair("off_session", true),
            pair(&format!("metadata[{ORDER}]"), order.id),
            pair(&format!("metadata[{CHARGE}]"), order.charge),
            pair(&format!("metadata[{CLIENT}]"), order.client),
        ];
        let change = Change {
            path: INTENTS,
            key: order.id.to_string(),
            account: None,
            form,
        };
        match self.api.post::<Intent>(change).await {
            Ok(intent) => self.judge(intent).await,
            Err(Failure::NotDone(text)) => Err(GatewayError::Unreachable(text)),
            Err(Failure::Unknown(text)) => Err(GatewayError::Unknown(text)),
            Err(Failure::Refused(error)) => {
                tracing::info!(charge.id = %order.charge, %error, "Stripe refuses a charge");
                Ok(refused(refusals::of_charge(&error)))
            }
        }
    }

    pub(super) async fn look_for_charge(&self, order: &ChargeOrder) -> Result<Option<Answer>, GatewayError> {
        let Some(instrument) = Instrument::parse(&order.instrument) else {
            return Ok(None);
        };
        let intents = self.intents(order, &instrument).await.map_err(unknown)?;
        self.judge_all(intents).await
    }

    /// The intents of an order that have got as far as a charge. The list of charges can be told whose and since when, and
    /// unlike a search it shows at once what was written.
    async fn intents(&self, order: &ChargeOrder, instrument: &Instrument<'_>) -> Result<Vec<Intent>, Failure> {
        // A test clock may be ahead of Stripe's.
        let begun = order.begun_at.min(SystemClock.now()).as_micros() / 1_000_000;
        let query = vec![
            pair("customer", instrument.customer),
            pair("created[gt]", begun - i64::try_from(DAYS_BEFORE * 86_400).unwrap_or(0)),
            pair("expand[]", "data.payment_intent"),
        ];
        let id = order.id.to_string();
        let of_order = |charge: &objects::Charge| match &charge.payment_intent {
            Some(Expandable::Object(intent)) => says(&intent.metadata, ORDER, &id),
            _ => false,
        };
        let charges = self.api.matching("/v1/charges", None, query, of_order).await?;
        let intents = charges.into_iter().filter_map(|charge| match charge.payment_intent {
            Some(Expandable::Object(intent)) => Some(intent),
            _ => None,
        });
        Ok(intents.collect())
    }

    /// What has become of an order: whatever has moved money counts before what has not.
    async fn judge_all(&self, intents: Vec<Intent>) -> Result<Option<Answer>, GatewayError> {
        let mut best = None;
        for intent in intents {
            let answer = self.judge(intent).await?;
            if best.as_ref().is_none_or(|best| rank(&answer) > rank(best)) {
                best = Some(answer);
            }
        }
        Ok(best)
    }

    async fn judge(&self, intent: Intent) -> Result<Answer, GatewayError> {
        let reason = intent.last_payment_error.as_ref().map(refusals::of_charge);
        match intent.status.as_str() {
            "succeeded" => Ok(Answer::Succeeded { reference: intent.id }),
            "processing" | "requires_capture" => Ok(Answer::Pending { reference: intent.id }),
            "requires_payment_method" => Ok(refused(reason.unwrap_or(Refusal::Declined))),
            "canceled" => Ok(refused(reason.unwrap_or(Refusal::AuthenticationRequired))),
            // It waits for the client, whom nobody will ask: nothing may come of it later.
            "requires_action" | "requires_confirmation" => {
                let change = Change {
                    path: &format!("{INTENTS}/{}/cancel", intent.id),
                    key: format!("{}-cancel", intent.id),
                    account: None,
                    form: Pairs::new(),
                };
                self.api.post::<Intent>(change).await.map_err(unknown)?;
                Ok(refused(reason.unwrap_or(Refusal::AuthenticationRequired)))
            }
            other => Err(GatewayError::Unknown(format!("an intent that is {other}"))),
        }
    }

    pub(super) async fn give_back(&self, order: &RefundOrder) -> Result<Answer, GatewayError> {
        let (Some(amount), true) = (amounts::charged(order.amount), is_intent(&order.charge_reference)) else {
            tracing::error!(refund.id = %order.id, amount = %order.amount, "Stripe cannot give exactly so much back");
            return Ok(refused(Refusal::Declined));
        };
        if let Some(answer) = self.look_for_refund(order).await? {
            return Ok(answer);
        }
        let change = Change {
            path: REFUNDS,
            key: order.id.to_string(),
            account: None,
            form: vec![
                pair("payment_intent", &order.charge_reference),
                pair("amount", amount),
                pair(&format!("metadata[{ORDER}]"), order.id),
                pair(&format!("metadata[{REFUND}]"), order.refund),
            ],
        };
        match self.api.post::<objects::Refund>(change).await {
            Ok(refund) => of_refund(refund),
            Err(Failure::NotDone(text)) => Err(GatewayError::Unreachable(text)),
            Err(Failure::Unknown(text)) => Err(GatewayError::Unknown(text)),
            Err(Failure::Refused(error)) => {
                tracing::warn!(refund.id = %order.id, %error, "Stripe refuses a refund");
                Ok(refused(refusals::of_charge(&error)))
            }
        }
    }

    pub(super) async fn look_for_refund(&self, order: &RefundOrder) -> Result<Option<Answer>, GatewayError> {
        if !is_intent(&order.charge_reference) {
            return Ok(None);
        }
        let id = order.id.to_string();
        let of_order = |refund: &objects::Refund| says(&refund.metadata, ORDER, &id);
        let query = vec![pair("payment_intent", &order.charge_reference)];
        let found = self
            .api
            .matching(REFUNDS, None, query, of_order)
            .await
            .map_err(unknown)?;
        found.into_iter().next().map(of_refund).transpose()
    }
}

fn refused(reason: Refusal) -> Answer {
    Answer::Refused { reason }
}

fn is_intent(reference: &str) -> bool {
    tokens::is_id(reference, &["pi_"])
}

fn rank(answer: &Answer) -> u8 {
    match answer {
        Answer::Succeeded { .. } => 2,
        Answer::Pending { .. } => 1,
        Answer::Refused { .. } => 0,
    }
}

fn of_refund(refund: objects::Refund) -> Result<Answer, GatewayError> {
    match refund.status.as_str() {
        "succeeded" => Ok(Answer::Succeeded { reference: refund.id }),
        "pending" | "requires_action" => Ok(Answer::Pending { reference: refund.id }),
        "failed" | "canceled" => Ok(refused(Refusal::Declined)),
        other => Err(GatewayError::Unknown(format!("a refund that is {other}"))),
    }
}

/// The bank has confirmed that whoever added the card has it; of other ways to pay Stripe says nothing of the kind.
fn is_verified(method: &PaymentMethod) -> bool {
    let checks = method.card.as_ref().and_then(|card| card.checks.as_ref());
    checks.and_then(|checks| checks.cvc_check.as_deref()) == Some("pass")
}

/// `None` for what Stripe does not have.
pub(super) fn if_there<T>(found: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match found {
        Err(failure) if failure.is_missing() => Ok(None),
        found => found.map(Some),
    }
}
