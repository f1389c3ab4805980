//! Whose things are.

use vouch_primitives::{
    AccountId, BillingMethodId, BonusPaymentId, ChargeId, ContractId, DisputeId, EarningId, InvoiceId, MilestoneId,
    PayoutId, PayoutMethodId, TimeEntryId, Uuid,
};
use vouch_runtime::access::{FindOwners, Owners};
use vouch_storage::StorageError;

use super::App;
use crate::{domain::Contract, store};

impl FindOwners for App {
    async fn find_owners(&self, field: &str, id: Uuid) -> Result<Option<Owners>, StorageError> {
        let conn = self.commands.db().reader();
        let contract = match field {
            "contract_id" => Some(ContractId::from_uuid(id)),
            "milestone_id" => {
                let found = store::milestones::find(conn, &[MilestoneId::from_uuid(id)]).await?;
                found.first().map(|milestone| milestone.contract_id)
            }
            "earning_id" => {
                let found = store::earnings::find(conn, &[EarningId::from_uuid(id)]).await?;
                found.first().map(|earning| earning.contract_id)
            }
            "time_entry_id" => {
                let found = store::time_entries::find(conn, TimeEntryId::from_uuid(id)).await?;
                found.map(|entry| entry.contract_id)
            }
            "invoice_id" => {
                let found = store::invoices::find(conn, &[InvoiceId::from_uuid(id)]).await?;
                found.first().map(|invoice| invoice.contract_id)
            }
            "bonus_payment_id" => {
                let found = store::bonuses::find(conn, &[BonusPaymentId::from_uuid(id)]).await?;
                found.first().map(|bonus| bonus.contract_id)
            }
            "dispute_id" => {
                let found = store::disputes::find(conn, DisputeId::from_uuid(id)).await?;
                found.map(|dispute| dispute.contract_id)
            }
            "charge_id" => {
                let found = store::charges::find(conn, &[ChargeId::from_uuid(id)]).await?.pop();
                return Ok(found.map(|charge| Owners::client(charge.client_id)));
            }
            "billing_method_id" => {
                let found = store::billing_methods::find(conn, BillingMethodId::from_uuid(id)).await?;
                return Ok(found.map(|method| Owners::client(method.client_id)));
            }
            "account_id" => return self.owner_of(Some(AccountId::from_uuid(id))).await,
            "payout_method_id" => {
                let found = store::payout_methods::find(conn, &[PayoutMethodId::from_uuid(id)]).await?;
                return self.owner_of(found.first().map(|method| method.account_id)).await;
            }
            "payout_id" => {
                let found = store::payouts::find(conn, &[PayoutId::from_uuid(id)]).await?;
                return self.owner_of(found.first().map(|payout| payout.account_id)).await;
            }
            _ => None,
        };
        let Some(contract) = contract else {
            return Ok(None);
        };
        let found = store::contracts::find(conn, &[contract]).await?;
        let both = |contract: &Contract| Owners::both(contract.client_id, contract.person_id);
        Ok(found.first().map(both))
    }
}

impl App {
    /// The person whose an account is.
    async fn owner_of(&self, account: Option<AccountId>) -> Result<Option<Owners>, StorageError> {
        let Some(account) = account else {
            return Ok(None);
        };
        let person = store::accounts::person_of(self.commands.db().reader(), account).await?;
        Ok(person.map(Owners::person))
    }
}
