//! What a test of payouts says, and a payment provider that remembers what it was told.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use tonic::Status;
use vouch_payments::app::{
    gateway::{
        Answer, ChargeOrder, Destination, GatewayError, Instrument, PaymentGateway, PayoutOrder, RefundOrder,
        sandbox::Sandbox,
    },
    payout_dispatch::SEND,
};
use vouch_primitives::{AccountId, ClientId, Clock, EventId, PayoutId, TaxFormId, Timestamp, Uuid};
use vouch_proto::{common::v1::Money, convert::to_wire_time, payments::v1 as pb};
use vouch_storage::timers::{self, SetTimer};
use vouch_testkit::eventually;

use crate::{
    tax,
    world::{SOON, World, released, request_id, start, usd},
};

/// The embedded sandbox, with a memory: how often it was told of each payout. Some say nothing the first time, as if the
/// service had died before it could write the answer down; and what it knows it does not tell while it is away.
#[derive(Debug, Default)]
pub struct Remembering {
    told: Mutex<BTreeMap<PayoutId, u32>>,
    pub panics_once: Mutex<bool>,
    pub is_away: AtomicBool,
}

impl Remembering {
    fn check_there(&self) -> Result<(), GatewayError> {
        let is_there = !self.is_away.load(Ordering::Relaxed);
        is_there
            .then_some(())
            .ok_or_else(|| GatewayError::Unreachable("away".to_owned()))
    }

    /// How often it was told to pay each payout.
    pub fn told(&self) -> BTreeMap<PayoutId, u32> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl PaymentGateway for Remembering {
    async fn find_instrument(&self, client: ClientId, instrument: &str) -> Result<Option<Instrument>, GatewayError> {
        self.check_there()?;
        Sandbox.find_instrument(client, instrument).await
    }

    async fn find_destination(&self, account: AccountId, token: &str) -> Result<Option<Destination>, GatewayError> {
        self.check_there()?;
        Sandbox.find_destination(account, token).await
    }

    async fn charge(&self, order: &ChargeOrder) -> Result<Answer, GatewayError> {
        Sandbox.charge(order).await
    }

    async fn find_charge(&self, order: &ChargeOrder) -> Result<Option<Answer>, GatewayError> {
        Sandbox.find_charge(order).await
    }

    async fn pay_out(&self, order: &PayoutOrder) -> Result<Answer, GatewayError> {
        *self
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(order.id)
            .or_default() += 1;
        let panics = std::mem::take(&mut *self.panics_once.lock().unwrap_or_else(PoisonError::into_inner));
        assert!(
            !panics,
            "the service dies between the provider's answer and its own commit"
        );
        Sandbox.pay_out(order).await
    }

    async fn find_payout(&self, order: &PayoutOrder) -> Result<Option<Answer>, GatewayError> {
        if self.told().contains_key(&order.id) {
            Sandbox.find_payout(order).await
        } else {
            Ok(None)
        }
    }

    async fn refund(&self, order: &RefundOrder) -> Result<Answer, GatewayError> {
        Sandbox.refund(order).await
    }

    async fn find_refund(&self, order: &RefundOrder) -> Result<Option<Answer>, GatewayError> {
        Sandbox.find_refund(order).await
    }
}

impl World {
    /// Gives an account money that is available at once: a reward.
    pub async fn endow(&self, account: AccountId, minor: i64) {
        let tie = Uuid::new_v5(&account.as_uuid(), b"gift");
        self.hear(EventId::new(), &released(tie, account, usd(minor), (1, 1)))
            .await;
        self.until_balances(account, "USD", [0, minor, 0]).await;
    }

    /// A tax form of this account.
    pub async fn tax_form(&self, account: AccountId) {
        let request = pb::RecordTaxFormRequest {
            request_id: request_id(),
            tax_form_id: TaxFormId::new().to_string(),
            account_id: account.to_string(),
            form: tax::form(tax::w8ben()),
            submit_time: Some(to_wire_time(start())),
        };
        self.taxes.clone().record_tax_form(request).await.expect("kept");
    }

