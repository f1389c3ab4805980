//! This library's tables.

use sea_orm_migration::MigrationTrait;

mod m20261121_000001_mail_outgoing;

/// All migrations of this library, in order, for a service's migrator to concatenate.
#[must_use]
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(m20261121_000001_mail_outgoing::Migration)]
}
