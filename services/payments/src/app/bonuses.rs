//! What clients give beside what was agreed: an earning once it is paid.

use std::{slice, sync::Arc};

use vouch_primitives::{BonusPaymentId, ContractId, EarningId, Money, Timestamp};
use vouch_proto::{Listed, Page, payments::v1 as pb};
use vouch_storage::{Txn, idempotency::RequestKey};

use super::{App, charges::NewCharge, contracts, earnings};
use crate::{
    domain::{BonusPayment, EarningSource},
    error::Error,
    store,
};

/// The client gives something beside what was agreed.
#[derive(Clone, Debug)]
pub struct PayBonus {
    /// Under which contract.
    pub contract_id: ContractId,
    /// How much, above zero.
    pub amount: Money,
    /// What it is given for.
    pub message: String,
}

impl App {
    /// The client gives the talent of a contract something, whether it goes on or has ended.
    ///
    /// # Errors
    /// [`Error::NotFound`], if the client has no way of billing, and whatever the contract refuses.
    pub async fn pay_bonus(&self, key: &RequestKey, command: &PayBonus) -> Result<pb::PayBonusResponse, Error> {
        let work = |txn: Arc<Txn>, now| async move {
            let id = command.contract_id;
            let contract = contracts::locked(&txn, id).await?;
            contract.check_amount(command.amount)?;
            let bonus = BonusPayment {
                id: BonusPaymentId::new(),
                contract_id: id,
                amount: command.amount,
                message: command.message.clone(),
                given_at: now,
                earning_id: None,
                unpaid_since: None,
            };
            store::bonuses::save(&txn, slice::from_ref(&bonus)).await?;
            let charge = NewCharge {
                contract_id: id,
                client_id: contract.client_id,
                purpose: EarningSource::Bonus(bonus.id),
                amount: bonus.amount,
            };
            let charge = self.begin_charge(&txn, now, charge).await?;
            Ok(pb::PayBonusResponse {
                bonus_payment: Some(bonus.into()),
                charge_id: charge.to_string(),
            })
        };
        self.commands.once(key, work).await
    }

    /// Reads one bonus payment.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get_bonus_payment(&self, id: BonusPaymentId) -> Result<BonusPayment, Error> {
        let found = store::bonuses::find(self.commands.db().reader(), &[id]).await?.pop();
        found.ok_or(Error::not_found("bonus_payment", id.as_uuid()))
    }

    /// Lists the bonus payments of a contract, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_bonus_payments(
        &self,
        contract: ContractId,
        page: Page<BonusPaymentId>,
    ) -> Result<Listed<BonusPayment, BonusPaymentId>, Error> {
        let found = store::bonuses::list(self.commands.db().reader(), contract, page).await?;
        Ok(page.cut(found, |bonus| bonus.id))
    }
}

/// Clients have paid these: they are earnings now.
pub(super) async fn paid(txn: &Txn, now: Timestamp, ids: &[BonusPaymentId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut contracts = store::contracts::lock_of_bonuses(txn, ids).await?;
    let mut bonuses = store::bonuses::find(txn, ids).await?;
    let mut made = Vec::new();
    for bonus in &mut bonuses {
        let id = bonus.contract_id;
        let contract = contracts
            .get_mut(&id)
            .ok_or(Error::not_found("contract", id.as_uuid()))?;
        made.extend(bonus.pay(contract, EarningId::new(), now)?);
    }
    earnings::begin(txn, now, &made, &contracts).await?;
    Ok(store::bonuses::save(txn, &bonuses).await?)
}

/// Charging clients for these was given up.
pub(super) async fn given_up(txn: &Txn, now: Timestamp, ids: &[BonusPaymentId]) -> Result<(), Error> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut bonuses = store::bonuses::find(txn, ids).await?;
    for bonus in &mut bonuses {
        bonus.give_up(now);
    }
    Ok(store::bonuses::save(txn, &bonuses).await?)
}
