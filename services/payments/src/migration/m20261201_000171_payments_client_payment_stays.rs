//! What a client has paid is never changed: it may be undone, and once at that.

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const FIXED: &str = "id, client_id, currency, amount_minor, reference, received_at, recorded_at";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let triggers = match manager.get_database_backend() {
            DbBackend::Postgres => postgres(),
            _ => sqlite(),
        };
        manager.get_connection().execute_unprepared(&triggers).await?;
        Ok(())
    }
}

fn postgres() -> String {
    format!(
        "CREATE TRIGGER client_payment_stays BEFORE UPDATE OF {FIXED} OR DELETE OR TRUNCATE ON client_payment \
         FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(); \
         CREATE TRIGGER client_payment_is_undone_once BEFORE UPDATE OF undone_at ON client_payment \
         FOR EACH ROW WHEN (OLD.undone_at IS NOT NULL) EXECUTE FUNCTION refuse_change()"
    )
}

fn sqlite() -> String {
    let refused = [
        ("client_payment_stays", format!("UPDATE OF {FIXED}"), ""),
        ("client_payment_is_kept", "DELETE".to_owned(), ""),
        (
            "client_payment_is_undone_once",
            "UPDATE OF undone_at".to_owned(),
            "WHEN OLD.undone_at IS NOT NULL",
        ),
    ];
    let trigger = |(name, change, when): (&str, String, &str)| {
        format!(
            "CREATE TRIGGER {name} BEFORE {change} ON client_payment {when} \
             BEGIN SELECT RAISE(ABORT, 'client_payment is append-only'); END;"
        )
    };
    refused.map(trigger).concat()
}
