//! What the tables refuse, whoever writes: an index of who may not be found, and a visibility that nobody has set. And what is
//! looked for among people who are named.

use sea_orm::Value;
use vouch_primitives::{AccountId, PersonId};
use vouch_proto::onboarding::v1 as pb;
use vouch_storage::StorageError;
use vouch_testkit::{TestDatabase, on_both_databases};

use crate::{
    tables::count,
    world::{World, talent::words},
};

on_both_databases! {
    who_may_not_be_found_cannot_be_indexed,
    nobody_is_shown_without_an_act,
    an_agency_has_no_visibility,
    the_index_follows_every_change,
    a_signal_is_bounded,
    members_of_a_cloud_are_looked_among,
}

fn uuid(id: &str) -> Value {
    let id: PersonId = id.parse().expect("an id");
    id.as_uuid().into()
}

/// The name of the rule that was broken.
fn broken(outcome: Result<u64, StorageError>, rules: &[&str]) {
    let told = vouch_storage::describe(&outcome.expect_err("refused"));
    assert!(
        rules.iter().any(|rule| told.contains(rule)),
        "none of {rules:?}: {told}"
    );
}

const FOREIGN_KEY: &str = "FOREIGN KEY";
const STAYS_PUBLIC: &str = "a public listing stays public";

async fn index(world: &World, account: &str, person: &str, what: (&str, &str)) -> Result<u64, StorageError> {
    let (column, value) = what;
    let insert = format!(
        "INSERT INTO talent_search (account_id, person_id, {column}, name, headline, skills, skill_keys, country_code, \
         completeness, head, rest) VALUES (?, ?, ?, 'x', '', '', '', 'GB', 0, ' ', ' x ')"
    );
    world
        .execute(&insert, [uuid(account), uuid(person), value.into()])
        .await
}

// B18, B34, B35, B41, F17
async fn who_may_not_be_found_cannot_be_indexed(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    let no_profile = index(&world, &ada.account_id, &ada.id, ("visibility", "PUBLIC")).await;
    broken(no_profile, &["talent_search_profile", FOREIGN_KEY]);
    world.describe(&ada.account_id, "Analyst", &["ink"]).await;
    let private = index(&world, &ada.account_id, &ada.id, ("visibility", "PRIVATE")).await;
    broken(private, &["talent_search_of_visible_profiles"]);
    for visibility in ["PUBLIC", "USERS_ONLY"] {
        let lie = index(&world, &ada.account_id, &ada.id, ("visibility", visibility)).await;
        broken(lie, &["talent_search_profile", FOREIGN_KEY]);
    }
    let dock = world.agency(&ada, "Dock", "PROVISIONAL").await;
    let provisional = index(&world, &dock, &ada.id, ("listing", "PROVISIONAL")).await;
    broken(provisional, &["talent_search_of_public_listings"]);
    let lie = index(&world, &dock, &ada.id, ("listing", "PUBLIC")).await;
    broken(lie, &["talent_search_agency", FOREIGN_KEY]);
    let no_account = index(&world, &AccountId::new().to_string(), &ada.id, ("listing", "PUBLIC")).await;
    broken(no_account, &["talent_search_agency", FOREIGN_KEY]);
    let neither = "INSERT INTO talent_search (account_id, person_id, name, headline, skills, skill_keys, country_code, \
                   completeness, head, rest) VALUES (?, ?, 'x', '', '', '', 'GB', 0, ' ', ' ')";
    let neither = world.execute(neither, [uuid(&ada.account_id), uuid(&ada.id)]).await;
    broken(neither, &["talent_search_of_one_account"]);

    // Who is indexed cannot become private or provisional behind the index.
    let bob = world.freelancer("Bob", "Analyst", &["ink"]).await;
    let hide = "UPDATE talent_profile SET visibility = 'PRIVATE' WHERE account_id = ?";
    let hidden = world.execute(hide, [uuid(&bob.account_id)]).await;
    broken(hidden, &["talent_search_profile", FOREIGN_KEY]);
    let quay = world.agency(&ada, "Quay", "PUBLIC").await;
    let undo = "UPDATE agency SET listing = 'PROVISIONAL', confirmed_at = NULL WHERE id = ?";
    broken(world.execute(undo, [uuid(&quay)]).await, &[STAYS_PUBLIC]);
    assert_eq!(count(&world.db, "talent_search").await, 2);
    world.stop().await;
}

