//! Terms, people, referrers, attributions and their totals.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(terms()).await?;
        manager.create_table(epoch()).await?;
        manager.create_table(person()).await?;
        manager.create_table(account()).await?;
        manager.create_table(referrer()).await?;
        manager.create_table(attribution()).await?;
        let by_referrer = Index::create()
            .name("attribution_referrer")
            .table("attribution")
            .col("referrer_id")
            .col("joined_at")
            .col("id")
            .to_owned();
        manager.create_index(by_referrer).await?;
        manager.create_table(reward_total()).await
    }
}

fn terms() -> TableCreateStatement {
    Table::create()
        .table("terms")
        .col(integer("version").primary_key())
        .col(text_uniq("content_hash"))
        .col(integer("lifetime_basis_points"))
        .col(integer("bonus_basis_points"))
        .col(integer("window_months"))
        .col(big_integer("created_at"))
        .to_owned()
}

/// The life of this database: one row.
fn epoch() -> TableCreateStatement {
    let only_row = integer("id").primary_key().check(Expr::col("id").eq(1)).to_owned();
    Table::create()
        .table("epoch")
        .col(only_row)
        .col(big_integer("epoch"))
        .to_owned()
}

/// Everybody who was ever heard of. The row is locked while the person's earnings or attribution change, so that an
/// earning and the attribution that it belongs to may arrive in either order.
fn person() -> TableCreateStatement {
    Table::create().table("person").col(pk_uuid("id")).to_owned()
}

fn account() -> TableCreateStatement {
    Table::create()
        .table("account")
        .col(pk_uuid("id"))
        .col(uuid("person_id"))
        .col(big_integer("registered_at"))
        .col(text("typed_code"))
        .foreign_key(ForeignKey::create().from("account", "person_id").to("person", "id"))
        .to_owned()
}

fn referrer() -> TableCreateStatement {
    Table::create()
        .table("referrer")
        .col(pk_uuid("id"))
        .col(uuid("person_id"))
        .col(uuid_uniq("account_id"))
        .col(text_uniq("code"))
        .col(big_integer("enrolled_at"))
        .foreign_key(ForeignKey::create().from("referrer", "account_id").to("account", "id"))
        .to_owned()
}

fn attribution() -> TableCreateStatement {
    Table::create()
        .table("attribution")
        .col(pk_uuid("id"))
        .col(uuid("referrer_id"))
        .col(uuid("account_id"))
        .col(uuid_uniq("referee_person_id"))
        .col(integer("terms_version"))
        .col(big_integer("joined_at"))
        .col(text("bonus_state").check(Expr::col("bonus_state").is_in(["OPEN", "DUE"])))
        .col(big_integer("created_at"))
        .foreign_key(
            ForeignKey::create()
                .from("attribution", "referrer_id")
                .to("referrer", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("attribution", "referee_person_id")
                .to("person", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("attribution", "terms_version")
                .to("terms", "version"),
        )
        .to_owned()
}

fn reward_total() -> TableCreateStatement {
    Table::create()
        .table("reward_total")
        .col(uuid("attribution_id"))
        .col(text("kind").check(Expr::col("kind").is_in(["LIFETIME_SHARE", "WINDOW_BONUS"])))
        .col(text("currency"))
        .col(big_integer("base_minor"))
        .col(big_integer("accrued_minor"))
        .col(integer("accrued_fraction").check(Expr::col("accrued_fraction").between(0, 9_999)))
        .col(big_integer("released_minor"))
        .col(big_integer("sequence"))
        .primary_key(Index::create().col("attribution_id").col("kind").col("currency"))
        .foreign_key(
            ForeignKey::create()
                .from("reward_total", "attribution_id")
                .to("attribution", "id"),
        )
        .to_owned()
}
