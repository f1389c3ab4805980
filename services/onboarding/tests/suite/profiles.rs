//! Talent profiles: saved as one goes, and seen by whom their owner says.

use futures::future::join_all;
use tonic::Code;
use vouch_onboarding::{
    domain::{ProfileRefusal, SectionKind},
    store::profiles as store,
};
use vouch_primitives::{AccountId, PersonId};
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{self as pb, profile_section::State, save_section_request::Section},
};
use vouch_runtime::access::Caller;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    example::{at, request_id},
    tables::count,
    world::{
        World, refusal,
        talent::{able_to, headline, hourly, money, precondition},
        violations,
    },
};

on_both_databases! {
    a_profile_is_gone_on_with,
    every_section_is_read_as_it_was_saved,
    what_is_half_done_is_finished_or_discarded,
    a_freelancer_is_seen_by_an_act_of_theirs,
    an_agency_is_never_private,
    a_profile_is_its_owners_alone,
    saving_again_is_no_mistake,
    what_is_saved_at_once_is_all_kept,
    bad_profiles_are_told_everything,
}

fn states(profile: &pb::TalentProfile) -> Vec<State> {
    profile.sections.iter().map(pb::ProfileSection::state).collect()
}

// B43, B50, F13
async fn a_profile_is_gone_on_with(database: TestDatabase) {
    use State::{Complete, NotStarted, Started};
    let mut world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    let fresh = world.profile(&ada.account_id).await.expect("a profile");
    assert_eq!(states(&fresh), [NotStarted; 5]);
    assert_eq!(
        (fresh.completeness_percent, fresh.next_section()),
        (0, pb::SectionKind::Headline)
    );
    assert_eq!(count(&world.db, "talent_profile").await, 0, "reading makes nothing");

    let half = Section::Headline(pb::Headline {
        title: "Analyst".to_owned(),
        overview: String::new(),
    });
    world
        .save_section(&ada.account_id, half, false)
        .await
        .expect("half a headline");
    world.die_and_start_again().await;
    let resumed = world.profile(&ada.account_id).await.expect("a profile");
    assert_eq!(
        states(&resumed),
        [Started, NotStarted, NotStarted, NotStarted, NotStarted]
    );
    let Some(pb::profile_section::Contents::Headline(saved)) = &resumed.sections[0].contents else {
        panic!("no headline: {resumed:?}")
    };
    assert_eq!((saved.title.as_str(), saved.overview.as_str()), ("Analyst", ""));

    world.describe(&ada.account_id, "Analyst", &["ink"]).await;
    let profile = world.profile(&ada.account_id).await.expect("a profile");
    assert_eq!(
        states(&profile),
        [Complete, Complete, NotStarted, NotStarted, NotStarted]
    );
    assert_eq!(
        (profile.completeness_percent, profile.next_section()),
        (40, pb::SectionKind::Experience)
    );
    world.stop().await;
}

async fn every_section_is_read_as_it_was_saved(database: TestDatabase) {
    use pb::profile_section::Contents;
    let world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    let position = pb::Position {
        company: "Engine Works".to_owned(),
        title: "Analyst".to_owned(),
        start_time: Some(to_wire_time(at("2020-05-06"))),
        end_time: Some(to_wire_time(at("2024-01-02"))),
    };
    let experience = pb::Experience {
        positions: vec![
            position.clone(),
            pb::Position {
                end_time: None,
                ..position
            },
        ],
    };
    let portfolio = pb::Portfolio {
        items: vec![pb::PortfolioItem {
            title: "Notes".to_owned(),
            description: "On the engine.\nWith notes.".to_owned(),
            url: "https://notes.example/engine?page=1".to_owned(),
        }],
    };
    let skills = pb::Skills {
        names: vec!["C++".to_owned(), "Résumés".to_owned()],
    };
    let rate = pb::Rate {
        hourly_rate: Some(money(12_500, "EUR")),
    };
    let mut percent = 0;
    for (section, contents) in [
        (Section::Skills(skills.clone()), Contents::Skills(skills)),
        (
            Section::Experience(experience.clone()),
            Contents::Experience(experience),
        ),
        (Section::Rate(rate.clone()), Contents::Rate(rate)),
        (Section::Portfolio(portfolio.clone()), Contents::Portfolio(portfolio)),
    ] {
        world
            .save_section(&ada.account_id, section, true)
            .await
            .expect("a section");
        let profile = world.profile(&ada.account_id).await.expect("a profile");
        assert!(
            profile
                .sections
                .iter()
                .any(|section| section.contents == Some(contents.clone())),
            "{contents:?} is not in {profile:?}"
        );
        percent += 20;
        assert_eq!(profile.completeness_percent, percent);
        assert_eq!(profile.next_section(), pb::SectionKind::Headline);
    }
    let whole = world.save_section(&ada.account_id, headline("Analyst"), true).await;
    let whole = whole.expect("a profile");
    assert_eq!(
        (whole.completeness_percent, whole.next_section()),
        (100, pb::SectionKind::Unspecified)
    );
    world.stop().await;
}

