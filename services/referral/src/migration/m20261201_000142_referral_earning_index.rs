//! Earnings are found by the month in which they were earned, and then by whose they are: those of the present month, which come
//! now, are written to a few pages, however many there are of the months before. An index by person alone cost each earning a page
//! of its own. By contract alone nobody looks for earnings: whose they are is always known, and people have few contracts.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

use super::month_of;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["earning_contract", "earning_person"] {
            let index = Index::drop().name(name).table("earning").to_owned();
            manager.drop_index(index).await?;
        }
        let month = big_integer("month_at").default(0).to_owned();
        let add = Table::alter().table("earning").add_column(month).to_owned();
        manager.alter_table(add).await?;
        let months = Table::create()
            .table("earning_month")
            .col(big_integer("month_at").primary_key())
            .to_owned();
        manager.create_table(months).await?;
        let month = month_of(manager.get_database_backend(), "occurred_at");
        for earlier in [
            &format!("UPDATE earning SET month_at = {month}"),
            "INSERT INTO earning_month (month_at) SELECT DISTINCT month_at FROM earning",
        ] {
            manager.get_connection().execute_unprepared(earlier).await?;
        }
        if manager.get_database_backend() == DbBackend::Postgres {
            // The version before, which may serve a moment longer, would store earnings that nobody finds: it is refused, and they
            // come again.
            let no_default = "ALTER TABLE earning ALTER COLUMN month_at DROP DEFAULT";
            manager.get_connection().execute_unprepared(no_default).await?;
        }
        let by_month = Index::create()
            .name("earning_month_person")
            .table("earning")
            .col("month_at")
            .col("person_id")
            .to_owned();
        manager.create_index(by_month).await
    }
}
