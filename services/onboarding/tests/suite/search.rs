//! Finding talent: who finds whom, by which words, in which order.

use tonic::Code;
use vouch_primitives::{ClientId, PersonId, Timestamp};
use vouch_proto::{
    convert::to_wire_time,
    onboarding::v1::{self as pb, save_section_request::Section},
    referral::v1::MatchSignalChanged,
};
use vouch_runtime::access::Caller;
use vouch_testkit::{Engine, TestDatabase, eventually, on_both_databases};

use crate::{
    example::start,
    world::{
        SOON, World,
        talent::{able_to, headline, hourly, money, names, words},
        violations,
    },
};

on_both_databases! {
    each_kind_of_caller_finds_what_they_may,
    an_agency_is_found_once_its_listing_is_public,
    what_is_half_done_is_not_found,
    filters_narrow_what_is_found,
    pages_follow_one_another,
    the_match_signal_orders_what_is_equal,
    an_answer_tells_what_others_may_see,
    bad_searches_are_told_everything,
}

// F17
async fn each_kind_of_caller_finds_what_they_may(database: TestDatabase) {
    let world = World::new(database).await;
    world.freelancer("Ada", "Analyst", &["ink"]).await;
    let bob = world.freelancer("Bob", "Analyst", &["ink"]).await;
    let eve = world.freelancer("Eve", "Analyst", &["ink"]).await;
    world
        .set_visibility(&bob.account_id, pb::Visibility::UsersOnly)
        .await
        .expect("set");
    world
        .set_visibility(&eve.account_id, pb::Visibility::Private)
        .await
        .expect("set");
    let request = || pb::SearchTalentRequest {
        filter: Some(words("analyst")),
        ..pb::SearchTalentRequest::default()
    };
    let anybody = world.profiles_as_anybody().search_talent(request()).await;
    assert_eq!(names(anybody.expect("an answer").into_inner().talent), ["Ada"]);
    let service = world.profiles.clone().search_talent(request()).await;
    assert_eq!(names(service.expect("an answer").into_inner().talent), ["Ada", "Bob"]);
    for caller in [
        Caller::Person(PersonId::new()),
        Caller::Person(eve.id.parse().expect("an id")),
        Caller::Client(ClientId::new()),
    ] {
        let found = world.profiles_as(caller.clone()).search_talent(request()).await;
        assert_eq!(
            names(found.expect("an answer").into_inner().talent),
            ["Ada", "Bob"],
            "{caller}"
        );
    }
    assert_eq!(world.agencies(words("")).await, [""; 0], "freelancers are no agencies");
    world.stop().await;
}

// B34, B35, B48, B51
async fn an_agency_is_found_once_its_listing_is_public(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    world.agency(&ada, "Quay Studio", "PUBLIC").await;
    let dock = world.agency(&ada, "Dock Studio", "PROVISIONAL").await;
    world.describe(&dock, "Maps", &["ink"]).await;
    assert_eq!(
        world.agencies(words("studio")).await,
        ["Quay Studio"],
        "without any profile"
    );
    assert_eq!(
        world.agencies(words("maps")).await,
        [""; 0],
        "a provisional one is never found"
    );
    assert_eq!(world.talent(words("")).await, [""; 0], "agencies are no freelancers");

    let confirm = "UPDATE agency SET listing = 'PUBLIC', confirmed_at = 1 WHERE name = ?";
    world.execute(confirm, ["Dock Studio".into()]).await.expect("confirmed");
    // Whatever reindexes it next finds it public.
    world
        .save_section(&dock, hourly(5_000, "USD"), true)
        .await
        .expect("a rate");
    assert_eq!(world.agencies(words("maps")).await, ["Dock Studio"]);
    assert_eq!(
        world.agencies(words("studio")).await,
        ["Dock Studio", "Quay Studio"],
        "the more complete one comes first"
    );
    world.stop().await;
}

// B43
async fn what_is_half_done_is_not_found(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.freelancer("Ada", "Analyst", &["ink"]).await;
    world
        .save_section(&ada.account_id, headline("Painter"), false)
        .await
        .expect("started");
    assert_eq!(world.talent(words("analyst")).await, ["Ada"]);
    assert_eq!(world.talent(words("painter")).await, [""; 0]);
    world
        .save_section(&ada.account_id, headline("Painter"), true)
        .await
        .expect("complete");
    assert_eq!(world.talent(words("analyst")).await, [""; 0]);
    assert_eq!(world.talent(words("painter")).await, ["Ada"]);
    world.stop().await;
}