// B43, B50
async fn what_is_half_done_is_finished_or_discarded(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    let account: AccountId = ada.account_id.parse().expect("an id");
    let may_skip = async || {
        let profile = store::find_or_empty(world.db.reader(), account).await;
        profile.expect("a profile").may_skip()
    };
    assert_eq!(may_skip().await, Ok(()), "from zero");
    world.describe(&ada.account_id, "Analyst", &["ink"]).await;
    assert_eq!(may_skip().await, Ok(()));
    let half = Section::Skills(pb::Skills::default());
    world.save_section(&ada.account_id, half, false).await.expect("started");
    assert_eq!(may_skip().await, Err(ProfileRefusal::HalfDone(SectionKind::Skills)));

    let back = world.discard_section(&ada.account_id, pb::SectionKind::Skills).await;
    let back = back.expect("discarded");
    assert_eq!(back.sections[1].state(), State::Complete);
    let ink = pb::Skills {
        names: vec!["ink".to_owned()],
    };
    assert_eq!(
        back.sections[1].contents,
        Some(pb::profile_section::Contents::Skills(ink))
    );
    assert_eq!(may_skip().await, Ok(()));

    let half = Section::Rate(pb::Rate { hourly_rate: None });
    world.save_section(&ada.account_id, half, false).await.expect("started");
    assert_eq!(may_skip().await, Err(ProfileRefusal::HalfDone(SectionKind::Rate)));
    for _ in 0..2 {
        let back = world.discard_section(&ada.account_id, pb::SectionKind::Rate).await;
        assert_eq!(back.expect("discarded").sections[3].state(), State::NotStarted);
    }
    assert_eq!(count(&world.db, "profile_section").await, 2);
    assert_eq!(
        world
            .profile(&ada.account_id)
            .await
            .expect("a profile")
            .completeness_percent,
        40
    );
    world.stop().await;
}

// B18, B41, F17
async fn a_freelancer_is_seen_by_an_act_of_theirs(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    let visibility = async || {
        let profile = world.profile(&ada.account_id).await;
        profile.expect("a profile").visibility()
    };
    assert_eq!(visibility().await, pb::Visibility::Private);
    for seen in [pb::Visibility::Public, pb::Visibility::UsersOnly] {
        let refused = world.set_visibility(&ada.account_id, seen).await;
        assert_eq!(refusal(refused), precondition("PROFILE_INCOMPLETE"));
    }
    world
        .save_section(&ada.account_id, headline("Analyst"), true)
        .await
        .expect("a headline");
    let refused = world.set_visibility(&ada.account_id, pb::Visibility::Public).await;
    assert_eq!(refusal(refused), precondition("PROFILE_INCOMPLETE"));
    world.describe(&ada.account_id, "Analyst", &["ink"]).await;
    assert_eq!(visibility().await, pb::Visibility::Private, "no saving shows a profile");
    assert_eq!(count(&world.db, "talent_search").await, 0);
    for (seen, indexed) in [
        (pb::Visibility::Public, 1),
        (pb::Visibility::UsersOnly, 1),
        (pb::Visibility::UsersOnly, 1),
        (pb::Visibility::Private, 0),
        (pb::Visibility::Private, 0),
        (pb::Visibility::UsersOnly, 1),
    ] {
        let set = world.set_visibility(&ada.account_id, seen).await.expect("set");
        assert_eq!(set.visibility(), seen);
        assert_eq!(visibility().await, seen);
        assert_eq!(count(&world.db, "talent_search").await, indexed, "{seen:?}");
    }
    world.stop().await;
}

