//! Where talent's money goes, and how often [F12].

use std::sync::Arc;

use sha2::{Digest, Sha256};
use vouch_messaging::{NewEvent, outbox};
use vouch_primitives::{AccountId, Currency, Money, PayoutMethodId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, payments::v1 as pb};
use vouch_storage::{
    Txn,
    idempotency::RequestKey,
    timers::{self, NewTimer},
};

use super::{App, gateway::Destination, payout_runs::RUN};
use crate::{
    domain::{
        Frequency, PayoutError, PayoutKind, PayoutMethod, PayoutMethodState, PayoutRun, PayoutSchedule, PayoutSkip,
        payout_method::MOST_METHODS,
    },
    error::Error,
    store,
};

/// Adds a payout method.
#[derive(Clone, Debug)]
pub struct AddPayoutMethod {
    /// Whose money.
    pub account_id: AccountId,
    /// Of which kind.
    pub kind: PayoutKind,
    /// The currency that it takes.
    pub currency: Currency,
    /// The provider's token of the destination.
    pub provider_token: String,
}

/// Removes a payout method.
#[derive(Clone, Copy, Debug)]
pub struct RemovePayoutMethod {
    /// Which one.
    pub payout_method_id: PayoutMethodId,
}

/// Says how often an account is paid out.
#[derive(Clone, Copy, Debug)]
pub struct SetPayoutSchedule {
    /// Whose money.
    pub account_id: AccountId,
    /// Where it goes.
    pub payout_method_id: PayoutMethodId,
    /// How often.
    pub frequency: Frequency,
    /// The least that is worth a payout; `None` for that of the method's kind.
    pub minimum: Option<Money>,
}

/// A payout method at a moment, which decides whether it is active.
#[derive(Clone, Debug)]
pub struct PayoutMethodView {
    /// The method.
    pub method: PayoutMethod,
    /// The moment.
    pub at: Timestamp,
}

/// A schedule, and when it was passed over the last time.
#[derive(Clone, Debug)]
pub struct PayoutScheduleView {
    /// The schedule.
    pub schedule: PayoutSchedule,
    /// The last time.
    pub skip: Option<PayoutSkip>,
}

/// What a payout of an account needs.
#[derive(Clone, Debug)]
pub struct PayoutSettings {
    /// Whether a payout method is active.
    pub has_active_method: bool,
    /// Whether there is a tax form.
    pub has_tax_form: bool,
    /// The schedules, by currency code.
    pub schedules: Vec<PayoutScheduleView>,
}

