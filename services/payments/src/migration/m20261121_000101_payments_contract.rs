//! `contract` and `milestone`. The currency is part of the key between the two, so that they cannot differ in it.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(contract()).await?;
        for (name, column) in [
            ("contract_of_account", "account_id"),
            ("contract_of_client", "client_id"),
            ("contract_of_person", "person_id"),
        ] {
            let index = Index::create()
                .name(name)
                .table("contract")
                .col(column)
                .col("id")
                .to_owned();
            manager.create_index(index).await?;
        }
        manager.create_table(milestone()).await?;
        let index = Index::create()
            .name("milestone_of_contract")
            .table("milestone")
            .col("contract_id")
            .col("id")
            .to_owned();
        manager.create_index(index).await
    }
}

fn contract() -> TableCreateStatement {
    Table::create()
        .table("contract")
        .col(pk_uuid("id"))
        .col(uuid_uniq("offer_id"))
        .col(uuid("client_id"))
        .col(uuid("person_id"))
        .col(uuid("account_id"))
        .col(string_len("currency", 3))
        .col(big_integer_null("hourly_rate_minor"))
        .col(integer_null("weekly_limit_minutes"))
        .col(integer("fee_terms_version"))
        .col(integer("talent_basis_points"))
        .col(big_integer("start_at"))
        .col(big_integer("created_at"))
        .col(big_integer("net_gross_minor"))
        .col(text("state"))
        .col(big_integer_null("state_at"))
        .col(text_null("state_reason"))
        .index(
            Index::create()
                .unique()
                .name("contract_currency")
                .col("id")
                .col("currency"),
        )
        .index(
            Index::create()
                .unique()
                .name("contract_person")
                .col("id")
                .col("person_id"),
        )
        .check(Check::named(
            "contract_is_hourly_or_fixed",
            Expr::cust("(hourly_rate_minor IS NULL) = (weekly_limit_minutes IS NULL)"),
        ))
        .check(Check::named(
            "contract_rate_is_positive",
            Expr::col("hourly_rate_minor").gt(0),
        ))
        .check(Check::named(
            "contract_fee_is_a_share",
            Expr::col("talent_basis_points").between(0, 10_000),
        ))
        .check(Check::named(
            "contract_total_is_not_negative",
            Expr::col("net_gross_minor").gte(0),
        ))
        .check(Check::named(
            "contract_state_is_known",
            Expr::col("state").is_in(["ACTIVE", "PAUSED", "ENDED"]),
        ))
        .check(Check::named(
            "contract_halt_is_told",
            Expr::cust("(state = 'ACTIVE') = (state_at IS NULL) AND (state_at IS NULL) = (state_reason IS NULL)"),
        ))
        .to_owned()
}

fn milestone() -> TableCreateStatement {
    Table::create()
        .table("milestone")
        .col(pk_uuid("id"))
        .col(uuid("contract_id"))
        .col(text("title"))
        .col(big_integer("amount_minor"))
        .col(string_len("currency", 3))
        .col(text("state"))
        .col(big_integer_null("submitted_at"))
        .col(big_integer_null("approved_at"))
        .col(uuid_null("earning_id"))
        .foreign_key(
            ForeignKey::create()
                .name("milestone_contract")
                .from("milestone", ("contract_id", "currency"))
                .to("contract", ("id", "currency")),
        )
        .check(Check::named(
            "milestone_amount_is_positive",
            Expr::col("amount_minor").gt(0),
        ))
        .check(Check::named(
            "milestone_state_is_known",
            Expr::col("state").is_in(["AGREED", "FUNDED", "SUBMITTED", "APPROVED", "CANCELLED", "CHARGED_BACK"]),
        ))
        .check(Check::named(
            "milestone_submission_is_told",
            Expr::cust("(state IN ('SUBMITTED', 'APPROVED')) = (submitted_at IS NOT NULL)"),
        ))
        .check(Check::named(
            "milestone_approval_is_told",
            Expr::cust("(state = 'APPROVED') = (approved_at IS NOT NULL)"),
        ))
        .check(Check::named(
            "milestone_earning_is_told",
            Expr::cust("(state = 'APPROVED') = (earning_id IS NOT NULL)"),
        ))
        .to_owned()
}
