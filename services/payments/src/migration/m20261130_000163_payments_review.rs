//! `earning` says until when it can be disputed: an invoice as long as the client reviews it, until Friday; before, that was
//! whatever was not available yet.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// A week's Monday is the moment at which its work occurred. All in microseconds: the Friday ends twelve days after that Monday, the
/// money is available another four days later or five days after the payment, and each counts to the last one before.
const REVIEW: &str = "\
    ALTER TABLE earning ADD COLUMN review_until bigint NOT NULL DEFAULT 0; \
    UPDATE earning SET review_until = CASE \
        WHEN source = 'INVOICE' AND approved_at < occurred_at + 1036800000000 THEN occurred_at + 1036799999999 \
        ELSE available_at - 1 END";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(REVIEW).await?;
        Ok(())
    }
}