// B35, B36, B37, B49
async fn an_agency_is_never_private(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    for listing in ["PUBLIC", "PROVISIONAL"] {
        let quay = world.agency(&ada, &format!("{listing} quay"), listing).await;
        for hidden in [pb::Visibility::Private, pb::Visibility::UsersOnly] {
            let refused = world.set_visibility(&quay, hidden).await;
            assert_eq!(refusal(refused), precondition("AGENCY_LISTING_PUBLIC"));
        }
        let same = world.set_visibility(&quay, pb::Visibility::Public).await;
        assert_eq!(same.expect("nothing to do").visibility(), pb::Visibility::Public);
        world.describe(&quay, "Maps", &["ink"]).await;
        let profile = world.profile(&quay).await.expect("a profile");
        assert_eq!(
            (profile.visibility(), profile.completeness_percent),
            (pb::Visibility::Public, 40)
        );
        let refused = world.set_visibility(&quay, pb::Visibility::Private).await;
        assert_eq!(refusal(refused), precondition("AGENCY_LISTING_PUBLIC"));
    }
    world.stop().await;
}

async fn a_profile_is_its_owners_alone(database: TestDatabase) {
    let world = World::new(database).await;
    let (ada, eve) = (world.newcomer("Ada").await, world.newcomer("Eve").await);
    let quay = world.agency(&ada, "Quay", "PUBLIC").await;
    let person = |person: &pb::Person| Caller::Person(person.id.parse().expect("an id"));
    for account in [&ada.account_id, &quay] {
        let request = pb::GetProfileRequest {
            account_id: account.clone(),
        };
        let own = world.profiles_as(person(&ada)).get_profile(request.clone()).await;
        assert_eq!(
            own.expect("hers").into_inner().profile.expect("a profile").account_id,
            *account
        );
        let strange = world.profiles_as(person(&eve)).get_profile(request.clone()).await;
        assert_eq!(refusal(strange), (Code::NotFound, "NOT_FOUND".to_owned()));
        let anybody = world.profiles_as_anybody().get_profile(request).await;
        assert_eq!(refusal(anybody), (Code::Unauthenticated, "TOKEN_MISSING".to_owned()));
        let request = pb::SaveSectionRequest {
            request_id: request_id(),
            account_id: account.clone(),
            section: Some(headline("Thief")),
            done: true,
        };
        let strange = world.profiles_as(person(&eve)).save_section(request).await;
        assert_eq!(refusal(strange), (Code::NotFound, "NOT_FOUND".to_owned()));
    }
    let nobody = world.profile(&PersonId::new().to_string()).await;
    assert_eq!(refusal(nobody), (Code::NotFound, "NOT_FOUND".to_owned()));
    world.stop().await;
}

async fn saving_again_is_no_mistake(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    let request = pb::SaveSectionRequest {
        request_id: request_id(),
        account_id: ada.account_id.clone(),
        section: Some(hourly(5_000, "USD")),
        done: true,
    };
    let saved = world
        .profiles
        .clone()
        .save_section(request.clone())
        .await
        .expect("saved");
    let other = world.save_section(&ada.account_id, hourly(6_000, "USD"), true).await;
    let again = world.profiles.clone().save_section(request).await.expect("a repeat");
    assert_eq!(again.into_inner(), saved.into_inner());
    let kept = world.profile(&ada.account_id).await.expect("a profile");
    assert_eq!(kept, other.expect("saved"), "the repeat has changed nothing");
    world.stop().await;
}

