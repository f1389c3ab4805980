//! Where the tasks of a case come from, and which answers are there already.

use tonic::Code;
use vouch_proto::{
    convert::to_wire_time,
    invitation::v1::{Plan, TalentType},
    onboarding::v1::{self as pb, case, task},
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    callers::{acme, answered, classification, nda, operator, person, questionnaire},
    example::{activation, at, fixed_terms, request_id},
    tables::count,
    tasks::precondition,
    world::{World, refusal},
};

const ACME: &str = "019c0000-0000-7000-8000-00000000acae";

on_both_databases! {
    a_case_gets_the_tasks_that_are_for_it,
    an_answer_is_reused_for_a_year,
    a_classification_is_made_anew_and_not_too_soon,
    templates_are_versions,
    the_platform_writes_what_is_for_all,
    a_preview_goes_on_behind_a_template_that_has_gone,
}

// B4, F16
async fn a_case_gets_the_tasks_that_are_for_it(database: TestDatabase) {
    let world = World::new(database).await;
    let titled = |title: &str| pb::TaskTemplateContent {
        title: title.to_owned(),
        ..nda()
    };
    world.require(titled("everybody of Acme")).await;
    world.template("", titled("everybody")).await.expect("a template");
    let other = "019c0000-0000-7000-8000-0000000000ff";
    world
        .template(other, titled("of another client"))
        .await
        .expect("a template");
    require_of_some(&world, titled).await;
    let retired = world.require(titled("out of use")).await;
    let request = pb::RetireTaskTemplateRequest {
        request_id: request_id(),
        task_template_id: retired.id,
    };
    world
        .templates(acme())
        .retire_task_template(request)
        .await
        .expect("out of use");

    let (_, case) = world.ada().await;
    let titles: Vec<_> = world
        .tasks_of(&case.id)
        .await
        .into_iter()
        .map(|task| task.title)
        .collect();
    assert_eq!(
        titles,
        [
            "everybody",
            "everybody of Acme",
            "of the free plan",
            "by amounts",
            "in Britain"
        ]
    );
    let titles = preview(&world, &case).await;
    let expected = [
        "everybody",
        "everybody of Acme",
        "of an enterprise",
        "of agencies",
        "by the hour",
        "in Portugal",
    ];
    assert_eq!(titles, expected);
    world.stop().await;
}

async fn a_preview_goes_on_behind_a_template_that_has_gone(database: TestDatabase) {
    let world = World::new(database).await;
    let mut all = Vec::new();
    for (client, title) in [("", "everybody"), (ACME, "one"), (ACME, "two"), (ACME, "three")] {
        let titled = pb::TaskTemplateContent {
            title: title.to_owned(),
            ..nda()
        };
        all.push(world.template(client, titled).await.expect("a template"));
    }
    for gone in [0, 1] {
        let page = async |page_size, page_token: &str| {
            let request = pb::PreviewTasksRequest {
                client_id: ACME.to_owned(),
                plan: Plan::Basic.into(),
                talent_type: TalentType::Freelancer.into(),
                work: pb::WorkKind::Fixed.into(),
                country_code: "PT".to_owned(),
                page_size,
                page_token: page_token.to_owned(),
            };
            let answer = world.templates(acme()).preview_tasks(request).await;
            answer.expect("a preview").into_inner()
        };
        let last = all.remove(gone);
        let before = page(u32::try_from(gone).expect("small") + 1, "").await;
        assert_eq!(before.next_page_token, last.id);
        let retire = pb::RetireTaskTemplateRequest {
            request_id: request_id(),
            task_template_id: last.id,
        };
        let retired = world.templates(operator("jo")).retire_task_template(retire).await;
        retired.expect("out of use");
        let rest = page(0, &before.next_page_token).await.templates.into_iter();
        let rest: Vec<_> = rest.map(|template| template.id).collect();
        let expected: Vec<_> = all[gone..].iter().map(|template| template.id.clone()).collect();
        assert_eq!(rest, expected, "behind the one that has gone");
    }
    world.stop().await;
}

