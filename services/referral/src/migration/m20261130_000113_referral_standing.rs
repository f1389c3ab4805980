//! What is judged at the moment at which something was earned: standing, accounts, relations; and screening.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(standing_change()).await?;
        manager.create_table(account_change()).await?;
        manager.create_table(related_party()).await?;
        manager.create_table(screening_case()).await?;
        let queue = Index::create()
            .name("screening_case_queue")
            .table("screening_case")
            .col("state")
            .col("opened_at")
            .col("person_id")
            .to_owned();
        manager.create_index(queue).await?;
        manager.create_table(screening_rule()).await?;
        // The rule that the programme begins with; an operator may change it.
        let standard = Query::insert()
            .into_table("screening_rule")
            .columns(["name", "hired", "unrelated", "enabled"])
            .values_panic(["HIRED".into(), true.into(), true.into(), true.into()])
            .to_owned();
        manager.execute(standard).await
    }
}

fn standing_change() -> TableCreateStatement {
    Table::create()
        .table("standing_change")
        .col(uuid("referrer_id"))
        .col(big_integer("changed_at"))
        .col(boolean("good"))
        .col(text("reason"))
        .primary_key(Index::create().col("referrer_id").col("changed_at").col("good"))
        .foreign_key(
            ForeignKey::create()
                .from("standing_change", "referrer_id")
                .to("referrer", "id"),
        )
        .to_owned()
}

fn account_change() -> TableCreateStatement {
    Table::create()
        .table("account_change")
        .col(uuid("person_id"))
        .col(big_integer("changed_at"))
        .col(boolean("open"))
        .primary_key(Index::create().col("person_id").col("changed_at").col("open"))
        .foreign_key(
            ForeignKey::create()
                .from("account_change", "person_id")
                .to("person", "id"),
        )
        .to_owned()
}

fn related_party() -> TableCreateStatement {
    Table::create()
        .table("related_party")
        .col(uuid("person_id"))
        .col(uuid("client_id"))
        .col(text("reason"))
        .col(big_integer("found_at"))
        .primary_key(Index::create().col("person_id").col("client_id"))
        .foreign_key(
            ForeignKey::create()
                .from("related_party", "person_id")
                .to("person", "id"),
        )
        .to_owned()
}

fn screening_case() -> TableCreateStatement {
    let states = ["QUEUED", "CLAIMED", "PASSED", "REJECTED", "APPEALED"];
    Table::create()
        .table("screening_case")
        .col(pk_uuid("person_id"))
        .col(text("state").check(Expr::col("state").is_in(states)))
        .col(text("claimed_by"))
        .col(text("reason"))
        .col(text("decided_by"))
        .col(text("appeal"))
        .col(big_integer("opened_at"))
        .col(big_integer_null("decided_at"))
        .check(
            Expr::col("state")
                .is_not_in(["PASSED", "REJECTED"])
                .or(Expr::col("decided_at").is_not_null()),
        )
        .check(Expr::col("state").ne("CLAIMED").or(Expr::col("claimed_by").ne("")))
        .check(Expr::col("state").ne("APPEALED").or(Expr::col("appeal").ne("")))
        .foreign_key(
            ForeignKey::create()
                .from("screening_case", "person_id")
                .to("person", "id"),
        )
        .to_owned()
}

fn screening_rule() -> TableCreateStatement {
    Table::create()
        .table("screening_rule")
        .col(text("name").primary_key())
        .col(boolean("hired"))
        .col(boolean("unrelated"))
        .col(boolean("enabled"))
        .to_owned()
}