async fn what_is_saved_at_once_is_all_kept(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.freelancer("Ada", "Analyst", &["ink"]).await;
    let saved = join_all((1..=8).flat_map(|at: i64| {
        let parts = [
            headline(&format!("Analyst {at}")),
            able_to(&["ink", "pen"]),
            hourly(at * 100, "USD"),
        ];
        parts.map(|part| world.save_section(&ada.account_id, part, true))
    }))
    .await;
    assert!(saved.iter().all(Result::is_ok), "{saved:?}");
    let profile = world.profile(&ada.account_id).await.expect("a profile");
    assert_eq!(profile.completeness_percent, 60);
    let found = world
        .profiles
        .clone()
        .search_talent(pb::SearchTalentRequest::default())
        .await;
    let found = found.expect("an answer").into_inner().talent.remove(0);
    let Some(pb::profile_section::Contents::Headline(said)) = &profile.sections[0].contents else {
        panic!("no headline: {profile:?}")
    };
    let Some(pb::profile_section::Contents::Rate(asked)) = &profile.sections[3].contents else {
        panic!("no rate: {profile:?}")
    };
    assert_eq!((&found.headline, &found.hourly_rate), (&said.title, &asked.hourly_rate));
    assert_eq!(
        (found.skills, found.completeness_percent),
        (vec!["ink".to_owned(), "pen".to_owned()], 60)
    );
    world.stop().await;
}

async fn bad_profiles_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    let save = async |section: Section, done| violations(world.save_section(&ada.account_id, section, done).await);
    let empty = world
        .profiles
        .clone()
        .save_section(pb::SaveSectionRequest::default())
        .await;
    assert_eq!(
        violations(empty),
        ["request_id REQUIRED", "account_id REQUIRED", "section REQUIRED"]
    );
    let nothing = Section::Headline(pb::Headline::default());
    assert_eq!(
        save(nothing, true).await,
        ["headline.title REQUIRED", "headline.overview REQUIRED"]
    );
    let position = pb::Position {
        start_time: Some(to_wire_time(at("2024-02-02"))),
        end_time: Some(to_wire_time(at("2024-02-01"))),
        ..pb::Position::default()
    };
    let backwards = Section::Experience(pb::Experience {
        positions: vec![pb::Position::default(), position],
    });
    assert_eq!(
        save(backwards, true).await,
        ["experience.positions[1].end_time OUT_OF_RANGE"]
    );
    let items = ["http://a.example", "https://b.example", "javascript:alert(1)"].map(|url| pb::PortfolioItem {
        url: url.to_owned(),
        ..pb::PortfolioItem::default()
    });
    let portfolio = Section::Portfolio(pb::Portfolio { items: items.to_vec() });
    let told = [
        "portfolio.items[0].url INVALID_FORMAT",
        "portfolio.items[2].url INVALID_FORMAT",
    ];
    assert_eq!(save(portfolio, false).await, told);
    assert_eq!(save(able_to(&["x"; 51]), false).await, ["skills.names TOO_LONG"]);
    assert_eq!(
        save(hourly(0, "XXX"), false).await,
        [
            "rate.hourly_rate.currency_code UNKNOWN_CURRENCY",
            "rate.hourly_rate.minor_units OUT_OF_RANGE"
        ]
    );
    let nothing = world
        .profiles
        .clone()
        .discard_section(pb::DiscardSectionRequest::default())
        .await;
    assert_eq!(
        violations(nothing),
        ["request_id REQUIRED", "account_id REQUIRED", "section REQUIRED"]
    );
    let unknown = pb::SetVisibilityRequest {
        visibility: 99,
        ..pb::SetVisibilityRequest::default()
    };
    let told = ["request_id REQUIRED", "account_id REQUIRED", "visibility OUT_OF_RANGE"];
    assert_eq!(violations(world.profiles.clone().set_visibility(unknown).await), told);
    assert_eq!(count(&world.db, "talent_profile").await, 0);
    world.stop().await;
}
