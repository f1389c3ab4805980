//! `talent_cloud_member`: who is in a talent cloud, or invited to it.

use sea_orm_migration::{prelude::*, schema::*};

use super::unique;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let member = Table::create()
            .table("talent_cloud_member")
            .col(pk_uuid("id"))
            .col(uuid("talent_cloud_id"))
            .col(uuid("invitation_id"))
            .col(uuid_null("person_id"))
            .col(text("state"))
            .col(integer("priority"))
            .col(big_integer("since"))
            .foreign_key(
                ForeignKey::create()
                    .name("talent_cloud_member_cloud")
                    .from("talent_cloud_member", "talent_cloud_id")
                    .to("talent_cloud", "id"),
            )
            .foreign_key(
                ForeignKey::create()
                    .name("talent_cloud_member_invitation")
                    .from("talent_cloud_member", "invitation_id")
                    .to("invitation", "id"),
            )
            .check((
                "talent_cloud_member_state_is_known",
                Expr::col("state").is_in(["INVITED", "ONBOARDING", "READY", "REMOVED"]),
            ))
            .check((
                "talent_cloud_member_is_somebody",
                Expr::cust("state NOT IN ('ONBOARDING', 'READY') OR person_id IS NOT NULL"),
            ))
            .check((
                "talent_cloud_member_invited_is_nobody_yet",
                Expr::cust("state <> 'INVITED' OR person_id IS NULL"),
            ))
            .index(
                unique("talent_cloud_member_once")
                    .col("talent_cloud_id")
                    .col("person_id"),
            )
            .index(
                unique("talent_cloud_member_of_invitation")
                    .col("invitation_id")
                    .col("talent_cloud_id"),
            )
            .to_owned();
        manager.create_table(member).await?;
        let found = Index::create()
            .name("talent_cloud_member_found")
            .table("talent_cloud_member")
            .col("talent_cloud_id")
            .col("state")
            .col("priority")
            .col("id")
            .to_owned();
        manager.create_index(found).await
    }
}
