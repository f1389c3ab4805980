//! What payments told: earnings and their reversals, whether anybody vouched for the person or not.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(earning()).await?;
        manager.create_table(reversal()).await?;
        let by_person = Index::create()
            .name("earning_person")
            .table("earning")
            .col("person_id")
            .to_owned();
        manager.create_index(by_person).await?;
        let by_earning = Index::create()
            .name("reversal_earning")
            .table("reversal")
            .col("earning_id")
            .to_owned();
        manager.create_index(by_earning).await
    }
}

fn earning() -> TableCreateStatement {
    Table::create()
        .table("earning")
        .col(pk_uuid("id"))
        .col(uuid("person_id"))
        .col(uuid("account_id"))
        .col(uuid("client_id"))
        .col(uuid("contract_id"))
        .col(text("currency"))
        .col(big_integer("amount_minor").check(Expr::col("amount_minor").gt(0)))
        .col(big_integer("occurred_at"))
        .col(big_integer("settled_at"))
        .foreign_key(ForeignKey::create().from("earning", "person_id").to("person", "id"))
        .to_owned()
}

/// No foreign key to the earning: a reversal may arrive first, and is then parked here until the earning comes.
fn reversal() -> TableCreateStatement {
    Table::create()
        .table("reversal")
        .col(pk_uuid("id"))
        .col(uuid("earning_id"))
        .col(uuid("person_id"))
        .col(text("currency"))
        .col(big_integer("amount_minor").check(Expr::col("amount_minor").ne(0)))
        .col(big_integer("reversed_at"))
        .foreign_key(ForeignKey::create().from("reversal", "person_id").to("person", "id"))
        .to_owned()
}