async fn filters_narrow_what_is_found(database: TestDatabase) {
    let world = World::new(database).await;
    for (name, skills, rate) in [
        ("Ada", &["C", "Résumé writing"][..], Some(hourly(5_000, "USD"))),
        ("Bob", &["C++", "ink"], Some(hourly(8_000, "USD"))),
        ("Eve", &["ink", "100%_sure"], Some(hourly(6_000, "EUR"))),
        ("Kim", &["Ink"], None),
    ] {
        let person = world.freelancer(name, "Clerk", skills).await;
        if let Some(rate) = rate {
            world
                .save_section(&person.account_id, rate, true)
                .await
                .expect("a rate");
        }
    }
    let skills = |names: &[&str]| pb::TalentFilter {
        skills: names.iter().map(|name| (*name).to_owned()).collect(),
        ..pb::TalentFilter::default()
    };
    for (wanted, expected) in [
        (skills(&["INK"]), &["Bob", "Eve", "Kim"][..]),
        (skills(&["c"]), &["Ada"]),
        (skills(&["c++", "ink"]), &["Bob"]),
        (skills(&["resume  Writing"]), &["Ada"]),
        (skills(&["resume"]), &[]),
        (skills(&["%"]), &[]),
        (skills(&["100%_SURE"]), &["Eve"]),
        (skills(&["100__sure"]), &[]),
    ] {
        assert_eq!(world.talent(wanted.clone()).await, expected, "{wanted:?}");
    }
    let rate = |least: Option<i64>, most: Option<i64>, currency: &str| pb::TalentFilter {
        min_hourly_rate: least.map(|minor| money(minor, currency)),
        max_hourly_rate: most.map(|minor| money(minor, currency)),
        ..pb::TalentFilter::default()
    };
    for (wanted, expected) in [
        (rate(Some(5_000), None, "USD"), &["Ada", "Bob"][..]),
        (rate(Some(5_001), None, "USD"), &["Bob"]),
        (rate(None, Some(7_999), "USD"), &["Ada"]),
        (rate(Some(5_000), Some(8_000), "USD"), &["Ada", "Bob"]),
        (rate(Some(1), Some(8_000), "EUR"), &["Eve"]),
        (rate(Some(1), None, "JPY"), &[]),
    ] {
        assert_eq!(world.talent(wanted.clone()).await, expected, "{wanted:?}");
    }
    for (code, expected) in [("GB", 4), ("PT", 0)] {
        let wanted = pb::TalentFilter {
            country_code: code.to_owned(),
            ..words("clerk")
        };
        assert_eq!(world.talent(wanted).await.len(), expected, "{code}");
    }
    world.stop().await;
}

async fn pages_follow_one_another(database: TestDatabase) {
    let world = World::new(database).await;
    // Two ranks, several signals and degrees of completeness, and many who are equal in all.
    for at in 0..60_u32 {
        let title = match at % 3 {
            0 => "Clerk",
            1 => "Clerk and scribe",
            _ => "Painter",
        };
        let person = world.freelancer(&format!("Clerk {at:02}"), title, &["ink"]).await;
        if at % 4 == 0 {
            world
                .save_section(&person.account_id, hourly(5_000, "USD"), true)
                .await
                .expect("a rate");
        }
        if at % 5 == 0 {
            signal(&world, &person.id, 100 * (at % 7), start()).await;
        }
    }
    signals_arrived(&world, 12).await;
    let whole = world.talent(words("clerk scribe")).await;
    assert_eq!(whole.len(), 20);
    let whole = world.talent(words("clerk")).await;
    assert_eq!(whole.len(), 60);
    for size in [1, 7, 20, 60] {
        let mut paged = Vec::new();
        let mut token = String::new();
        loop {
            let request = pb::SearchTalentRequest {
                filter: Some(words("clerk")),
                page_size: size,
                page_token: token,
            };
            let answer = world.profiles.clone().search_talent(request).await.expect("a page");
            let page = answer.into_inner();
            paged.extend(names(page.talent));
            assert!(paged.len() <= 61, "pages that begin again: {paged:?}");
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
            if size == 7 && paged.len() == 7 {
                // Whoever arrives before the page moves nobody on the pages behind.
                let first = world.freelancer("First", "Clerk", &["clerk"]).await;
                signal(&world, &first.id, 9_000, start()).await;
                signals_arrived(&world, 13).await;
            }
        }
        let paged: Vec<_> = paged.into_iter().filter(|name| name != "First").collect();
        assert_eq!(paged, whole, "in pages of {size}");
    }
    world.stop().await;
}

