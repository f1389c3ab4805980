//! A case does not go on from a profile of which a section is half done [B43, B50].

use sea_orm_migration::{prelude::*, sea_orm::DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const HALF_DONE: &str = "OLD.state = 'BUILD_PROFILE' AND NEW.state <> 'BUILD_PROFILE' AND EXISTS \
     (SELECT 1 FROM profile_section WHERE account_id = OLD.account_id AND started IS NOT NULL)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let conn = manager.get_connection();
        let statements = if manager.get_database_backend() == DbBackend::Postgres {
            format!(
                "CREATE FUNCTION refuse_half_done_profile() RETURNS trigger LANGUAGE plpgsql AS $$ \
                 BEGIN IF {HALF_DONE} THEN RAISE EXCEPTION 'the profile is half done'; END IF; RETURN NEW; END $$; \
                 CREATE TRIGGER onboarding_case_leaves_no_half_done_profile BEFORE UPDATE ON onboarding_case \
                 FOR EACH ROW EXECUTE FUNCTION refuse_half_done_profile()"
            )
        } else {
            format!(
                "CREATE TRIGGER onboarding_case_leaves_no_half_done_profile BEFORE UPDATE ON onboarding_case \
                 WHEN {HALF_DONE} BEGIN SELECT RAISE(ABORT, 'the profile is half done'); END"
            )
        };
        conn.execute_unprepared(&statements).await?;
        Ok(())
    }
}
