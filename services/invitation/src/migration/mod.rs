//! The tables of this service, after those of the libraries. Forward only; a file is never changed once it has been
//! released.

mod m20261121_000101_invitation_client;
mod m20261121_000102_invitation_talent_cloud;
mod m20261121_000103_invitation_invitation;
mod m20261121_000104_invitation_member;
mod m20261121_000105_invitation_limits;
mod m20261121_000106_invitation_account_address;
mod m20261121_000107_invitation_project;
mod m20261121_000108_invitation_application;
mod m20261122_000109_invitation_erasure;
mod m20261130_000110_invitation_former_address;

use sea_orm_migration::{
    MigrationTrait, MigratorTrait,
    prelude::{Index, IndexCreateStatement},
};

/// All migrations, in the order in which they are applied.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut all = vouch_storage::migrations();
        all.extend(vouch_messaging::migrations());
        all.extend(vouch_mail::migrations());
        all.push(Box::new(m20261121_000101_invitation_client::Migration));
        all.push(Box::new(m20261121_000102_invitation_talent_cloud::Migration));
        all.push(Box::new(m20261121_000103_invitation_invitation::Migration));
        all.push(Box::new(m20261121_000104_invitation_member::Migration));
        all.push(Box::new(m20261121_000105_invitation_limits::Migration));
        all.push(Box::new(m20261121_000106_invitation_account_address::Migration));
        all.push(Box::new(m20261121_000107_invitation_project::Migration));
        all.push(Box::new(m20261121_000108_invitation_application::Migration));
        all.push(Box::new(m20261122_000109_invitation_erasure::Migration));
        all.push(Box::new(m20261130_000110_invitation_former_address::Migration));
        all
    }
}

fn unique(name: &str) -> IndexCreateStatement {
    Index::create().name(name).unique().to_owned()
}
