//! A provider may take back a part of what is in escrow, or more than is left: `milestone` says how much of its escrow was
//! taken and keeps its submission, and what nobody has any more is the platform's loss, in a ledger account of its own.

use sea_orm_migration::{
    prelude::*,
    sea_orm::{Statement, prelude::Uuid},
};

use super::widen::widen;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const COLUMNS: &str = "\
    ALTER TABLE chargeback ADD COLUMN lost_minor bigint NOT NULL DEFAULT 0 \
        CONSTRAINT chargeback_loses_a_part CHECK (lost_minor >= 0 AND lost_minor <= amount_minor); \
    ALTER TABLE milestone ADD COLUMN taken_minor bigint NOT NULL DEFAULT 0 \
        CONSTRAINT milestone_gives_what_it_has CHECK (taken_minor >= 0 AND taken_minor <= amount_minor \
            AND (taken_minor = 0 OR state IN ('CHARGED_BACK', 'CANCELLED')) \
            AND (taken_minor > 0 OR state <> 'CHARGED_BACK')); \
    ALTER TABLE milestone ADD COLUMN silent_since bigint; \
    UPDATE milestone SET silent_since = submitted_at; \
    CREATE INDEX chargeback_of_contract ON chargeback (contract_id, id)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let conn = manager.get_connection();
        widen(
            manager,
            "milestone",
            "milestone_submission_is_told",
            "state = 'CHARGED_BACK'",
        )
        .await?;
        conn.execute_unprepared(COLUMNS).await?;
        widen(
            manager,
            "ledger_account",
            "ledger_account_kind_is_known",
            "kind = 'LOSSES'",
        )
        .await?;
        open_losses(manager).await
    }
}

/// The accounts of the platform are opened with the first others of a currency; these come later.
async fn open_losses(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let (conn, backend) = (manager.get_connection(), manager.get_database_backend());
    let known = Statement::from_string(backend, "SELECT DISTINCT currency FROM ledger_account");
    for row in conn.query_all_raw(known).await? {
        let currency: String = row.try_get("", "currency")?;
        let id = Uuid::new_v5(&Uuid::nil(), format!("LOSSES/{currency}").as_bytes());
        let insert = Query::insert()
            .into_table("ledger_account")
            .columns(["id", "owner_id", "kind", "currency"])
            .values_panic([id.into(), Uuid::nil().into(), "LOSSES".into(), currency.into()])
            .to_owned();
        conn.execute(&insert).await?;
    }
    Ok(())
}
