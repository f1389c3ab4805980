//! All that terms say, as their canonical text; and what was published never changes, whoever tries.

use sea_orm_migration::{prelude::*, schema::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

const POSTGRES: &str = "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ \
     BEGIN RAISE EXCEPTION '% never changes', TG_TABLE_NAME; END $$; \
     CREATE TRIGGER terms_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON terms \
     FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()";

const SQLITE: &str = "CREATE TRIGGER terms_refuse_update BEFORE UPDATE ON terms \
     BEGIN SELECT RAISE(ABORT, 'terms never change'); END; \
     CREATE TRIGGER terms_refuse_delete BEFORE DELETE ON terms \
     BEGIN SELECT RAISE(ABORT, 'terms never change'); END;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Those that the programme began with say no more than what stands in the columns.
        let content = text("content").default("").to_owned();
        let add = Table::alter().table("terms").add_column(content).to_owned();
        manager.alter_table(add).await?;
        let triggers = match manager.get_database_backend() {
            DbBackend::Postgres => POSTGRES,
            _ => SQLITE,
        };
        manager.get_connection().execute_unprepared(triggers).await?;
        manager.create_table(consent()).await
    }
}

/// The terms to which a referrer has consented for an attribution, from a moment on [A1].
fn consent() -> TableCreateStatement {
    Table::create()
        .table("attribution_terms")
        .col(uuid("attribution_id"))
        .col(big_integer("from_at"))
        .col(integer("terms_version"))
        .col(text("consent").check(Expr::col("consent").ne("")))
        .primary_key(Index::create().col("attribution_id").col("from_at"))
        .foreign_key(
            ForeignKey::create()
                .from("attribution_terms", "attribution_id")
                .to("attribution", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .from("attribution_terms", "terms_version")
                .to("terms", "version"),
        )
        .to_owned()
}