/// What an agency in Portugal would have to do for work by the hour of an enterprise.
async fn preview(world: &World, case: &pb::Case) -> Vec<String> {
    let request = pb::PreviewTasksRequest {
        client_id: case.client_id.clone(),
        plan: Plan::Enterprise.into(),
        talent_type: TalentType::Agency.into(),
        work: pb::WorkKind::Hourly.into(),
        country_code: "PT".to_owned(),
        ..Default::default()
    };
    let answer = world.templates(acme()).preview_tasks(request).await;
    let templates = answer.expect("a preview").into_inner().templates.into_iter();
    templates.map(|it| it.content.expect("content").title).collect()
}

/// Templates of which each is for some cases.
async fn require_of_some(world: &World, titled: impl Fn(&str) -> pb::TaskTemplateContent) {
    let mut enterprise = titled("of an enterprise");
    enterprise.set_plan(Plan::Enterprise);
    let mut basic = titled("of the free plan");
    basic.set_plan(Plan::Basic);
    let mut agency = titled("of agencies");
    agency.set_talent_type(TalentType::Agency);
    let mut hourly = titled("by the hour");
    hourly.set_work(pb::WorkKind::Hourly);
    let mut fixed = titled("by amounts");
    fixed.set_work(pb::WorkKind::Fixed);
    let mut abroad = titled("in Portugal");
    "PT".clone_into(&mut abroad.country_code);
    let mut here = titled("in Britain");
    "GB".clone_into(&mut here.country_code);
    for content in [enterprise, basic, agency, hourly, fixed, abroad, here] {
        world.require(content).await;
    }
}

/// Ada hands in an answer that is confirmed.
async fn answer(world: &World, case: &pb::Case) {
    let ada = person(&case.person_id);
    world.review(&case.id).await.expect("reviewed");
    let task = world.tasks_of(&case.id).await.remove(0);
    world.start(&ada, &task).await.expect("started");
    world.submit(&ada, &task, answered(true)).await.expect("handed in");
    world.claim("jo", &task).await.expect("claimed");
    world.approve("jo", &task).await.expect("confirmed");
}

/// Another case of Ada's.
async fn another(world: &World, ada: &str) -> pb::Case {
    let invitation = world.invitations.send("ada@example.com", fixed_terms());
    world.open_case(ada, &invitation.id).await.expect("a case")
}

async fn an_answer_is_reused_for_a_year(database: TestDatabase) {
    let world = World::new(database).await;
    world.template("", questionnaire()).await.expect("a template");
    let (ada, first) = world.ada().await;
    answer(&world, &first).await;
    let given = world.tasks_of(&first.id).await.remove(0);
    let mails = count(&world.db, "mail").await;

    world.wait_until(at("2027-03-01T08:59:59Z"));
    let second = another(&world, &ada.id).await;
    let reused = world.tasks_of(&second.id).await.remove(0);
    assert_eq!(
        (reused.state(), &reused.reused_task_id),
        (task::State::Approved, &given.id)
    );
    assert_eq!(
        (&reused.submission, &reused.submit_time),
        (&given.submission, &given.submit_time)
    );
    let reviewed = world.review(&second.id).await.expect("reviewed");
    assert_eq!(reviewed.state(), case::State::AcceptOffer, "nothing is left to do");
    assert_eq!(
        count(&world.db, "mail").await,
        mails,
        "and nobody has confirmed anything"
    );

    world.wait_until(at("2027-03-01T09:00:00Z"));
    let third = another(&world, &ada.id).await;
    assert_eq!(world.tasks_of(&third.id).await[0].state(), task::State::Todo);
    world.stop().await;
}

