//! Each deed in each state of a task.

use vouch_primitives::{DocumentId, TaskTemplateId};

use super::*;
use crate::domain::form::{AgreementText, Documents};

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn upload() -> Form {
    Form::DocumentUpload(Documents {
        at_least: 1,
        at_most: 1,
    })
}

fn task(state: TaskState) -> Task {
    Task {
        id: TaskId::new(),
        case_id: CaseId::new(),
        template: TemplateVersion {
            id: TaskTemplateId::new(),
            version: 1,
        },
        owner: Owner::Talent,
        title: "Insurance".to_owned(),
        why: "Every contractor of Acme is insured.".to_owned(),
        form: upload().into(),
        reviewed: true,
        not_before: None,
        state,
        since: at("2026-03-01"),
        submission: None,
        submitted_at: None,
    }
}

fn paper() -> Submission {
    Submission {
        documents: vec![DocumentId::new()],
        ..Submission::default()
    }
}

fn claimed(reviewer: &str, until: Timestamp) -> TaskState {
    TaskState::Submitted(Some(Claim {
        reviewer: reviewer.to_owned(),
        until,
    }))
}

// B22, B24
#[test]
fn what_the_owner_may_do_in_each_state() {
    let now = at("2026-03-02");
    let rejected = || TaskState::Rejected("It is of last year.".to_owned());
    let approved = || TaskState::Approved(Approval::Automatic);
    for (state, started, handed_in) in [
        (TaskState::Todo, Ok(()), Err(TaskRefusal::NotStarted)),
        (TaskState::Started, Ok(()), Ok(())),
        (rejected(), Ok(()), Err(TaskRefusal::NotStarted)),
        (
            TaskState::Submitted(None),
            Err(TaskRefusal::UnderReview),
            Err(TaskRefusal::UnderReview),
        ),
        (approved(), Err(TaskRefusal::Confirmed), Err(TaskRefusal::Confirmed)),
    ] {
        let told = format!("{state:?}");
        assert_eq!(task(state.clone()).start(Owner::Talent, now), started, "{told}");
        assert_eq!(
            task(state.clone()).submit(Owner::Talent, paper(), now),
            handed_in,
            "{told}"
        );
        for other in [Owner::Client, Owner::Platform] {
            let not_theirs = Err(TaskRefusal::NotYours(Owner::Talent));
            let mut task = task(state.clone());
            assert_eq!(task.start(other, now), not_theirs, "{told}");
            assert_eq!(task.submit(other, paper(), now), not_theirs, "{told}");
            assert_eq!(task.state, state, "{told}");
        }
    }
    let mut flawed = task(TaskState::Started);
    let outcome = flawed.submit(Owner::Talent, Submission::default(), now);
    assert!(matches!(outcome, Err(TaskRefusal::Flawed(flaws)) if flaws.len() == 1));
    assert_eq!((flawed.state, flawed.submission), (TaskState::Started, None));
}

// B24, B25
#[test]
fn what_a_reviewer_may_do() {
    let (now, later) = (at("2026-03-02T09:00:00Z"), at("2026-03-02T09:30:00Z"));
    let mut task = task(TaskState::Started);
    assert_eq!(task.claim("jo", now), Err(TaskRefusal::NotSubmitted));
    assert_eq!(task.submit(Owner::Talent, paper(), now), Ok(()));
    assert_eq!(task.waits_for(), Some(Owner::Platform));
    assert_eq!(task.decide("jo", Verdict::Approve, now), Err(TaskRefusal::NotClaimed));
    assert_eq!(task.claim("jo", now), Ok(()));
    assert_eq!(task.claim("al", now), Err(TaskRefusal::ClaimedByAnother));
    assert_eq!(
        task.decide("al", Verdict::Approve, now),
        Err(TaskRefusal::ClaimedByAnother)
    );
    // A claim ends by itself, and the task is free for others.
    assert_eq!(task.decide("jo", Verdict::Approve, later), Err(TaskRefusal::NotClaimed));
    assert_eq!(task.claim("al", later), Ok(()));
    assert_eq!(task.state, claimed("al", at("2026-03-02T10:00:00Z")));
    let reason = "It is of last year.".to_owned();
    assert_eq!(task.decide("al", Verdict::Reject(reason.clone()), later), Ok(()));
    assert_eq!((task.state.clone(), task.since), (TaskState::Rejected(reason), later));
    assert_eq!(task.waits_for(), Some(Owner::Talent));
    assert_eq!(task.start(Owner::Talent, later), Ok(()));
    assert_eq!(task.submit(Owner::Talent, paper(), later), Ok(()));
    assert_eq!(task.claim("jo", later), Ok(()));
    assert_eq!(task.decide("jo", Verdict::Approve, later), Ok(()));
    assert_eq!(task.state, TaskState::Approved(Approval::Reviewer("jo".to_owned())));
    assert_eq!(task.waits_for(), None);
    assert_eq!(
        task.decide("jo", Verdict::Approve, later),
        Err(TaskRefusal::NotSubmitted)
    );
}

