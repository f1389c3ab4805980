//! What tasks ask for.

use std::ops::RangeInclusive;

use vouch_proto::{Fields, Violations, onboarding::v1 as pb};

use crate::domain::{
    Form, Question,
    form::{AgreementText, Documents, MAX_DOCUMENTS, MAX_QUESTIONS, Wants},
};

/// How long the text of an agreement may be, in characters.
const AGREEMENT_LENGTH: RangeInclusive<usize> = 1..=50_000;
/// How long a question may be, in characters.
const QUESTION_LENGTH: RangeInclusive<usize> = 1..=1_000;
/// How long the name of a question may be, and the version of a text.
const SHORT: RangeInclusive<usize> = 1..=50;
/// How many choices a question may offer, and how long each may be.
const CHOICES: RangeInclusive<usize> = 2..=50;
const CHOICE_LENGTH: RangeInclusive<usize> = 1..=200;

impl TryFrom<pb::TaskForm> for Form {
    type Error = Violations;

    fn try_from(wire: pb::TaskForm) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(form) = form(&mut fields, wire) else {
            return Err(fields.into());
        };
        fields.finish(form)
    }
}

/// Reads what a task asks for.
pub fn form(fields: &mut Fields, wire: pb::TaskForm) -> Option<Form> {
    use pb::task_form::Form as Wire;
    match wire.form {
        Some(Wire::DocumentUpload(wire)) => fields
            .within("document_upload", |fields| documents(fields, wire, 1))
            .map(Form::DocumentUpload),
        Some(Wire::Identity(wire)) => fields
            .within("identity", |fields| documents(fields, wire, 1))
            .map(Form::Identity),
        Some(Wire::Agreement(wire)) => fields.within("agreement", |fields| {
            let version = fields.line("text_version", &wire.text_version, SHORT);
            let text = fields.text("text", &wire.text, AGREEMENT_LENGTH);
            let (version, text) = version.zip(text)?;
            Some(Form::Agreement(AgreementText { version, text }))
        }),
        Some(Wire::Questionnaire(wire)) => fields
            .within("questionnaire", |fields| questions(fields, wire.questions, 1))
            .map(Form::Questionnaire),
        Some(Wire::Classification(wire)) => fields.within("classification", |fields| {
            let questions = questions(fields, wire.questions, 0);
            let wanted = wire.documents.unwrap_or_default();
            let documents = fields.within("documents", |fields| documents(fields, wanted, 0));
            let (questions, documents) = questions.zip(documents)?;
            if questions.is_empty() && documents.at_most == 0 {
                fields.refuse("questions", "REQUIRED", "must be there, or documents");
            }
            Some(Form::Classification(questions, documents))
        }),
        None => {
            fields.refuse("form", "REQUIRED", "is required");
            None
        }
    }
}

impl From<Form> for pb::TaskForm {
    fn from(form: Form) -> Self {
        use pb::task_form::Form as Wire;
        let form = match form {
            Form::DocumentUpload(documents) => Wire::DocumentUpload(documents.into()),
            Form::Identity(documents) => Wire::Identity(documents.into()),
            Form::Agreement(AgreementText { version, text }) => Wire::Agreement(pb::AgreementForm {
                text_version: version,
                text,
            }),
            Form::Questionnaire(questions) => Wire::Questionnaire(pb::QuestionnaireForm {
                questions: questions.into_iter().map(Into::into).collect(),
            }),
            Form::Classification(questions, documents) => Wire::Classification(pb::ClassificationForm {
                questions: questions.into_iter().map(Into::into).collect(),
                documents: Some(documents.into()),
            }),
        };
        Self { form: Some(form) }
    }
}

impl From<Documents> for pb::DocumentsForm {
    fn from(documents: Documents) -> Self {
        Self {
            min_count: documents.at_least,
            max_count: documents.at_most,
        }
    }
}

impl From<Question> for pb::Question {
    fn from(question: Question) -> Self {
        use pb::question::Wants as Wire;
        let wants = match question.wants {
            Wants::YesOrNo => Wire::YesOrNo(pb::YesOrNo {}),
            Wants::Text => Wire::FreeText(pb::FreeText {}),
            Wants::Choice(options) => Wire::Choice(pb::Choice { options }),
        };
        Self {
            name: question.name,
            text: question.text,
            optional: question.optional,
            wants: Some(wants),
        }
    }
}

fn documents(fields: &mut Fields, wire: pb::DocumentsForm, fewest: u32) -> Option<Documents> {
    let (at_least, at_most) = (wire.min_count, wire.max_count);
    if !(fewest..=MAX_DOCUMENTS).contains(&at_most) {
        let told = format!("must be {fewest} to {MAX_DOCUMENTS}");
        fields.refuse("max_count", "OUT_OF_RANGE", told);
        return None;
    }
    if at_least > at_most {
        fields.refuse("min_count", "OUT_OF_RANGE", "must not be above max_count");
        return None;
    }
    Some(Documents { at_least, at_most })
}

fn questions(fields: &mut Fields, wire: Vec<pb::Question>, fewest: usize) -> Option<Vec<Question>> {
    if wire.len() < fewest || wire.len() > MAX_QUESTIONS {
        let told = format!("must be {fewest} to {MAX_QUESTIONS}");
        fields.refuse("questions", "OUT_OF_RANGE", told);
        return None;
    }
    let mut questions: Vec<Option<Question>> = Vec::new();
    for (at, wire) in wire.into_iter().enumerate() {
        let field = format!("questions[{at}]");
        let read = fields.within(&field, |fields| question(fields, wire));
        let same = |other: &Option<Question>| {
            let names = other.as_ref().zip(read.as_ref());
            names.is_some_and(|(other, read)| other.name == read.name)
        };
        if questions.iter().any(same) {
            fields.refuse(&format!("{field}.name"), "DUPLICATE", "is the name of another question");
        }
        questions.push(read);
    }
    questions.into_iter().collect()
}

fn question(fields: &mut Fields, wire: pb::Question) -> Option<Question> {
    use pb::question::Wants as Wire;
    let name = fields.line("name", &wire.name, SHORT);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.as_ref().is_some_and(|name| !name.chars().all(plain)) {
        fields.refuse(
            "name",
            "INVALID_FORMAT",
            "must be lower-case letters, digits and underscores",
        );
    }
    let text = fields.text("text", &wire.text, QUESTION_LENGTH);
    let wants = match wire.wants {
        Some(Wire::YesOrNo(_)) => Some(Wants::YesOrNo),
        Some(Wire::FreeText(_)) => Some(Wants::Text),
        Some(Wire::Choice(choice)) => fields
            .within("choice", |fields| choices(fields, &choice.options))
            .map(Wants::Choice),
        None => {
            fields.refuse("wants", "REQUIRED", "is required");
            None
        }
    };
    Some(Question {
        name: name?,
        text: text?,
        wants: wants?,
        optional: wire.optional,
    })
}

fn choices(fields: &mut Fields, wire: &[String]) -> Option<Vec<String>> {
    if !CHOICES.contains(&wire.len()) {
        fields.refuse("options", "OUT_OF_RANGE", "must be 2 to 50");
        return None;
    }
    let mut options: Vec<String> = Vec::new();
    for (at, option) in wire.iter().enumerate() {
        let field = format!("options[{at}]");
        let option = fields.line(&field, option, CHOICE_LENGTH)?;
        if options.contains(&option) {
            fields.refuse(&field, "DUPLICATE", "is there already");
        }
        options.push(option);
    }
    Some(options)
}
