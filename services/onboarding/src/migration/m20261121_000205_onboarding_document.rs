//! `document`: files that people have uploaded, and uploads that are under way (`UPLOADING`). The bytes are in the store of
//! files, under the name `stored_as`.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(document()).await?;
        let of_person = Index::create()
            .name("document_of_person")
            .table("document")
            .col("person_id")
            .col("id")
            .to_owned();
        manager.create_index(of_person).await
    }
}

fn document() -> TableCreateStatement {
    Table::create()
        .table("document")
        .col(pk_uuid("id"))
        .col(uuid("person_id"))
        .col(uuid("stored_as"))
        .col(text("file_name"))
        .col(text("purpose"))
        .col(text("content_type"))
        .col(big_integer("size_bytes"))
        .col(blob("sha256"))
        .col(text("state"))
        .col(big_integer("created_at"))
        .col(big_integer_null("decided_at"))
        .col(text("reject_reason").default(""))
        .index(Index::create().name("document_stored_as").unique().col("stored_as"))
        .foreign_key(
            ForeignKey::create()
                .name("document_person")
                .from("document", "person_id")
                .to("person", "id"),
        )
        .check((
            "document_content_type_is_known",
            Expr::col("content_type").is_in(["PDF", "PNG", "JPEG", "DOCX"]),
        ))
        .check((
            "document_size_is_within_the_cap",
            Expr::cust("size_bytes BETWEEN 1 AND 26214400"),
        ))
        .check(("document_sha256_is_sha256", Expr::cust("length(sha256) = 32")))
        .check((
            "document_state_is_known",
            Expr::col("state").is_in(["UPLOADING", "QUARANTINED", "RELEASED", "REJECTED"]),
        ))
        .check((
            "document_decided_at_some_time",
            Expr::cust("(state IN ('RELEASED', 'REJECTED')) = (decided_at IS NOT NULL)"),
        ))
        .check((
            "document_rejected_for_a_reason",
            Expr::cust("(state = 'REJECTED') = (reject_reason <> '')"),
        ))
        .check((
            "document_file_name_is_no_path",
            Expr::cust("file_name <> '' AND file_name NOT LIKE '%/%' AND file_name NOT LIKE '%..%'"),
        ))
        .to_owned()
}