// F16
async fn a_classification_is_made_anew_and_not_too_soon(database: TestDatabase) {
    let world = World::new(database).await;
    world.template("", classification()).await.expect("a template");
    let (ada, first) = world.ada().await;
    answer(&world, &first).await;
    let second = another(&world, &ada.id).await;
    let anew = world.tasks_of(&second.id).await.remove(0);
    assert_eq!(anew.state(), task::State::Todo, "each contract is classified anew");

    let caller = person(&ada.id);
    world.review(&second.id).await.expect("reviewed");
    world.start(&caller, &anew).await.expect("started");
    world.submit(&caller, &anew, answered(false)).await.expect("handed in");
    world.claim("jo", &anew).await.expect("claimed");
    let failed = world
        .reject("jo", &anew, "This is employment.")
        .await
        .expect("rejected");
    assert_eq!(failed.not_before_time, Some(to_wire_time(at("2026-04-30T09:00:00Z"))));
    assert_eq!(
        refusal(world.start(&caller, &anew).await),
        precondition("CLASSIFICATION_TOO_SOON")
    );
    // Not with another offer either.
    world.wait_until(at("2026-04-15"));
    let third = another(&world, &ada.id).await;
    world.review(&third.id).await.expect("reviewed");
    let later = world.tasks_of(&third.id).await.remove(0);
    assert_eq!(
        refusal(world.start(&caller, &later).await),
        precondition("CLASSIFICATION_TOO_SOON")
    );
    world.wait_until(at("2026-04-30T09:00:00Z"));
    world.start(&caller, &later).await.expect("sixty days have passed");
    world.stop().await;
}

async fn templates_are_versions(database: TestDatabase) {
    let world = World::new(database).await;
    let template = world.require(nda()).await;
    let (_, before) = world.ada().await;
    let content = pb::TaskTemplateContent {
        title: "NDA, again".to_owned(),
        ..nda()
    };
    let request = pb::UpdateTaskTemplateRequest {
        request_id: request_id(),
        task_template_id: template.id.clone(),
        content: Some(content),
    };
    let stranger =
        vouch_runtime::access::Caller::Client("019c0000-0000-7000-8000-0000000000ff".parse().expect("an id"));
    let refused = world.templates(stranger).update_task_template(request.clone()).await;
    assert_eq!(refusal(refused), (Code::NotFound, "NOT_FOUND".to_owned()));
    let updated = world
        .templates(acme())
        .update_task_template(request)
        .await
        .expect("a version");
    assert_eq!(updated.into_inner().template.expect("a template").version, 2);
    let kept = world.tasks_of(&before.id).await.remove(0);
    assert_eq!(
        (kept.title.as_str(), kept.template_version),
        ("NDA", 1),
        "a case keeps what it was opened with"
    );

    let invitation = world.invitations.send("bob@example.com", fixed_terms());
    let activated = world
        .activate(activation(&invitation, "bob@example.com"))
        .await
        .expect("an account");
    let later = world.tasks_of(&activated.case.expect("a case").id).await.remove(0);
    assert_eq!((later.title.as_str(), later.template_version), ("NDA, again", 2));

    let request = pb::RetireTaskTemplateRequest {
        request_id: request_id(),
        task_template_id: template.id.clone(),
    };
    world
        .templates(acme())
        .retire_task_template(request)
        .await
        .expect("out of use");
    let request = pb::UpdateTaskTemplateRequest {
        request_id: request_id(),
        task_template_id: template.id,
        content: Some(nda()),
    };
    let refused = world.templates(acme()).update_task_template(request).await;
    assert_eq!(refusal(refused), precondition("TASK_TEMPLATE_RETIRED"));
    let list = async |include_retired| {
        let request = pb::ListTaskTemplatesRequest {
            client_id: before.client_id.clone(),
            include_retired,
            ..Default::default()
        };
        let answer = world.templates(acme()).list_task_templates(request).await;
        answer.expect("a list").into_inner().templates.len()
    };
    assert_eq!((list(false).await, list(true).await), (0, 1));
    world.stop().await;
}

// B4
async fn the_platform_writes_what_is_for_all(database: TestDatabase) {
    let world = World::new(database).await;
    let platform = pb::CreateTaskTemplateRequest {
        request_id: request_id(),
        client_id: String::new(),
        content: Some(nda()),
    };
    let refused = world.templates(acme()).create_task_template(platform).await;
    assert_eq!(refusal(refused), (Code::PermissionDenied, "NOT_YOURS".to_owned()));
    world.stop().await;
}
