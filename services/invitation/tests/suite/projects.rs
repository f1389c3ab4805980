//! Projects: written, published, found, closed.

use tonic::{Code, Status};
use vouch_primitives::{PersonId, ReferrerId};
use vouch_proto::{
    common::v1::{self as common, contract_terms},
    convert::to_wire_time,
    invitation::v1::{self as pb, accept_invitation_request::Proof, project::State},
    referral::v1::ReferrerEnrolled,
};
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::{count, told},
    world::{World, at, cloud_invitation, fixed_terms, refusal, request_id, start, usd, violations},
};

on_both_databases! {
    a_project_is_written_published_and_closed,
    what_is_closed_stays_as_it_is,
    work_is_found_by_words_skills_and_pay,
    a_project_that_arrives_moves_no_page,
    a_project_of_a_cloud_is_its_members_alone,
    bad_requests_are_told_everything,
}

impl World {
    /// A project of this client, a draft.
    pub async fn draft(&self, request: pb::CreateProjectRequest) -> Result<pb::Project, Status> {
        let answer = self.projects.clone().create_project(request).await?;
        Ok(answer.into_inner().project.expect("a project"))
    }

    /// A project of this client that everybody can find.
    pub async fn project(&self, client: &str, title: &str, skills: &[&str]) -> pb::Project {
        let project = self.draft(project(client, title, skills)).await.expect("a project");
        self.publish(&project.id).await.expect("published")
    }

    pub async fn publish(&self, id: &str) -> Result<pb::Project, Status> {
        let request = pb::PublishProjectRequest {
            request_id: request_id(),
            project_id: id.to_owned(),
        };
        let answer = self.projects.clone().publish_project(request).await?;
        Ok(answer.into_inner().project.expect("a project"))
    }

    pub async fn close(&self, id: &str) -> pb::Project {
        let request = pb::CloseProjectRequest {
            request_id: request_id(),
            project_id: id.to_owned(),
        };
        let answer = self.projects.clone().close_project(request).await;
        answer.expect("closed").into_inner().project.expect("a project")
    }

    pub async fn share(&self, project: &str, person: PersonId, source: &str) -> Result<pb::ProjectShare, Status> {
        let request = pb::ShareProjectRequest {
            request_id: request_id(),
            project_id: project.to_owned(),
            person_id: person.to_string(),
            source: source.to_owned(),
        };
        let answer = self.projects.clone().share_project(request).await?;
        Ok(answer.into_inner().share.expect("a share"))
    }

    /// This person is enrolled in the referral programme, with this code.
    pub async fn enrol(&self, person: PersonId, code: &str) -> ReferrerId {
        let referrer = ReferrerId::new();
        let enrolled = ReferrerEnrolled {
            referrer_id: referrer.to_string(),
            person_id: person.to_string(),
            code: code.to_owned(),
            ..ReferrerEnrolled::default()
        };
        self.learn("referrer", "/vouch/referral", &enrolled).await;
        referrer
    }
}

fn project(client: &str, title: &str, skills: &[&str]) -> pb::CreateProjectRequest {
    let mut terms = fixed_terms();
    title.clone_into(&mut terms.project_name);
    pb::CreateProjectRequest {
        request_id: request_id(),
        client_id: client.to_owned(),
        terms: Some(terms),
        skills: skills.iter().map(|skill| (*skill).to_owned()).collect(),
        talent_cloud_id: String::new(),
    }
}

fn work(person: PersonId) -> pb::FindWorkRequest {
    pb::FindWorkRequest {
        person_id: person.to_string(),
        ..pb::FindWorkRequest::default()
    }
}

/// The titles of what is found, the newest first.
async fn find(world: &World, request: pb::FindWorkRequest) -> Vec<String> {
    let answer = world.projects.clone().find_work(request).await.expect("work");
    titles(answer.into_inner().projects)
}

fn titles(projects: Vec<pb::Project>) -> Vec<String> {
    let title = |project: pb::Project| project.terms.expect("terms").project_name;
    projects.into_iter().map(title).collect()
}

async fn view(world: &World, id: &str) -> Result<pb::Project, Status> {
    let request = pb::ViewProjectRequest {
        project_id: id.to_owned(),
    };
    let answer = world.projects.clone().view_project(request).await?;
    Ok(answer.into_inner().project.expect("a project"))
}

