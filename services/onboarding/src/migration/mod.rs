//! The tables of this service, after those of the libraries. Forward only; a file is never changed once it has been
//! released.

mod m20261121_000201_onboarding_person;
mod m20261121_000202_onboarding_case;
mod m20261121_000203_onboarding_acceptance;
mod m20261121_000205_onboarding_document;
mod m20261121_000206_onboarding_profile;
mod m20261121_000207_onboarding_account;
mod m20261121_000208_onboarding_task;
mod m20261121_000210_onboarding_profile_left;
mod m20261130_000211_onboarding_cloud;
mod m20261130_000212_onboarding_quota;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// All migrations, in the order in which they are applied.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = vouch_storage::migrations();
        all.extend(vouch_messaging::migrations());
        all.extend(vouch_mail::migrations());
        all.push(Box::new(m20261121_000201_onboarding_person::Migration));
        all.push(Box::new(m20261121_000202_onboarding_case::Migration));
        all.push(Box::new(m20261121_000203_onboarding_acceptance::Migration));
        all.push(Box::new(m20261121_000205_onboarding_document::Migration));
        all.push(Box::new(m20261121_000206_onboarding_profile::Migration));
        all.push(Box::new(m20261121_000207_onboarding_account::Migration));
        all.push(Box::new(m20261121_000208_onboarding_task::Migration));
        all.push(Box::new(m20261121_000210_onboarding_profile_left::Migration));
        all.push(Box::new(m20261130_000211_onboarding_cloud::Migration));
        all.push(Box::new(m20261130_000212_onboarding_quota::Migration));
        all
    }
}
