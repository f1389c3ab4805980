//! Recurring contracts: `contract` says what is paid per period, `invoice` for which period it is. One invoice for each contract
//! and period; it has neither time nor lines. `contract_hold`: the times in which a contract was held up by charges that had
//! failed, for which no period is paid.

use sea_orm_migration::{prelude::*, schema::*};

use super::widen::widen;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const COLUMNS: &str = "\
    ALTER TABLE contract ADD COLUMN pay_period text; \
    ALTER TABLE contract ADD COLUMN period_amount_minor bigint CONSTRAINT contract_is_paid_by_the_hour_or_per_period \
        CHECK ((pay_period IS NULL) = (period_amount_minor IS NULL) AND (pay_period IS NULL OR hourly_rate_minor IS NULL \
            AND period_amount_minor > 0 AND pay_period IN ('WEEK', 'TWO_WEEKS', 'MONTH', 'QUARTER'))); \
    ALTER TABLE invoice ADD COLUMN period_start bigint; \
    ALTER TABLE invoice ADD COLUMN period_end bigint CONSTRAINT invoice_is_of_a_week_or_a_period \
        CHECK ((period_start IS NULL) = (period_end IS NULL) \
            AND (period_start IS NULL OR period_start < period_end AND rate_minor = 0 AND minutes = 0)); \
    CREATE UNIQUE INDEX invoice_of_a_period_is_made_once ON invoice (contract_id, period_start)";

const HOLDS: &str = "\
    CREATE UNIQUE INDEX contract_hold_is_open_once ON contract_hold (contract_id) WHERE until_at IS NULL; \
    INSERT INTO contract_hold (contract_id, from_at, until_at) \
        SELECT id, unpaid_since, NULL FROM contract WHERE unpaid_since IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(COLUMNS).await?;
        for (rule, also) in [
            (
                "invoice_minutes_are_within_the_limit",
                "period_start IS NOT NULL AND minutes_over = 0 AND limit_minutes = 0",
            ),
            (
                "invoice_amount_is_positive_and_rounded_down",
                "period_start IS NOT NULL AND amount_minor > 0",
            ),
        ] {
            widen(manager, "invoice", rule, also).await?;
        }
        let table = Table::create()
            .table("contract_hold")
            .col(uuid("contract_id"))
            .col(big_integer("from_at"))
            .col(big_integer_null("until_at"))
            .primary_key(Index::create().col("contract_id").col("from_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("contract_hold_contract")
                    .from("contract_hold", "contract_id")
                    .to("contract", "id"),
            )
            .check((
                "contract_hold_ends_after_it_begins",
                Expr::cust("until_at IS NULL OR until_at >= from_at"),
            ))
            .to_owned();
        manager.create_table(table).await?;
        manager.get_connection().execute_unprepared(HOLDS).await?;
        Ok(())
    }
}