async fn a_project_is_written_published_and_closed(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let draft = world
        .draft(project(&client.id, "Logo", &["Ink", "CAD", "ink"]))
        .await
        .expect("a project");
    let expected = pb::Project {
        id: draft.id.clone(),
        client_id: client.id.clone(),
        company_name: "Acme".to_owned(),
        terms: project(&client.id, "Logo", &[]).terms,
        skills: vec!["cad".to_owned(), "ink".to_owned()],
        state: State::Draft.into(),
        create_time: Some(to_wire_time(start())),
        ..pb::Project::default()
    };
    assert_eq!(draft, expected);
    assert_eq!(
        refusal(view(&world, &draft.id).await).0,
        Code::NotFound,
        "it is a draft"
    );

    world.clock.set(at("2026-03-02T09:00:00Z")).expect("forwards");
    let published = world.publish(&draft.id).await.expect("published");
    let expected = pb::Project {
        state: State::Published.into(),
        publish_time: Some(to_wire_time(at("2026-03-02T09:00:00Z"))),
        ..expected
    };
    assert_eq!(published, expected);
    assert_eq!(world.publish(&draft.id).await.expect("published before"), expected);
    assert_eq!(view(&world, &draft.id).await.expect("public"), expected);

    let mut terms = fixed_terms();
    terms.project_name = "Poster".to_owned();
    let update = pb::UpdateProjectRequest {
        request_id: request_id(),
        project_id: draft.id.clone(),
        terms: Some(terms),
        ..pb::UpdateProjectRequest::default()
    };
    world.projects.clone().update_project(update).await.expect("updated");
    let poster = view(&world, &draft.id).await.expect("public");
    assert_eq!(
        (poster.terms.expect("terms").project_name, poster.skills),
        ("Poster".to_owned(), vec![])
    );

    let closed = world.close(&draft.id).await;
    assert_eq!(closed.state(), State::Closed);
    assert_eq!(world.close(&draft.id).await, closed);
    assert_eq!(refusal(view(&world, &draft.id).await).0, Code::NotFound);
    let get = pb::GetProjectRequest {
        project_id: draft.id.clone(),
    };
    let read = world.projects.clone().get_project(get).await.expect("its client's");
    assert_eq!(read.into_inner().project, Some(closed));
    let told: Vec<_> = told::<pb::ProjectChanged>(&world.db).await;
    let states: Vec<_> = told.iter().map(pb::ProjectChanged::state).collect();
    assert_eq!(states, [State::Draft, State::Published, State::Closed]);
    world.stop().await;
}

async fn what_is_closed_stays_as_it_is(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let logo = world.project(&client.id, "Logo", &[]).await;
    world.close(&logo.id).await;
    let update = pb::UpdateProjectRequest {
        request_id: request_id(),
        project_id: logo.id.clone(),
        terms: Some(fixed_terms()),
        ..pb::UpdateProjectRequest::default()
    };
    let closed = (Code::FailedPrecondition, "PROJECT_CLOSED".to_owned());
    assert_eq!(refusal(world.projects.clone().update_project(update).await), closed);
    assert_eq!(refusal(world.publish(&logo.id).await), closed);
    let other = world.draft(project(&client.id, "Draft", &[])).await.expect("a project");
    let list = |states: Vec<State>| pb::ListProjectsRequest {
        client_id: client.id.clone(),
        states: states.into_iter().map(Into::into).collect(),
        page_size: 1,
        page_token: String::new(),
    };
    let mut projects = world.projects.clone();
    let first = projects
        .list_projects(list(vec![]))
        .await
        .expect("projects")
        .into_inner();
    assert_eq!(first.projects, [other]);
    let next = pb::ListProjectsRequest {
        page_token: first.next_page_token,
        ..list(vec![])
    };
    let last = projects.list_projects(next).await.expect("projects").into_inner();
    assert_eq!(
        (titles(last.projects), last.next_page_token),
        (vec!["Logo".to_owned()], String::new())
    );
    let drafts = projects
        .list_projects(list(vec![State::Draft]))
        .await
        .expect("projects");
    assert_eq!(titles(drafts.into_inner().projects), ["Draft"]);
    world.stop().await;
}

// F7, F15
async fn work_is_found_by_words_skills_and_pay(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let ada = PersonId::new();
    world
        .project(&client.id, "A Logo for 100% of_us", &["ink", "c++"])
        .await;
    let mut by_the_hour = project(&client.id, "Piano lessons", &["ink", "rust"]);
    by_the_hour.terms.as_mut().expect("terms").pay = Some(contract_terms::Pay::Hourly(common::HourlyPay {
        rate: Some(usd(5_000)),
        weekly_limit_minutes: 600,
    }));
    let hourly = world.draft(by_the_hour).await.expect("a project");
    world.publish(&hourly.id).await.expect("published");
    world
        .draft(project(&client.id, "Not yet", &["ink"]))
        .await
        .expect("a draft");
    let gone = world.project(&client.id, "Gone", &["ink"]).await;
    world.close(&gone.id).await;

    let logo = "A Logo for 100% of_us".to_owned();
    let both = ["Piano lessons".to_owned(), logo.clone()];
    assert_eq!(find(&world, work(ada)).await, both);
    let words = |query: &str| pb::FindWorkRequest {
        query: query.to_owned(),
        ..work(ada)
    };
    assert_eq!(
        find(&world, words("LOGO memoir")).await,
        ["A Logo for 100% of_us"],
        "all words, whatever their case"
    );
    assert_eq!(find(&world, words("0% of_us")).await, ["A Logo for 100% of_us"]);
    for nothing in ["logo piano", "100_", "l%o", "\\"] {
        assert_eq!(find(&world, words(nothing)).await, [""; 0], "{nothing}");
    }
    let skilled = |skills: &[&str]| pb::FindWorkRequest {
        skills: skills.iter().map(|skill| (*skill).to_owned()).collect(),
        ..work(ada)
    };
    assert_eq!(find(&world, skilled(&["Ink"])).await, both);
    assert_eq!(find(&world, skilled(&["ink", "C++"])).await, ["A Logo for 100% of_us"]);
    assert_eq!(
        find(&world, skilled(&["in"])).await,
        [""; 0],
        "a part of a skill is none"
    );
    let paid = |kind: pb::PayKind| pb::FindWorkRequest {
        pay_kind: kind.into(),
        ..work(ada)
    };
    assert_eq!(find(&world, paid(pb::PayKind::Hourly)).await, ["Piano lessons"]);
    assert_eq!(find(&world, paid(pb::PayKind::Fixed)).await, ["A Logo for 100% of_us"]);

    world.stop().await;
}

