//! The tables of the service, forward only. The libraries' tables come first.

use sea_orm_migration::{MigrationTrait, MigratorTrait, sea_orm::DbBackend};

mod m20261121_000101_referral_programme;
mod m20261121_000102_referral_earnings;
mod m20261130_000110_referral_kind;
mod m20261130_000111_referral_terms;
mod m20261130_000112_referral_introduction;
mod m20261130_000113_referral_standing;
mod m20261130_000114_referral_reward;
mod m20261130_000115_referral_release;
mod m20261130_000120_referral_links;
mod m20261130_000121_referral_evidence;
mod m20261130_000122_referral_invitation;
mod m20261130_000124_referral_signal;
mod m20261130_000130_referral_statement;
mod m20261130_000131_referral_rebuild;
mod m20261130_000132_referral_paid_before;
mod m20261201_000140_referral_told;
mod m20261201_000141_referral_release_order;
mod m20261201_000142_referral_earning_index;
mod m20261201_000143_referral_referee_account;
mod m20261201_000144_referral_account_person;
mod m20261201_000150_referral_payout_instrument;

/// All migrations that the referral database needs.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let own: Vec<Box<dyn MigrationTrait>> = vec![
            Box::new(m20261121_000101_referral_programme::Migration),
            Box::new(m20261121_000102_referral_earnings::Migration),
            Box::new(m20261130_000110_referral_kind::Migration),
            Box::new(m20261130_000111_referral_terms::Migration),
            Box::new(m20261130_000112_referral_introduction::Migration),
            Box::new(m20261130_000113_referral_standing::Migration),
            Box::new(m20261130_000114_referral_reward::Migration),
            Box::new(m20261130_000115_referral_release::Migration),
            Box::new(m20261130_000120_referral_links::Migration),
            Box::new(m20261130_000121_referral_evidence::Migration),
            Box::new(m20261130_000122_referral_invitation::Migration),
            Box::new(m20261130_000124_referral_signal::Migration),
            Box::new(m20261130_000130_referral_statement::Migration),
            Box::new(m20261130_000131_referral_rebuild::Migration),
            Box::new(m20261130_000132_referral_paid_before::Migration),
            Box::new(m20261201_000140_referral_told::Migration),
            Box::new(m20261201_000141_referral_release_order::Migration),
            Box::new(m20261201_000142_referral_earning_index::Migration),
            Box::new(m20261201_000143_referral_referee_account::Migration),
            Box::new(m20261201_000144_referral_account_person::Migration),
            Box::new(m20261201_000150_referral_payout_instrument::Migration),
        ];
        [
            vouch_storage::migrations(),
            vouch_messaging::migrations(),
            vouch_mail::migrations(),
            own,
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// The beginning of the month of a moment, both in microseconds, as SQL.
fn month_of(backend: DbBackend, moment: &str) -> String {
    match backend {
        DbBackend::Postgres => format!(
            "CAST(EXTRACT(EPOCH FROM date_trunc('month', to_timestamp({moment} / 1000000) AT TIME ZONE 'UTC')) AS bigint) * 1000000"
        ),
        _ => format!("CAST(strftime('%s', {moment} / 1000000, 'unixepoch', 'start of month') AS integer) * 1000000"),
    }
}