#[test]
fn without_a_review_what_is_handed_in_is_confirmed() {
    let mut task = task(TaskState::Started);
    task.reviewed = false;
    assert_eq!(task.submit(Owner::Talent, paper(), at("2026-03-02")), Ok(()));
    assert_eq!(task.state, TaskState::Approved(Approval::Automatic));
}

// F16
#[test]
fn a_classification_that_failed_is_tried_again_after_sixty_days() {
    let now = at("2026-03-02");
    let mut task = task(claimed("jo", at("2026-03-03")));
    task.form = Form::Classification(
        vec![],
        Documents {
            at_least: 0,
            at_most: 0,
        },
    )
    .into();
    assert_eq!(
        task.decide("jo", Verdict::Reject("An employee.".to_owned()), now),
        Ok(())
    );
    let again = at("2026-05-01");
    assert_eq!(task.not_before, Some(again));
    let moment = at("2026-04-30T23:59:59.999999Z");
    assert_eq!(task.start(Owner::Talent, moment), Err(TaskRefusal::TooSoon(again)));
    assert_eq!(task.start(Owner::Talent, again), Ok(()));
}

#[test]
fn an_answer_is_reused_as_long_as_it_is_valid_and_the_question_the_same() {
    let (given, now) = (at("2026-03-02"), at("2027-03-01"));
    let earlier = Task {
        submission: Some(paper()),
        submitted_at: Some(given),
        ..task(TaskState::Approved(Approval::Reviewer("jo".to_owned())))
    };
    let fresh = Task {
        id: TaskId::new(),
        template: earlier.template,
        ..task(TaskState::Todo)
    };
    let mut reused = fresh.clone();
    assert!(reused.reuse(&earlier, 365, now));
    assert_eq!(reused.state, TaskState::Approved(Approval::Reused(earlier.id)));
    assert_eq!(
        (&reused.submission, reused.submitted_at),
        (&earlier.submission, Some(given))
    );

    let classification = Form::Classification(
        vec![],
        Documents {
            at_least: 0,
            at_most: 1,
        },
    );
    let other_version = TemplateVersion {
        version: 2,
        ..earlier.template
    };
    let unlike = |change: &dyn Fn(&mut Task, &mut Task), valid_days, now| {
        let (mut task, mut earlier) = (fresh.clone(), earlier.clone());
        change(&mut task, &mut earlier);
        assert!(!task.reuse(&earlier, valid_days, now), "{task:?}");
        assert_eq!(task.state, TaskState::Todo);
    };
    unlike(&|_, _| {}, 365, at("2027-03-02"));
    unlike(&|_, _| {}, 0, now);
    unlike(&|task, _| task.template = other_version, 365, now);
    unlike(&|task, _| task.owner = Owner::Client, 365, now);
    unlike(&|task, _| task.form = classification.clone().into(), 365, now);
    unlike(&|_, earlier| earlier.state = TaskState::Submitted(None), 365, now);
    unlike(&|_, earlier| earlier.submitted_at = None, 365, now);
}

// B20, B21, B25
#[test]
fn a_client_is_shown_agreements_and_uploads_that_are_confirmed() {
    let documents = || Documents {
        at_least: 1,
        at_most: 1,
    };
    let text = AgreementText {
        version: "1".to_owned(),
        text: "I say nothing.".to_owned(),
    };
    let approved = || TaskState::Approved(Approval::Automatic);
    for (form, shown) in [
        (upload(), true),
        (Form::Agreement(text), true),
        (Form::Questionnaire(vec![]), false),
        (Form::Classification(vec![], documents()), false),
        (Form::Identity(documents()), false),
    ] {
        for (state, confirmed) in [
            (TaskState::Todo, false),
            (TaskState::Started, false),
            (TaskState::Submitted(None), false),
            (TaskState::Rejected("No".to_owned()), false),
            (approved(), true),
        ] {
            let mut task = task(state);
            task.form = form.clone().into();
            assert_eq!(task.is_shown_to_client(), shown && confirmed, "{task:?}");
            task.owner = Owner::Client;
            assert!(task.is_shown_to_client(), "{task:?}");
            task.owner = Owner::Platform;
            assert!(!task.is_shown_to_client(), "{task:?}");
        }
    }
}
