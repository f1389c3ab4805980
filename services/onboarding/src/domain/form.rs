//! What a task asks for, and whether an answer gives it.

use std::{collections::BTreeMap, ops::RangeInclusive};

use vouch_primitives::DocumentId;

/// How long a text answer may be, in characters.
pub const ANSWER_LENGTH: RangeInclusive<usize> = 1..=5_000;
/// How many questions a form may have.
pub const MAX_QUESTIONS: usize = 50;
/// How large all that a form says may be, in bytes as it is kept and sent: a case has a hundred of them.
pub const MAX_FORM_BYTES: usize = 128 * 1024;
/// How many documents one task may ask for.
pub const MAX_DOCUMENTS: u32 = 20;

/// What a task asks for; its kind follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Documents to upload, such as a certificate of insurance [B20].
    DocumentUpload(Documents),
    /// A text to agree to, such as an NDA [B21].
    Agreement(AgreementText),
    /// Questions to answer [F16].
    Questionnaire(Vec<Question>),
    /// Questions and business documents that tell whether the talent is an independent contractor [F16].
    Classification(Vec<Question>, Documents),
    /// Documents that show who somebody is.
    Identity(Documents),
}

/// How many documents are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Documents {
    /// At least so many.
    pub at_least: u32,
    /// At most so many.
    pub at_most: u32,
}

/// A text that somebody agrees to, word by word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreementText {
    /// Its version, as its author counts.
    pub version: String,
    /// The text.
    pub text: String,
}

/// A question of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its name, by which it is answered; no other of the form has it.
    pub name: String,
    /// The question, as it is read.
    pub text: String,
    /// What answers it.
    pub wants: Wants,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What answers a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Yes or no.
    YesOrNo,
    /// Words.
    Text,
    /// One of these.
    Choice(Vec<String>),
}

/// An answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Yes or no.
    YesOrNo(bool),
    /// Words, or one of the choices.
    Text(String),
}

/// What somebody hands in for a task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    /// The documents, each once.
    pub documents: Vec<DocumentId>,
    /// The answers, by the names of the questions.
    pub answers: BTreeMap<String, Answer>,
    /// The name with which they agree, typed; and to which version of the text.
    pub signature: Option<Signature>,
}

/// A typed signature under a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The name, as it was typed.
    pub name: String,
    /// The version of the text that was read.
    pub text_version: String,
}

/// Something that is wrong with a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Where: `document_ids`, `signature`, `signature.text_version`, `answers`, `answers[name]`.
    pub field: String,
    /// What.
    pub why: FlawKind,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlawKind {
    /// The form asks for it, and it is not there.
    Missing,
    /// The form does not ask for it.
    NotAskedFor,
    /// It is there, but not of the kind that the form asks for.
    WrongKind,
    /// There are fewer or more than the form asks for.
    WrongNumber,
    /// It is of another version of the text.
    Outdated,
    /// It is there twice.
    Repeated,
    /// It is no document of theirs that can be handed in.
    Unknown,
}

impl Form {
    /// The kind's name, as in the database and on the wire.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::DocumentUpload(_) => "DOCUMENT_UPLOAD",
            Self::Agreement(_) => "AGREEMENT",
            Self::Questionnaire(_) => "QUESTIONNAIRE",
            Self::Classification(..) => "CLASSIFICATION",
            Self::Identity(_) => "IDENTITY",
        }
    }

    /// Whether it is a classification, which each contract needs anew [default].
    #[must_use]
    pub const fn is_classification(&self) -> bool {
        matches!(self, Self::Classification(..))
    }

    /// All that is wrong with a submission; nothing if it gives what is asked for.
    #[must_use]
    pub fn flaws(&self, submission: &Submission) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        self.check_documents(submission, &mut flaws);
        self.check_signature(submission, &mut flaws);
        self.check_answers(submission, &mut flaws);
        flaws
    }

    fn documents(&self) -> Option<&Documents> {
        match self {
            Self::DocumentUpload(documents) | Self::Identity(documents) | Self::Classification(_, documents) => {
                Some(documents)
            }
            Self::Agreement(_) | Self::Questionnaire(_) => None,
        }
    }

    fn questions(&self) -> &[Question] {
        match self {
            Self::Questionnaire(questions) | Self::Classification(questions, _) => questions,
            Self::DocumentUpload(_) | Self::Agreement(_) | Self::Identity(_) => &[],
        }
    }

    fn check_documents(&self, submission: &Submission, flaws: &mut Vec<Flaw>) {
        let given = &submission.documents;
        let mut distinct = given.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let count = u32::try_from(given.len()).unwrap_or(u32::MAX);
        let why = match self.documents() {
            None if count > 0 => Some(FlawKind::NotAskedFor),
            Some(wanted) if count == 0 && wanted.at_least > 0 => Some(FlawKind::Missing),
            Some(wanted) if !(wanted.at_least..=wanted.at_most).contains(&count) => Some(FlawKind::WrongNumber),
            _ if distinct.len() < given.len() => Some(FlawKind::Repeated),
            _ => None,
        };
        flaws.extend(why.map(|why| flaw("document_ids", why)));
    }

    fn check_signature(&self, submission: &Submission, flaws: &mut Vec<Flaw>) {
        match (self, &submission.signature) {
            (Self::Agreement(_), None) => flaws.push(flaw("signature", FlawKind::Missing)),
            (Self::Agreement(text), Some(signature)) if signature.text_version != text.version => {
                flaws.push(flaw("signature.text_version", FlawKind::Outdated));
            }
            (Self::Agreement(_), Some(_)) | (_, None) => {}
            (_, Some(_)) => flaws.push(flaw("signature", FlawKind::NotAskedFor)),
        }
    }

    fn check_answers(&self, submission: &Submission, flaws: &mut Vec<Flaw>) {
        let questions = self.questions();
        for question in questions {
            let why = match (submission.answers.get(&question.name), &question.wants) {
                (None, _) if question.optional => continue,
                (None, _) => FlawKind::Missing,
                (Some(Answer::YesOrNo(_)), Wants::YesOrNo) | (Some(Answer::Text(_)), Wants::Text) => continue,
                (Some(Answer::Text(text)), Wants::Choice(choices)) if choices.contains(text) => continue,
                (Some(_), _) => FlawKind::WrongKind,
            };
            flaws.push(flaw(&format!("answers[{}]", question.name), why));
        }
        let asked = |name: &String| questions.iter().any(|question| question.name == *name);
        for name in submission.answers.keys().filter(|name| !asked(name)) {
            flaws.push(flaw(&format!("answers[{name}]"), FlawKind::NotAskedFor));
        }
    }
}