// B18, B41
async fn nobody_is_shown_without_an_act(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    world.describe(&ada.account_id, "Analyst", &["ink"]).await;
    for visibility in ["PUBLIC", "USERS_ONLY"] {
        let show = "UPDATE talent_profile SET visibility = ? WHERE account_id = ?";
        let shown = world.execute(show, [visibility.into(), uuid(&ada.account_id)]).await;
        broken(shown, &["talent_profile_seen_by_an_act"]);
    }
    let unknown = "UPDATE talent_profile SET visibility = 'SOMETIMES', visibility_set_at = 0, visibility_set_by = 'x' \
                   WHERE account_id = ?";
    let unknown = world.execute(unknown, [uuid(&ada.account_id)]).await;
    broken(unknown, &["talent_profile_visibility_is_known"]);
    world.stop().await;
}

// B36
async fn an_agency_has_no_visibility(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.newcomer("Ada").await;
    let quay = world.agency(&ada, "Quay", "PUBLIC").await;
    world.describe(&quay, "Maps", &["ink"]).await;
    let hide = "UPDATE talent_profile SET visibility = 'PRIVATE' WHERE account_id = ?";
    let hidden = world.execute(hide, [uuid(&quay)]).await;
    broken(hidden, &["talent_profile_visibility_of_freelancers"]);
    let listing = world
        .execute("UPDATE agency SET listing = 'PRIVATE' WHERE id = ?", [uuid(&quay)])
        .await;
    broken(listing, &[STAYS_PUBLIC]);
    let strange = "INSERT INTO talent_profile (account_id, freelancer_id, visibility) VALUES (?, ?, 'PRIVATE')";
    let strange = world.execute(strange, [uuid(&quay), uuid(&ada.account_id)]).await;
    broken(
        strange,
        &["talent_profile_of_one_account", "UNIQUE", "talent_profile_pkey"],
    );
    world.stop().await;
}

async fn the_index_follows_every_change(database: TestDatabase) {
    let world = World::new(database).await;
    let ada = world.freelancer("Ada", "Analyst", &["ink"]).await;
    world.freelancer("Bob", "Analyst", &["ink"]).await;
    for title in ["Painter", "Clerk", "Scribe"] {
        world.describe(&ada.account_id, title, &["pen"]).await;
        assert_eq!(world.talent(words(title)).await, ["Ada"]);
        assert_eq!(world.talent(words("ink")).await, ["Bob"]);
    }
    // The full-text index of SQLite is told by triggers, also of what is changed by hand.
    let change = "UPDATE talent_search SET head = ' sculptor ' WHERE account_id = ?";
    world.execute(change, [uuid(&ada.account_id)]).await.expect("changed");
    assert_eq!(world.talent(words("sculptor")).await, ["Ada"]);
    assert_eq!(world.talent(words("scribe")).await, [""; 0]);
    world
        .set_visibility(&ada.account_id, pb::Visibility::Private)
        .await
        .expect("hidden");
    assert_eq!(world.talent(words("sculptor")).await, [""; 0]);
    assert_eq!(world.talent(words("")).await, ["Bob"]);
    world.stop().await;
}

// R28, R33
async fn a_signal_is_bounded(database: TestDatabase) {
    let world = World::new(database).await;
    for signal in [-1_i64, 10_001] {
        let insert = "INSERT INTO match_signal (person_id, signal, changed_at) VALUES (?, ?, 0)";
        let person = PersonId::new().as_uuid().into();
        broken(
            world.execute(insert, [person, signal.into()]).await,
            &["match_signal_in_basis_points"],
        );
    }
    world.stop().await;
}

// B10, F17
async fn members_of_a_cloud_are_looked_among(database: TestDatabase) {
    let world = World::new(database).await;
    world.freelancer("Ada", "Analyst", &["ink"]).await;
    let bob = world.freelancer("Bob", "Painter", &["ink"]).await;
    let cleo = world.freelancer("Cleo", "Ink analyst", &["ink"]).await;
    let eve = world.freelancer("Eve", "Analyst", &["ink"]).await;
    world
        .set_visibility(&eve.account_id, pb::Visibility::Private)
        .await
        .expect("set");
    let among = |query: &str| pb::TalentFilter {
        person_ids: vec![
            bob.id.clone(),
            cleo.id.clone(),
            eve.id.clone(),
            PersonId::new().to_string(),
        ],
        ..words(query)
    };
    assert_eq!(world.talent(among("ink")).await, ["Bob", "Cleo"]);
    assert_eq!(
        world.talent(among("analyst")).await,
        ["Cleo"],
        "who is private is not found"
    );
    assert_eq!(
        world.talent(words("analyst")).await.len(),
        2,
        "others are found without"
    );
    world.stop().await;
}
