//! `contract_pause`: the times in which a contract was paused, so that time worked outside of them can still be written; and who
//! has paused or ended a contract, as nobody else lets it go on.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Of what was halted before, nobody knows who did it.
const REST: &str = "\
    CREATE UNIQUE INDEX contract_pause_is_open_once ON contract_pause (contract_id) WHERE until_at IS NULL; \
    INSERT INTO contract_pause (contract_id, from_at, until_at) SELECT id, state_at, NULL FROM contract WHERE state = 'PAUSED'; \
    ALTER TABLE contract ADD COLUMN halted_by text CONSTRAINT contract_is_halted_by_somebody \
        CHECK (halted_by IS NULL OR state <> 'ACTIVE' AND halted_by IN ('CLIENT', 'TALENT', 'OPERATOR'))";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("contract_pause")
            .col(uuid("contract_id"))
            .col(big_integer("from_at"))
            .col(big_integer_null("until_at"))
            .primary_key(Index::create().col("contract_id").col("from_at"))
            .foreign_key(
                ForeignKey::create()
                    .name("contract_pause_contract")
                    .from("contract_pause", "contract_id")
                    .to("contract", "id"),
            )
            .check((
                "contract_pause_ends_after_it_begins",
                Expr::cust("until_at IS NULL OR until_at >= from_at"),
            ))
            .to_owned();
        manager.create_table(table).await?;
        manager.get_connection().execute_unprepared(REST).await?;
        Ok(())
    }
}
