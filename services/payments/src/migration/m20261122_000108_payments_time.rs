//! `weekly_limit`, how many minutes may be invoiced from a week on, and `time_entry`, time that was worked. Two entries of
//! one person never overlap, of whatever contracts: a trigger refuses it. On PostgreSQL it locks the person's contracts
//! first, as the service does, so that two transactions cannot both find the time free; SQLite has one writer.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// The first moment of a Monday: 1 January 1970 was a Thursday. In microseconds, as all moments are.
pub(super) const IS_MONDAY: &str = "(week + 259200000000) % 604800000000 = 0";

const POSTGRES: &str = "CREATE FUNCTION refuse_overlap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     PERFORM 1 FROM contract WHERE person_id = NEW.person_id ORDER BY id FOR NO KEY UPDATE; \
     IF EXISTS (SELECT 1 FROM time_entry other WHERE other.person_id = NEW.person_id AND other.id <> NEW.id \
         AND other.start_at < NEW.end_at AND other.end_at > NEW.start_at) \
     THEN RAISE EXCEPTION 'time_entry_overlaps another one'; END IF; \
     RETURN NEW; END $$; \
     CREATE TRIGGER time_entry_refuses_overlap BEFORE INSERT OR UPDATE ON time_entry \
     FOR EACH ROW EXECUTE FUNCTION refuse_overlap()";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(weekly_limit()).await?;
        manager.create_table(time_entry()).await?;
        for (name, columns) in [
            ("time_entry_of_person", ["person_id", "start_at"]),
            ("time_entry_of_contract", ["contract_id", "id"]),
            ("time_entry_of_invoice", ["invoice_id", "start_at"]),
        ] {
            let mut index = Index::create().name(name).table("time_entry").to_owned();
            for column in columns {
                index.col(column);
            }
            manager.create_index(index).await?;
        }
        let triggers = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES.to_owned(),
            _ => ["INSERT", "UPDATE"].map(sqlite).concat(),
        };
        manager.get_connection().execute_unprepared(&triggers).await?;
        Ok(())
    }
}

fn sqlite(change: &str) -> String {
    format!(
        "CREATE TRIGGER time_entry_refuses_overlap_{change} BEFORE {change} ON time_entry \
         WHEN EXISTS (SELECT 1 FROM time_entry other WHERE other.person_id = NEW.person_id AND other.id <> NEW.id \
             AND other.start_at < NEW.end_at AND other.end_at > NEW.start_at) \
         BEGIN SELECT RAISE(ABORT, 'time_entry_overlaps another one'); END;"
    )
}

fn weekly_limit() -> TableCreateStatement {
    Table::create()
        .table("weekly_limit")
        .col(uuid("contract_id"))
        .col(big_integer("week"))
        .col(integer("minutes"))
        .primary_key(Index::create().col("contract_id").col("week"))
        .foreign_key(
            ForeignKey::create()
                .name("weekly_limit_contract")
                .from("weekly_limit", "contract_id")
                .to("contract", "id"),
        )
        .check(("weekly_limit_begins_on_monday", Expr::cust(IS_MONDAY)))
        .check(("weekly_limit_fits_a_week", Expr::cust("minutes BETWEEN 1 AND 10080")))
        .to_owned()
}

fn time_entry() -> TableCreateStatement {
    Table::create()
        .table("time_entry")
        .col(pk_uuid("id"))
        .col(uuid("contract_id"))
        .col(uuid("person_id"))
        .col(big_integer("week"))
        .col(uuid("invoice_id"))
        .col(big_integer("start_at"))
        .col(big_integer("end_at"))
        .col(boolean("tracked"))
        .col(text("description"))
        .col(big_integer("created_at"))
        .foreign_key(
            ForeignKey::create()
                .name("time_entry_contract")
                .from("time_entry", ("contract_id", "person_id"))
                .to("contract", ("id", "person_id")),
        )
        .index(
            Index::create()
                .unique()
                .name("time_entry_as_invoiced")
                .col("id")
                .col("invoice_id")
                .col("start_at")
                .col("end_at"),
        )
        .check(("time_entry_week_begins_on_monday", Expr::cust(IS_MONDAY)))
        .check((
            "time_entry_lies_in_its_week",
            Expr::cust("start_at >= week AND end_at <= week + 604800000000"),
        ))
        .check((
            "time_entry_is_whole_minutes",
            Expr::cust("start_at % 60000000 = 0 AND end_at % 60000000 = 0"),
        ))
        .check((
            "time_entry_is_at_most_a_day",
            Expr::cust("end_at > start_at AND end_at - start_at <= 86400000000"),
        ))
        .to_owned()
}