impl App {
    /// Adds a payout method; the provider says what may be shown of it.
    ///
    /// # Errors
    /// [`Error::Payout`] if nothing is paid out so, if the provider does not answer or does not know the destination, or if the
    /// account has it already, or as many as it may have.
    pub async fn add_payout_method(
        &self,
        key: &RequestKey,
        command: &AddPayoutMethod,
    ) -> Result<pb::AddPayoutMethodResponse, Error> {
        if let Some(answer) = self.commands.answered(key).await? {
            return Ok(answer);
        }
        if command.kind.tariff(command.currency).is_none() {
            return Err(PayoutError::NotOffered.into());
        }
        let (account, token) = (command.account_id, &command.provider_token);
        let destination = self.gateway().find_destination(account, token).await;
        let destination = destination.map_err(|_| PayoutError::ProviderUnavailable)?;
        let destination = &destination.ok_or(PayoutError::DestinationUnknown)?;
        let work = |txn: Arc<Txn>, now| async move {
            store::payout_methods::lock_account(&txn, account).await?;
            let method = added(command, destination, now);
            if !store::payout_methods::insert(&txn, &method).await? {
                return Err(PayoutError::MethodExists.into());
            }
            if store::payout_methods::in_use(&*txn, account, None).await?.len() > MOST_METHODS {
                return Err(PayoutError::TooManyMethods.into());
            }
            outbox::append(&txn, now, &[told_added(&method)]).await?;
            let method = PayoutMethodView { method, at: now };
            Ok(pb::AddPayoutMethodResponse {
                payout_method: Some(method.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Removes a payout method; what is on its way to it goes on.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_payout_method(
        &self,
        key: &RequestKey,
        command: RemovePayoutMethod,
    ) -> Result<pb::RemovePayoutMethodResponse, Error> {
        let id = command.payout_method_id;
        let work = |txn: Arc<Txn>, now| async move {
            let found = store::payout_methods::lock(&txn, id).await?;
            let mut method = found.ok_or_else(|| not_found(id))?;
            if method.remove(now) {
                store::payout_methods::save_removed(&txn, &method).await?;
            }
            let method = PayoutMethodView { method, at: now };
            Ok(pb::RemovePayoutMethodResponse {
                payout_method: Some(method.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Lists an account's payout methods, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_payout_methods(
        &self,
        account: AccountId,
        page: Page<PayoutMethodId>,
    ) -> Result<Listed<PayoutMethodView, PayoutMethodId>, Error> {
        let at = self.commands.now();
        let found = store::payout_methods::list(self.commands.db().reader(), account, page).await?;
        let views = found.into_iter().map(|method| PayoutMethodView { method, at });
        Ok(page.cut(views.collect(), |view| view.method.id))
    }

    /// Says how often an account is paid out in the currency of a method.
    ///
    /// # Errors
    /// [`Error::NotFound`], also of another account's method; [`Error::Payout`] if the method was removed or the minimum is
    /// too low.
    pub async fn set_payout_schedule(
        &self,
        key: &RequestKey,
        command: &SetPayoutSchedule,
    ) -> Result<pb::SetPayoutScheduleResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let method = of_account(&txn, command.account_id, command.payout_method_id).await?;
            let schedule = PayoutSchedule::new(&method, command.frequency, command.minimum, now)?;
            store::payout_schedules::save(&txn, &schedule).await?;
            let run = schedule.next_at.map(run_at);
            timers::schedule(&txn, run.as_slice()).await?;
            let schedule = PayoutScheduleView { schedule, skip: None };
            Ok(pb::SetPayoutScheduleResponse {
                schedule: Some(schedule.into()),
            })
        };
        self.commands.once(key, work).await
    }

    /// Tells what a payout of an account needs, and which of it is there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get_payout_settings(&self, account: AccountId) -> Result<PayoutSettings, Error> {
        let now = self.commands.now();
        let conn = self.commands.db().read_tx().await?;
        let methods = store::payout_methods::in_use(&conn, account, None).await?;
        let is_active = |method: &PayoutMethod| method.state(now) == PayoutMethodState::Active;
        let has_tax_form = store::tax_forms::newest_of(&conn, account).await?.is_some();
        let mut schedules = Vec::new();
        for schedule in store::payout_schedules::of_account(&conn, account).await? {
            let skip = store::payout_runs::last_skip(&conn, schedule.id()).await?;
            schedules.push(PayoutScheduleView { schedule, skip });
        }
        Ok(PayoutSettings {
            has_active_method: methods.iter().any(is_active),
            has_tax_form,
            schedules,
        })
    }
}

/// The run of a moment.
pub(super) fn run_at(due: Timestamp) -> NewTimer {
    NewTimer {
        kind: RUN,
        key: PayoutRun::id_at(due).as_uuid(),
        due,
    }
}

/// A method, if it is this account's: what is another's looks like what is not there.
pub(super) async fn of_account(txn: &Txn, account: AccountId, id: PayoutMethodId) -> Result<PayoutMethod, Error> {
    let found = store::payout_methods::find(txn, &[id]).await?.pop();
    found
        .filter(|method| method.account_id == account)
        .ok_or_else(|| not_found(id))
}

fn not_found(id: PayoutMethodId) -> Error {
    Error::not_found("payout method", id.as_uuid())
}

fn added(command: &AddPayoutMethod, destination: &Destination, now: Timestamp) -> PayoutMethod {
    PayoutMethod {
        id: PayoutMethodId::new(),
        account_id: command.account_id,
        kind: command.kind,
        currency: command.currency,
        provider_token: command.provider_token.clone(),
        label: destination.label.clone(),
        fingerprint_hash: Sha256::digest(&destination.fingerprint).into(),
        added_at: now,
        removed_at: None,
    }
}

fn told_added(method: &PayoutMethod) -> NewEvent {
    let event = pb::PayoutMethodAdded {
        payout_method_id: method.id.to_string(),
        account_id: method.account_id.to_string(),
        fingerprint_sha256: method.fingerprint_hash.to_vec(),
        add_time: Some(to_wire_time(method.added_at)),
    };
    NewEvent::new(method.id.as_uuid(), &event)
}
