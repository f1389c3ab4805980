//! Contracts, as payments tells of them, introductions, which are paid for what comes of contracts, and the programmes of
//! clients that reward those themselves.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(contract()).await?;
        manager.create_table(client_programme()).await?;
        let one_open = Index::create()
            .name("client_programme_open")
            .table("client_programme")
            .col("client_id")
            .unique()
            .and_where(Expr::col("closed_at").is_null())
            .to_owned();
        manager.create_index(one_open).await?;
        manager.create_table(introduction()).await?;
        for (name, table, columns) in [
            ("contract_parties", "contract", vec!["account_id", "client_id"]),
            ("contract_person", "contract", vec!["person_id"]),
            (
                "introduction_referrer",
                "introduction",
                vec!["referrer_id", "made_at", "id"],
            ),
            ("introduction_payee", "introduction", vec!["payee_person_id"]),
            ("earning_contract", "earning", vec!["contract_id"]),
        ] {
            let mut index = Index::create().name(name).table(table).to_owned();
            for column in columns {
                index.col(column);
            }
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// The end of a contract may be heard of before its beginning.
fn contract() -> TableCreateStatement {
    Table::create()
        .table("contract")
        .col(pk_uuid("id"))
        .col(uuid("client_id"))
        .col(uuid("person_id"))
        .col(uuid("account_id"))
        .col(big_integer_null("began_at"))
        .col(big_integer_null("ended_at"))
        .foreign_key(ForeignKey::create().from("contract", "person_id").to("person", "id"))
        .to_owned()
}

/// What a client pays for introductions to it [R32]. The row is locked while a reward is granted, and the database itself
/// refuses to grant more than the budget. A client has one open programme at most.
fn client_programme() -> TableCreateStatement {
    Table::create()
        .table("client_programme")
        .col(pk_uuid("id"))
        .col(uuid("client_id"))
        .col(text("currency"))
        .col(big_integer("reward_minor").check(Expr::col("reward_minor").gt(0)))
        .col(text("qualification").check(Expr::col("qualification").is_in(["CONTRACT", "CONTRACT_COMPLETED"])))
        .col(integer("hold_days").check(Expr::col("hold_days").between(0, 365)))
        .col(big_integer("budget_minor"))
        .col(big_integer("granted_minor").check(Expr::col("granted_minor").gte(0)))
        .col(big_integer("opened_at"))
        .col(big_integer_null("closed_at"))
        .check(Expr::col("granted_minor").lte(Expr::col("budget_minor")))
        .to_owned()
}

/// An account is introduced to a client once, so that an earning pays one commission at most.
fn introduction() -> TableCreateStatement {
    let kinds = ["FREELANCER", "AGENCY", "CLIENT_INTRODUCTION"];
    let without = Expr::col("client_programme_id")
        .is_null()
        .and(Expr::col("client_reward").eq("NONE"));
    let within = Expr::col("client_programme_id")
        .is_not_null()
        .and(Expr::col("client_reward").ne("NONE"));
    Table::create()
        .table("introduction")
        .col(pk_uuid("id"))
        .col(uuid("referrer_id"))
        .col(uuid("account_id"))
        .col(text("kind").check(Expr::col("kind").is_in(kinds)))
        .col(uuid("payee_person_id"))
        .col(uuid("payee_account_id"))
        .col(uuid("client_id"))
        .col(integer("terms_version"))
        .col(big_integer("made_at"))
        .col(text("message"))
        .col(uuid_null("client_programme_id"))
        .col(
            text("client_reward")
                .default("NONE")
                .check(Expr::col("client_reward").is_in(["NONE", "OPEN", "GRANTED", "SPENT"])),
        )
        .check(without.or(within))
        .index(Index::create().unique().col("payee_account_id").col("client_id"))
        .foreign_key(
            ForeignKey::create()
                .from("introduction", "referrer_id")
                .to("referrer", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("introduction", "payee_person_id")
                .to("person", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("introduction", "terms_version")
                .to("terms", "version"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("introduction", "client_programme_id")
                .to("client_programme", "id"),
        )
        .to_owned()
}
