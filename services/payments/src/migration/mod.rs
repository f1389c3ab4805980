//! The tables of this service. Forward only; a file is never changed once it has been released.

mod m20261121_000101_payments_contract;
mod m20261121_000102_payments_earning;
mod m20261121_000103_payments_ledger;
mod m20261121_000104_payments_reward;
mod m20261121_000105_payments_append_only;
mod m20261122_000106_payments_account;
mod m20261122_000107_payments_tax_form;
mod m20261122_000108_payments_time;
mod m20261122_000109_payments_invoice;
mod m20261122_000119_payments_milestone_event;
mod m20261122_000120_payments_bonus_payment;
mod m20261122_000121_payments_dispute;
mod m20261130_000130_payments_billing_method;
mod m20261130_000131_payments_charge;
mod m20261130_000140_payments_in_transit;
mod m20261130_000141_payments_payout;
mod m20261130_000150_payments_booked_at;
mod m20261130_000151_payments_ledger_check;
mod m20261130_000152_payments_overview;
mod m20261130_000160_payments_losses;
mod m20261130_000161_payments_pause;
mod m20261130_000162_payments_time_parties;
mod m20261130_000163_payments_review;
mod m20261130_000164_payments_recurring;
mod m20261130_000165_payments_client_refund;
mod m20261201_000170_payments_client_payment;
mod m20261201_000171_payments_client_payment_stays;
mod m20261201_000172_payments_payout_account;
mod widen;

use sea_orm_migration::prelude::*;

/// The migrations of the libraries, then those of this service.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = vouch_storage::migrations();
        all.extend(vouch_messaging::migrations());
        all.push(Box::new(m20261121_000101_payments_contract::Migration));
        all.push(Box::new(m20261121_000102_payments_earning::Migration));
        all.push(Box::new(m20261121_000103_payments_ledger::Migration));
        all.push(Box::new(m20261121_000104_payments_reward::Migration));
        all.push(Box::new(m20261121_000105_payments_append_only::Migration));
        all.push(Box::new(m20261122_000106_payments_account::Migration));
        all.push(Box::new(m20261122_000107_payments_tax_form::Migration));
        all.push(Box::new(m20261122_000108_payments_time::Migration));
        all.push(Box::new(m20261122_000109_payments_invoice::Migration));
        all.push(Box::new(m20261122_000119_payments_milestone_event::Migration));
        all.push(Box::new(m20261122_000120_payments_bonus_payment::Migration));
        all.push(Box::new(m20261122_000121_payments_dispute::Migration));
        all.push(Box::new(m20261130_000130_payments_billing_method::Migration));
        all.push(Box::new(m20261130_000131_payments_charge::Migration));
        all.push(Box::new(m20261130_000140_payments_in_transit::Migration));
        all.push(Box::new(m20261130_000141_payments_payout::Migration));
        all.push(Box::new(m20261130_000150_payments_booked_at::Migration));
        all.push(Box::new(m20261130_000151_payments_ledger_check::Migration));
        all.push(Box::new(m20261130_000152_payments_overview::Migration));
        all.push(Box::new(m20261130_000160_payments_losses::Migration));
        all.push(Box::new(m20261130_000161_payments_pause::Migration));
        all.push(Box::new(m20261130_000162_payments_time_parties::Migration));
        all.push(Box::new(m20261130_000163_payments_review::Migration));
        all.push(Box::new(m20261130_000164_payments_recurring::Migration));
        all.push(Box::new(m20261130_000165_payments_client_refund::Migration));
        all.push(Box::new(m20261201_000170_payments_client_payment::Migration));
        all.push(Box::new(m20261201_000171_payments_client_payment_stays::Migration));
        all.push(Box::new(m20261201_000172_payments_payout_account::Migration));
        all
    }
}
