//! The tables of this crate. Forward only; a file is never changed once it has been released.

mod m20261121_000001_storage_request;
mod m20261121_000002_storage_timer;
mod m20261121_000003_storage_test_clock;
mod m20261122_000004_storage_timer_trace;

use sea_orm_migration::MigrationTrait;

pub(crate) fn all() -> Vec<Box<dyn MigrationTrait>> {
    vec![
        Box::new(m20261121_000001_storage_request::Migration),
        Box::new(m20261121_000002_storage_timer::Migration),
        Box::new(m20261121_000003_storage_test_clock::Migration),
        Box::new(m20261122_000004_storage_timer_trace::Migration),
    ]
}