fn flaw(field: &str, why: FlawKind) -> Flaw {
    let field = field.to_owned();
    Flaw { field, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(name: &str, wants: Wants, optional: bool) -> Question {
        Question {
            name: name.to_owned(),
            text: "Well?".to_owned(),
            wants,
            optional,
        }
    }

    fn classification() -> Form {
        let choices = Wants::Choice(vec!["Sole trader".to_owned(), "Company".to_owned()]);
        let questions = vec![
            question("own_tools", Wants::YesOrNo, false),
            question("form", choices, false),
            question("more", Wants::Text, true),
        ];
        let documents = Documents {
            at_least: 1,
            at_most: 2,
        };
        Form::Classification(questions, documents)
    }

    fn good() -> Submission {
        Submission {
            documents: vec![DocumentId::new()],
            answers: BTreeMap::from([
                ("own_tools".to_owned(), Answer::YesOrNo(true)),
                ("form".to_owned(), Answer::Text("Company".to_owned())),
            ]),
            signature: None,
        }
    }

    fn told(form: &Form, submission: &Submission) -> Vec<(String, FlawKind)> {
        let flaws = form.flaws(submission).into_iter();
        flaws.map(|flaw| (flaw.field, flaw.why)).collect()
    }

    // F16
    #[test]
    fn a_classification_takes_answers_and_documents() {
        let form = classification();
        assert_eq!(told(&form, &good()), []);
        let spoil = |spoil: fn(&mut Submission)| {
            let mut submission = good();
            spoil(&mut submission);
            told(&classification(), &submission)
        };
        let one = |field: &str, why| vec![(field.to_owned(), why)];
        assert_eq!(spoil(|it| it.documents.clear()), one("document_ids", FlawKind::Missing));
        assert_eq!(
            spoil(|it| it.documents = (0..3).map(|_| DocumentId::new()).collect()),
            one("document_ids", FlawKind::WrongNumber)
        );
        assert_eq!(
            spoil(|it| it.documents.push(it.documents[0])),
            one("document_ids", FlawKind::Repeated)
        );
        assert_eq!(
            spoil(|it| drop(it.answers.remove("own_tools"))),
            one("answers[own_tools]", FlawKind::Missing)
        );
        assert_eq!(
            spoil(|it| drop(it.answers.insert("form".to_owned(), Answer::Text("Guild".to_owned())))),
            one("answers[form]", FlawKind::WrongKind)
        );
        assert_eq!(
            spoil(|it| drop(it.answers.insert("more".to_owned(), Answer::YesOrNo(true)))),
            one("answers[more]", FlawKind::WrongKind)
        );
        assert_eq!(
            spoil(|it| drop(it.answers.insert("age".to_owned(), Answer::YesOrNo(true)))),
            one("answers[age]", FlawKind::NotAskedFor)
        );
    }

    // B20, B21
    #[test]
    fn an_agreement_is_signed_in_the_version_that_stands() {
        let form = Form::Agreement(AgreementText {
            version: "2".to_owned(),
            text: "Say nothing.".to_owned(),
        });
        let signed = |text_version: &str| Submission {
            signature: Some(Signature {
                name: "Ada Lovelace".to_owned(),
                text_version: text_version.to_owned(),
            }),
            ..Submission::default()
        };
        assert_eq!(told(&form, &signed("2")), []);
        let outdated = ("signature.text_version".to_owned(), FlawKind::Outdated);
        assert_eq!(told(&form, &signed("1")), [outdated]);
        let missing = ("signature".to_owned(), FlawKind::Missing);
        assert_eq!(told(&form, &Submission::default()), [missing]);
        let mut more = signed("2");
        more.documents.push(DocumentId::new());
        assert_eq!(told(&form, &more), [("document_ids".to_owned(), FlawKind::NotAskedFor)]);
        let documents = Form::DocumentUpload(Documents {
            at_least: 0,
            at_most: 1,
        });
        assert_eq!(told(&documents, &Submission::default()), []);
        let unasked = ("signature".to_owned(), FlawKind::NotAskedFor);
        assert_eq!(told(&documents, &signed("2")), [unasked]);
    }
}
