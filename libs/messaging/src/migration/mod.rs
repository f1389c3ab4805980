//! The tables of this library, the same on both engines.

use sea_orm_migration::MigrationTrait;

mod m20261121_000001_messaging_outbox;
mod m20261121_000002_messaging_inbox;
mod m20261122_000003_messaging_closed_letters;

/// The migrations of this library, for a service's migrator.
#[must_use]
pub fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261121_000001_messaging_outbox::Migration),
        Box::new(m20261121_000002_messaging_inbox::Migration),
        Box::new(m20261122_000003_messaging_closed_letters::Migration),
    ]
}