    pub async fn add_method(
        &self,
        account: AccountId,
        kind: pb::PayoutMethodKind,
        (token, currency): (&str, &str),
    ) -> Result<pb::PayoutMethod, Status> {
        let request = pb::AddPayoutMethodRequest {
            request_id: request_id(),
            account_id: account.to_string(),
            kind: kind.into(),
            currency_code: currency.to_owned(),
            provider_token: token.to_owned(),
        };
        let answer = self.payouts.clone().add_payout_method(request).await?;
        Ok(answer.into_inner().payout_method.expect("a method"))
    }

    /// Somebody with money, a tax form, and an active method for dollars that leads to this destination.
    pub async fn ready(&self, minor: i64, token: &str) -> (AccountId, pb::PayoutMethod) {
        let account = AccountId::new();
        let kind = pb::PayoutMethodKind::BankTransfer;
        let method = self.add_method(account, kind, (token, "USD")).await.expect("added");
        self.tax_form(account).await;
        self.endow(account, minor).await;
        self.pass(3 * 24 * 60).await;
        (account, method)
    }

    /// So many minutes pass.
    pub async fn pass(&self, minutes: u64) {
        let until = self.now().saturating_add(std::time::Duration::from_secs(60 * minutes));
        self.clock.set(until).expect("forwards");
    }

    /// So much, or all that is available.
    pub async fn take_out(
        &self,
        account: AccountId,
        method: &str,
        amount: Option<Money>,
    ) -> Result<pb::Payout, Status> {
        use pb::withdraw_request::{Everything, What};
        let everything = What::Everything(Everything {
            currency_code: "USD".to_owned(),
        });
        let request = pb::WithdrawRequest {
            request_id: request_id(),
            account_id: account.to_string(),
            payout_method_id: method.to_owned(),
            what: Some(amount.map_or(everything, What::Amount)),
        };
        let answer = self.payouts.clone().withdraw(request).await?;
        Ok(answer.into_inner().payout.expect("a payout"))
    }

    pub async fn call_off(&self, payout: &str) -> Result<pb::Payout, Status> {
        let request = pb::CancelPayoutRequest {
            request_id: request_id(),
            payout_id: payout.to_owned(),
        };
        let answer = self.payouts.clone().cancel_payout(request).await?;
        Ok(answer.into_inner().payout.expect("a payout"))
    }

    pub async fn payout(&self, id: &str) -> pb::Payout {
        let request = pb::GetPayoutRequest {
            payout_id: id.to_owned(),
        };
        let answer = self.payouts.clone().get_payout(request).await.expect("a payout");
        answer.into_inner().payout.expect("a payout")
    }

    /// The payout, once it has come so far.
    pub async fn until_payout(&self, id: &str, state: pb::payout::State) -> pb::Payout {
        eventually("the payout", SOON, async || {
            let payout = self.payout(id).await;
            if payout.state() == state {
                Ok(payout)
            } else {
                Err(format!("{payout:?}"))
            }
        })
        .await
    }

    /// What is on its way out in dollars.
    pub async fn in_transit(&self, account: AccountId) -> i64 {
        let request = pb::GetBalancesRequest {
            account_id: account.to_string(),
            as_of_time: None,
        };
        let answer = self.ledger.clone().get_balances(request).await.expect("balances");
        let balances = answer.into_inner().balances.into_iter();
        balances
            .filter_map(|balance| balance.in_transit)
            .filter(|money| money.currency_code == "USD")
            .map(|money| money.minor_units)
            .sum()
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The timer by which a payout that was asked for is sent.
    async fn sending(&self, payout: &str) -> Result<SetTimer, String> {
        let timers = timers::list(self.db.reader(), Some(SEND), None, 100).await;
        let timers = timers.map_err(|error| error.to_string())?;
        let timer = timers.into_iter().find(|timer| timer.key.to_string() == payout);
        timer.ok_or_else(|| "no timer".to_owned())
    }

    /// Waits until all is known of a payout that there is to know for now.
    pub async fn until_quiet(&self, payout: &str) {
        eventually("the next look", SOON, async || {
            let timer = self.sending(payout).await?;
            (timer.due > self.now())
                .then_some(())
                .ok_or_else(|| format!("{timer:?}"))
        })
        .await;
    }

    /// Waits until sending a payout has failed.
    pub async fn until_failure(&self, payout: &str) {
        eventually("a failure", SOON, async || {
            let timer = self.sending(payout).await?;
            timer.last_error.clone().map(|_| ()).ok_or_else(|| format!("{timer:?}"))
        })
        .await;
    }
}
