//! `task_template`: what cases require, one row for each version; a version never changes but for going out of use.
//! `task_template_in_use`: how many of them a client has in use, and under the nil UUID the platform. `task`: what
//! one case has to do, and how it stands. `task_document`: with which documents. `task_decision`: what reviewers have said, with what they said it of.

use sea_orm_migration::{prelude::*, schema::*};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [template(), in_use(), task(), decision(), document()] {
            manager.create_table(table).await?;
        }
        let index = |name, table| Index::create().name(name).table(table).to_owned();
        let newest = index("task_template_newest", "task_template")
            .unique()
            .col("id")
            .and_where(Expr::col("newest").eq(true))
            .to_owned();
        let of_client = index("task_template_of_client", "task_template")
            .col("client_id")
            .col("id")
            .to_owned();
        let of_case = index("task_of_case", "task").col("case_id").col("position").to_owned();
        let of_person = index("task_of_person", "task")
            .col("person_id")
            .col("template_id")
            .to_owned();
        let of_template = index("task_of_template", "task")
            .col("template_id")
            .col("template_version")
            .to_owned();
        let reused = index("task_reused", "task").col("reused_task_id").to_owned();
        let of_document = index("task_document_of_document", "task_document")
            .col("document_id")
            .to_owned();
        let queue = index("task_waiting_for_review", "task")
            .col("submitted_at")
            .col("id")
            .and_where(Expr::col("state").eq("SUBMITTED"))
            .to_owned();
        for index in [
            newest,
            of_client,
            of_case,
            of_person,
            of_template,
            reused,
            of_document,
            queue,
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

fn template() -> TableCreateStatement {
    Table::create()
        .table("task_template")
        .col(uuid("id"))
        .col(integer("version"))
        .col(boolean("newest"))
        .col(uuid_null("client_id"))
        .col(text_null("plan"))
        .col(text_null("talent"))
        .col(text_null("work"))
        .col(text_null("country_code"))
        .col(text("owner"))
        .col(text("title"))
        .col(text("why"))
        .col(text("kind"))
        .col(blob("form"))
        .col(boolean("reviewed"))
        .col(integer("valid_days"))
        .col(big_integer("created_at"))
        .col(big_integer_null("retired_at"))
        .primary_key(Index::create().col("id").col("version"))
        .check((
            "task_template_owner_is_known",
            Expr::cust("owner IN ('TALENT', 'CLIENT', 'PLATFORM')"),
        ))
        .check((
            "task_template_kind_is_known",
            Expr::cust("kind IN ('DOCUMENT_UPLOAD', 'AGREEMENT', 'QUESTIONNAIRE', 'CLASSIFICATION', 'IDENTITY')"),
        ))
        .check((
            "task_template_says_why",
            Expr::cust("title <> '' AND why <> '' AND version >= 1 AND valid_days >= 0"),
        ))
        .check((
            "task_template_classifies_each_contract",
            Expr::cust("kind <> 'CLASSIFICATION' OR valid_days = 0"),
        ))
        .check((
            "task_template_documents_of_talent",
            Expr::cust("owner = 'TALENT' OR kind IN ('AGREEMENT', 'QUESTIONNAIRE')"),
        ))
        .to_owned()
}

fn in_use() -> TableCreateStatement {
    Table::create()
        .table("task_template_in_use")
        .col(pk_uuid("client_id"))
        .col(big_integer("templates"))
        .check((
            "task_template_in_use_is_enough",
            Expr::cust("templates BETWEEN 0 AND 50"),
        ))
        .to_owned()
}

fn task() -> TableCreateStatement {
    let key = |name: &str, from: &'static str, to: &'static str| {
        let mut key = ForeignKey::create();
        key.name(name).from("task", from).to(to, "id").to_owned()
    };
    Table::create()
        .table("task")
        .col(pk_uuid("id"))
        .col(uuid("case_id"))
        .col(uuid("person_id"))
        .col(integer("position"))
        .col(uuid("template_id"))
        .col(integer("template_version"))
        .col(text("kind"))
        .col(text("state"))
        .col(big_integer("since"))
        .col(big_integer_null("not_before"))
        .col(blob_null("submission"))
        .col(big_integer_null("submitted_at"))
        .col(text_null("reviewer"))
        .col(big_integer_null("claimed_until"))
        .col(text_null("approval"))
        .col(uuid_null("reused_task_id"))
        .col(text_null("reject_reason"))
        .foreign_key(&mut key("task_of_case", "case_id", "onboarding_case"))
        .foreign_key(&mut key("task_of_person", "person_id", "person"))
        .foreign_key(&mut key("task_reused", "reused_task_id", "task"))
        .foreign_key(
            ForeignKey::create()
                .name("task_template")
                .from("task", ("template_id", "template_version"))
                .to("task_template", ("id", "version")),
        )
        .index(
            Index::create()
                .name("task_once_for_each_template")
                .unique()
                .col("case_id")
                .col("template_id"),
        )
        .check((
            "task_state_fits_what_is_known",
            Expr::cust(
                "(state IN ('TODO', 'STARTED') AND approval IS NULL AND reject_reason IS NULL AND claimed_until IS NULL) \
                 OR (state = 'SUBMITTED' AND approval IS NULL AND reject_reason IS NULL AND submission IS NOT NULL \
                 AND (reviewer IS NULL) = (claimed_until IS NULL)) \
                 OR (state = 'REJECTED' AND approval IS NULL AND reject_reason <> '' AND claimed_until IS NULL) \
                 OR (state = 'APPROVED' AND approval IN ('AUTOMATIC', 'REVIEWER', 'REUSED') AND reject_reason IS NULL \
                 AND submission IS NOT NULL AND claimed_until IS NULL)",
            ),
        ))
        .check((
            "task_approved_by_somebody",
            Expr::cust("approval IS NULL OR (approval = 'REVIEWER') = (reviewer IS NOT NULL)"),
        ))
        .check((
            "task_reused_from_another",
            Expr::cust("(approval IS NOT NULL AND approval = 'REUSED') = (reused_task_id IS NOT NULL)"),
        ))
        .check((
            "task_submitted_at_some_time",
            Expr::cust("(submission IS NULL) = (submitted_at IS NULL)"),
        ))
        .check((
            "task_classification_is_not_reused",
            Expr::cust("kind <> 'CLASSIFICATION' OR reused_task_id IS NULL"),
        ))
        .to_owned()
}

fn document() -> TableCreateStatement {
    Table::create()
        .table("task_document")
        .col(uuid("task_id"))
        .col(uuid("document_id"))
        .primary_key(Index::create().col("task_id").col("document_id"))
        .foreign_key(
            ForeignKey::create()
                .name("task_document_of_task")
                .from("task_document", "task_id")
                .to("task", "id"),
        )
        .foreign_key(
            ForeignKey::create()
                .name("task_document_of_document")
                .from("task_document", "document_id")
                .to("document", "id"),
        )
        .to_owned()
}

fn decision() -> TableCreateStatement {
    Table::create()
        .table("task_decision")
        .col(uuid("task_id"))
        .col(integer("number"))
        .col(text("reviewer"))
        .col(text("verdict"))
        .col(text("reason"))
        .col(big_integer("decided_at"))
        .col(blob("submission"))
        .primary_key(Index::create().col("task_id").col("number"))
        .foreign_key(
            ForeignKey::create()
                .name("task_decision_of_task")
                .from("task_decision", "task_id")
                .to("task", "id"),
        )
        .check((
            "task_decision_for_a_reason",
            Expr::cust("(verdict = 'APPROVE' AND reason = '') OR (verdict = 'REJECT' AND reason <> '')"),
        ))
        .to_owned()
}