async fn a_project_that_arrives_moves_no_page(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let ada = PersonId::new();
    for title in ["First", "Second"] {
        world.project(&client.id, title, &[]).await;
    }
    let page = |page_token: String| pb::FindWorkRequest {
        page_size: 1,
        page_token,
        ..work(ada)
    };
    let mut projects = world.projects.clone();
    let first = projects
        .find_work(page(String::new()))
        .await
        .expect("work")
        .into_inner();
    world.project(&client.id, "Latest", &[]).await;
    let second = projects
        .find_work(page(first.next_page_token))
        .await
        .expect("work")
        .into_inner();
    let shown = titles([first.projects, second.projects].concat());
    assert_eq!(
        (shown.as_slice(), second.next_page_token.as_str()),
        (["Second".to_owned(), "First".to_owned()].as_slice(), "")
    );
    world.stop().await;
}

async fn a_project_of_a_cloud_is_its_members_alone(database: TestDatabase) {
    let world = World::new(database).await;
    let client = world.acme().await;
    let cloud = world.cloud(&client.id, "Friends").await;
    let (ada, eve) = (PersonId::new(), PersonId::new());
    let invitation = world
        .send(cloud_invitation(&cloud, "ada@example.com"))
        .await
        .expect("an invitation");
    let secret = pb::CreateProjectRequest {
        talent_cloud_id: cloud.id.clone(),
        ..project(&client.id, "Among us", &[])
    };
    let secret = world.draft(secret).await.expect("a project");
    let secret = world.publish(&secret.id).await.expect("published");
    assert_eq!(find(&world, work(ada)).await, [""; 0], "only invited");
    let proof = Proof::VerifiedEmail("ada@example.com".to_owned());
    world.accept(&invitation.id, ada, proof).await.expect("accepted");
    assert_eq!(find(&world, work(ada)).await, ["Among us"]);
    assert_eq!(find(&world, work(eve)).await, [""; 0]);
    assert_eq!(refusal(view(&world, &secret.id).await).0, Code::NotFound);
    world.enrol(ada, "VCH2-K7QX").await;
    assert_eq!(
        refusal(world.share(&secret.id, ada, "").await).0,
        Code::NotFound,
        "no link leads there"
    );

    // Nobody else's cloud, and none that takes nobody any more.
    let other = world.client(pb::Plan::Enterprise).await;
    let strange = pb::CreateProjectRequest {
        talent_cloud_id: cloud.id.clone(),
        ..project(&other.id, "Strange", &[])
    };
    assert_eq!(refusal(world.draft(strange).await).0, Code::NotFound);
    let archive = pb::ArchiveTalentCloudRequest {
        request_id: request_id(),
        talent_cloud_id: cloud.id.clone(),
    };
    world
        .clouds
        .clone()
        .archive_talent_cloud(archive)
        .await
        .expect("archived");
    let late = pb::CreateProjectRequest {
        talent_cloud_id: cloud.id,
        ..project(&client.id, "Late", &[])
    };
    assert_eq!(
        refusal(world.draft(late).await),
        (Code::FailedPrecondition, "TALENT_CLOUD_ARCHIVED".to_owned())
    );
    world.stop().await;
}

async fn bad_requests_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let mut projects = world.projects.clone();
    let create = projects.create_project(pb::CreateProjectRequest {
        skills: vec!["ink".to_owned(), "a\nb".to_owned()],
        talent_cloud_id: "x".to_owned(),
        ..pb::CreateProjectRequest::default()
    });
    assert_eq!(
        violations(create.await),
        [
            "request_id REQUIRED",
            "client_id REQUIRED",
            "terms REQUIRED",
            "skills[1] INVALID_FORMAT",
            "talent_cloud_id INVALID_FORMAT",
        ]
    );
    let find = pb::FindWorkRequest {
        query: "x".repeat(201),
        skills: vec!["ink".to_owned(); 21],
        pay_kind: 9,
        ..work(PersonId::new())
    };
    assert_eq!(
        violations(world.projects.clone().find_work(find).await),
        ["query TOO_LONG", "skills TOO_LONG", "pay_kind OUT_OF_RANGE"]
    );
    assert_eq!(count(&world.db, "project").await, 0);
    world.stop().await;
}