async fn signal(world: &World, person: &str, signal: u32, changed_at: Timestamp) {
    let event = MatchSignalChanged {
        person_id: person.to_owned(),
        signal,
        change_time: Some(to_wire_time(changed_at)),
    };
    world.hear("/vouch/referral", &event).await;
}

async fn signals_arrived(world: &World, people: i64) {
    eventually("the signals", SOON, async || {
        match crate::tables::count(&world.db, "match_signal").await {
            there if there == people => Ok(()),
            there => Err(format!("{there} of {people}")),
        }
    })
    .await;
}

// R28, R33
async fn the_match_signal_orders_what_is_equal(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.freelancer("Ada", "Clerk", &["ink"]).await;
    let bob = world.freelancer("Bob", "Clerk", &["ink"]).await;
    let eve = world.freelancer("Eve", "Scribe", &["clerk work", "ink"]).await;
    let kim = world.freelancer("Kim", "Painter", &["oil"]).await;
    let held = Section::Experience(pb::Experience {
        positions: vec![pb::Position {
            company: "Quay".to_owned(),
            title: "Clerk".to_owned(),
            start_time: Some(to_wire_time(start())),
            end_time: None,
        }],
    });
    world
        .save_section(&kim.account_id, held, true)
        .await
        .expect("experience");
    assert_eq!(world.talent(words("clerk")).await, ["Ada", "Bob", "Eve", "Kim"]);

    let later = start().add_days(1);
    signal(&world, &kim.id, 10_000, later).await;
    signal(&world, &bob.id, 1, later).await;
    signal(&world, &eve.id, 2, later).await;
    // Older news, and news that cannot be, alter nothing.
    signal(&world, &eve.id, 0, start()).await;
    signal(&world, &ada.id, 10_001, later).await;
    let expected = ["Eve", "Bob", "Ada", "Kim"];
    eventually("the order", SOON, async || {
        let found = world.talent(words("clerk")).await;
        if found == expected {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    assert_eq!(world.talent(words("")).await, ["Kim", "Eve", "Bob", "Ada"]);

    signal(&world, &ada.id, 3, later).await;
    eventually("the news", SOON, async || {
        let found = world.talent(words("clerk")).await;
        if found == ["Ada", "Eve", "Bob", "Kim"] {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    })
    .await;
    world.stop().await;
}

async fn an_answer_tells_what_others_may_see(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.freelancer("Ada", "Analyst", &["Ink", "C++"]).await;
    world
        .save_section(&ada.account_id, hourly(5_000, "USD"), true)
        .await
        .expect("a rate");
    let found = world
        .profiles_as_anybody()
        .search_talent(pb::SearchTalentRequest::default())
        .await;
    let expected = pb::FoundTalent {
        account_id: ada.account_id,
        person_id: ada.id,
        name: "Ada".to_owned(),
        headline: "Analyst".to_owned(),
        skills: vec!["Ink".to_owned(), "C++".to_owned()],
        hourly_rate: Some(money(5_000, "USD")),
        country_code: "GB".to_owned(),
        completeness_percent: 60,
    };
    assert_eq!(found.expect("an answer").into_inner().talent, [expected]);
    for hidden in ["Lovelace", "someone", "example.com"] {
        assert_eq!(world.talent(words(hidden)).await, [""; 0], "{hidden} finds nobody");
    }
    world.stop().await;
}

async fn bad_searches_are_told_everything(database: TestDatabase) {
    let world = World::new(database).await;
    let filter = pb::TalentFilter {
        query: "x".repeat(201),
        skills: vec![String::new()],
        country_code: "UK".to_owned(),
        min_hourly_rate: Some(money(5, "USD")),
        max_hourly_rate: Some(money(4, "EUR")),
        person_ids: vec!["ada".to_owned()],
    };
    let told = [
        "filter.query TOO_LONG",
        "filter.skills[0] REQUIRED",
        "filter.country_code INVALID_FORMAT",
        "filter.max_hourly_rate.currency_code OTHER_CURRENCY",
        "filter.person_ids[0] INVALID_FORMAT",
        "page_size OUT_OF_RANGE",
        "page_token INVALID_FORMAT",
    ];
    let request = pb::SearchTalentRequest {
        filter: Some(filter.clone()),
        page_size: 101,
        page_token: "1.2.3".to_owned(),
    };
    assert_eq!(violations(world.profiles.clone().search_talent(request).await), told);
    let request = pb::SearchAgenciesRequest {
        filter: Some(filter),
        page_size: 101,
        page_token: "1.2.3".to_owned(),
    };
    assert_eq!(violations(world.profiles.clone().search_agencies(request).await), told);
    let request = pb::SearchTalentRequest {
        filter: Some(pb::TalentFilter {
            min_hourly_rate: Some(money(5, "USD")),
            max_hourly_rate: Some(money(4, "USD")),
            ..words("")
        }),
        ..pb::SearchTalentRequest::default()
    };
    let refused = world.profiles.clone().search_talent(request).await;
    assert_eq!(
        refused.as_ref().map_err(tonic::Status::code).err(),
        Some(Code::InvalidArgument)
    );
    assert_eq!(violations(refused), ["filter.max_hourly_rate.minor_units OUT_OF_RANGE"]);
    world.stop().await;
}

/// What is typed, and who is found by it.
const QUERIES: [(&str, &[&str]); 32] = [
    ("", &["Zoë", "Łukasz", "Söhnke", "Ёлка", "Near"]),
    ("   ", &["Zoë", "Łukasz", "Söhnke", "Ёлка", "Near"]),
    ("analyst", &["Zoë"]),
    ("ANALYST engine", &["Zoë"]),
    ("engine analyst", &["Zoë"]),
    ("anal", &["Zoë"]),
    ("anal engine", &[]),
    ("analyst eng", &["Zoë"]),
    ("nalyst", &[]),
    ("zoe", &["Zoë"]),
    ("ZOË", &["Zoë"]),
    ("lukasz", &["Łukasz"]),
    ("resume", &["Łukasz"]),
    ("Re\u{301}sume\u{301}", &["Łukasz"]),
    ("strasse", &["Söhnke"]),
    ("STRAẞE", &["Söhnke"]),
    ("елка", &["Ёлка"]),
    ("ЁЛ", &["Ёлка"]),
    ("c++ code", &["Łukasz"]),
    ("c code", &["Söhnke"]),
    ("c#", &["Ёлка"]),
    ("near", &["Near"]),
    ("and or not", &["Near"]),
    ("NEAR(and, or)", &["Near"]),
    ("near AND NOT analyst", &[]),
    ("\"analyst\"", &["Zoë"]),
    ("head : analyst", &[]),
    ("analyst*", &["Zoë"]),
    ("'analyst':*A & !engine", &["Zoë"]),
    (
        "* ^ : - + ~ ( ) { } \" ' | & ! < > \\ %",
        &["Zoë", "Łukasz", "Söhnke", "Ёлка", "Near"],
    ),
    ("'); DROP TABLE talent_search; --", &[]),
    ("%nalyst _nalyst", &[]),
];

/// The same talent, asked the same, is found alike by both engines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_find_the_same() {
    let mut answers = Vec::new();
    for engine in Engine::BOTH {
        let world = World::new(TestDatabase::new(engine).await).await;
        for (name, title, skills) in [
            ("Zoë", "Analyst", &["engines", "a engine"][..]),
            ("Łukasz", "Editor", &["Résumé", "C++", "code"]),
            ("Söhnke", "Straße 1", &["C", "code"]),
            ("Ёлка", "Чертёжник", &["C#"]),
            ("Near", "And or not", &["near"]),
        ] {
            world.freelancer(name, title, skills).await;
        }
        let mut found = Vec::new();
        for (query, expected) in QUERIES {
            let names = world.talent(words(query)).await;
            assert_eq!(names, expected, "{engine}: {query:?}");
            found.push(names);
        }
        // Two words in the headline or the skills go before one, and one before none.
        let ranked = world.freelancer("Last", "Clerk", &["ink"]).await;
        let made = Section::Portfolio(pb::Portfolio {
            items: vec![pb::PortfolioItem {
                title: "An analyst at an engine".to_owned(),
                description: String::new(),
                url: "https://maps.example".to_owned(),
            }],
        });
        world
            .save_section(&ranked.account_id, made, true)
            .await
            .expect("a portfolio");
        let half = world.freelancer("Half", "Analyst", &["ink"]).await;
        let overview = Section::Headline(pb::Headline {
            title: "Analyst".to_owned(),
            overview: "Of the engine".to_owned(),
        });
        world
            .save_section(&half.account_id, overview, true)
            .await
            .expect("a headline");
        world
            .save_section(&half.account_id, able_to(&["pen"]), true)
            .await
            .expect("skills");
        let ranked = world.talent(words("analyst engine")).await;
        assert_eq!(ranked, ["Zoë", "Half", "Last"], "{engine}");
        found.push(ranked);
        answers.push(found);
        world.stop().await;
    }
    assert_eq!(answers[0], answers[1]);
}
