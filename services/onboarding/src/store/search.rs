//! The index of search: a row for each account that may be found, which follows its profile, its listing and its name in
//! the transaction that changes them. The words are looked up by the full-text index of the engine, the only thing here
//! that differs between the two; the order is made by the same query on both.

use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    sea_query::{CaseStatement, Expr, ExprTrait, Func, IntoCondition, Order, Query, SelectStatement},
};
use vouch_primitives::{AccountId, Money, PersonId, Uuid};
use vouch_storage::{StorageError, Txn, containing};

use self::entity::{ActiveModel, Column, Entity};
use super::{agencies, people, profiles, unreadable};
use crate::domain::{
    Audience, Contents, FoundTalent, Person, Place, Profile, ProfileKind, RateRange, SectionKind, SkillKey, Sought,
    TalentQuery, TextQuery, Visibility,
    words::{IndexedWords, Word},
};

const TABLE: &str = "talent_search";

/// Makes the index say of an account what its profile, its listing and its owner's name now say; an account that may not
/// be found is not there afterwards. The owner's row is locked, so that of two changes the later one indexes both.
///
/// # Errors
/// When the database fails.
pub async fn reindex(txn: &Txn, account: AccountId) -> Result<(), StorageError> {
    let Some(owner) = profiles::owner_of(txn, account).await? else {
        return forget(txn, account).await;
    };
    forget(txn, account).await?;
    // Nobody finds who has closed the account.
    let person = people::lock_person(txn, owner).await?;
    let Some(person) = person.filter(|person| person.expect_open().is_ok()) else {
        return Ok(());
    };
    let profile = profiles::find_or_empty(txn, account).await?;
    let (name, visibility, listing) = match profile.kind {
        ProfileKind::Freelancer(Visibility::Private) => return Ok(()),
        ProfileKind::Freelancer(visibility) => {
            let visibility = profiles::name_of(visibility).to_owned();
            (person.information.display_name, Some(visibility), None)
        }
        ProfileKind::Agency => match agencies::find(txn, account).await? {
            Some(agency) if agency.is_public() => (agency.name, None, Some(agency.listing.as_str().to_owned())),
            _ => return Ok(()),
        },
    };
    let row = ActiveModel {
        person_id: Set(owner.as_uuid()),
        visibility: Set(visibility),
        listing: Set(listing),
        country_code: Set(person.information.country.as_str().to_owned()),
        ..row(name, &profile)
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// Makes the index say of all accounts of a person what they now say: after a change of the name, or of what the account is.
///
/// # Errors
/// When the database fails.
pub async fn reindex_all(txn: &Txn, person: &Person) -> Result<(), StorageError> {
    reindex(txn, person.account_id).await?;
    for agency in agencies::of_person(txn, person.id).await? {
        reindex(txn, agency.id).await?;
    }
    Ok(())
}

/// Takes an account out of the index.
///
/// # Errors
/// When the database fails.
pub async fn forget(txn: &Txn, account: AccountId) -> Result<(), StorageError> {
    let rows = Entity::delete_many().filter(Column::AccountId.eq(account.as_uuid()));
    rows.exec(txn).await?;
    Ok(())
}

/// What is found, the best match first, from the one after `after` on.
///
/// # Errors
/// When the database fails.
pub async fn find(
    conn: &impl ConnectionTrait,
    wanted: &TalentQuery,
    after: Option<Place>,
    limit: u64,
) -> Result<Vec<FoundTalent>, StorageError> {
    let fitting = fitting(conn.get_database_backend(), wanted);
    let mut query = Query::select();
    query
        .columns(SHOWN.into_iter().chain(["rank", "signal"]))
        .from_subquery(fitting, "fitting")
        .order_by("rank", Order::Desc)
        .order_by("signal", Order::Desc)
        .order_by("completeness", Order::Desc)
        .order_by("account_id", Order::Asc)
        .limit(limit);
    if let Some(after) = after {
        query.cond_where(behind(after));
    }
    let rows = conn.query_all(&query).await?;
    let found = rows.iter().map(|row| found(Row::from_query_result(row, "")?));
    found.collect()
}

/// The columns that an answer is made of.
const SHOWN: [&str; 9] = [
    "account_id",
    "person_id",
    "name",
    "headline",
    "skills",
    "country_code",
    "rate_currency",
    "rate_minor",
    "completeness",
];

/// All that fits, with its rank and the signal of its owner.
fn fitting(backend: DbBackend, wanted: &TalentQuery) -> SelectStatement {
    let mut query = Query::select();
    let signal = Func::coalesce([Expr::col(("match_signal", "signal")), Expr::value(0_i64)]);
    query
        .columns(SHOWN.map(|column| (TABLE, column)))
        .expr_as(rank(&wanted.text), "rank")
        .expr_as(signal, "signal")
        .from(TABLE)
        .left_join(
            "match_signal",
            Expr::col(("match_signal", "person_id")).equals((TABLE, "person_id")),
        )
        .and_where(may_be_found(wanted.sought));
    if !wanted.people.is_empty() {
        query.and_where(of("person_id").is_in(wanted.people.iter().map(|person| person.as_uuid())));
    }
    if !wanted.text.is_empty() {
        query.and_where(matches(backend, &wanted.text));
    }
    for skill in &wanted.skills {
        // The index finds who has the words, so that only these are looked at for the skill as it is.
        let words = skill.words();
        if !words.is_empty() {
            query.and_where(matches(backend, &words));
        }
        query.and_where(of("skill_keys").like(containing(&format!("\n{}\n", skill.as_str()))));
    }
    if let Some(country) = wanted.country {
        query.and_where(of("country_code").eq(country.as_str()));
    }
    if let Some(rate) = &wanted.rate {
        query.cond_where(within(rate));
    }
    query
}

fn of(column: &'static str) -> Expr {
    Expr::col((TABLE, column))
}

fn may_be_found(sought: Sought) -> Expr {
    match sought {
        Sought::Agencies => of("listing").is_not_null(),
        Sought::Freelancers(Audience::Everybody) => of("visibility").eq(profiles::name_of(Visibility::Public)),
        Sought::Freelancers(Audience::Users) => {
            let seen = [Visibility::Public, Visibility::UsersOnly];
            of("visibility").is_in(seen.map(profiles::name_of))
        }
    }
}

/// All words are there. They are letters, digits and underscores of ASCII, and quoted besides.
fn matches(backend: DbBackend, text: &TextQuery) -> Expr {
    if backend == DbBackend::Postgres {
        let whole = text.whole().iter().map(|word| format!("'{}'", word.as_str()));
        let last = text.last().map(|word| format!("'{}':*", word.as_str()));
        let words: Vec<_> = whole.chain(last).collect();
        // Cast and not parsed: a word is a word.
        Expr::cust_with_values("talent_search.words @@ CAST($1 AS tsquery)", [words.join(" & ")])
    } else {
        let whole = text.whole().iter().map(|word| format!("\"{}\"", word.as_str()));
        let last = text.last().map(|word| format!("\"{}\" *", word.as_str()));
        let words: Vec<_> = whole.chain(last).collect();
        Expr::cust_with_values(
            "talent_search.number IN (SELECT rowid FROM talent_search_text WHERE talent_search_text MATCH ?)",
            [words.join(" AND ")],
        )
    }
}

/// How many of the words stand in the headline or the skills.
fn rank(text: &TextQuery) -> Expr {
    let whole = text.whole().iter().map(|word| format!(" {} ", word.as_str()));
    let last = text.last().map(|word| format!(" {}", word.as_str()));
    whole.chain(last).fold(Expr::value(0_i64), |rank, word| {
        let there = of("head").like(containing(&word));
        rank.add(CaseStatement::new().case(there, 1_i64).finally(0_i64))
    })
}

fn within(rate: &RateRange) -> Condition {
    let least = rate.least.map(|least| of("rate_minor").gte(least));
    let most = rate.most.map(|most| of("rate_minor").lte(most));
    Condition::all()
        .add(of("rate_currency").eq(rate.currency.code()))
        .add_option(least)
        .add_option(most)
}

/// Whatever comes later in the order.
fn behind(place: Place) -> Condition {
    let lower = [
        ("rank", i64::from(place.rank)),
        ("signal", i64::from(place.signal)),
        ("completeness", i64::from(place.completeness)),
    ];
    let tied = Expr::col("account_id").gt(place.account_id.as_uuid()).into_condition();
    lower.into_iter().rev().fold(tied, |later, (column, value)| {
        let equal = Condition::all().add(Expr::col(column).eq(value)).add(later);
        Condition::any().add(Expr::col(column).lt(value)).add(equal)
    })
}

/// What the profile says of itself.
fn row(name: String, profile: &Profile) -> ActiveModel {
    let words = IndexedWords::of(&name, profile);
    let skills = profile.skills().map(|skills| skills.names()).unwrap_or_default();
    let keys = skills.iter().map(|name| format!("{}\n", SkillKey::new(name).as_str()));
    let rate = match profile.shown(SectionKind::Rate) {
        Some(Contents::Rate(rate)) => rate.0,
        _ => None,
    };
    ActiveModel {
        account_id: Set(profile.account_id.as_uuid()),
        name: Set(name),
        headline: Set(profile
            .headline()
            .map(|headline| headline.title.clone())
            .unwrap_or_default()),
        skills: Set(skills.join("\n")),
        skill_keys: Set(keys.fold("\n".to_owned(), |all, key| all + &key)),
        rate_currency: Set(rate.map(|rate| rate.currency.code().to_owned())),
        rate_minor: Set(rate.map(|rate| rate.minor)),
        completeness: Set(profile.completeness().into()),
        head: Set(spaced(words.head)),
        rest: Set(spaced(words.rest)),
        ..Default::default()
    }
}

/// Words with a space on either side of each.
fn spaced(words: impl IntoIterator<Item = Word>) -> String {
    let mut text = String::from(" ");
    for word in words {
        text.push_str(word.as_str());
        text.push(' ');
    }
    text
}

#[derive(FromQueryResult)]
struct Row {
    account_id: Uuid,
    person_id: Uuid,
    name: String,
    headline: String,
    skills: String,
    country_code: String,
    rate_currency: Option<String>,
    rate_minor: Option<i64>,
    completeness: i64,
    rank: i64,
    signal: i64,
}

fn found(row: Row) -> Result<FoundTalent, StorageError> {
    let number = |column, value: i64| u32::try_from(value).map_err(|error| unreadable(column, error));
    let hourly_rate = match (row.rate_currency, row.rate_minor) {
        (Some(code), Some(minor)) => {
            let currency = code
                .parse()
                .map_err(|error| unreadable("talent_search.rate_currency", error))?;
            Some(Money::new(minor, currency))
        }
        _ => None,
    };
    let country = row.country_code.parse();
    Ok(FoundTalent {
        place: Place {
            rank: number("talent_search.rank", row.rank)?,
            signal: number("match_signal.signal", row.signal)?,
            completeness: number("talent_search.completeness", row.completeness)?,
            account_id: AccountId::from_uuid(row.account_id),
        },
        person_id: PersonId::from_uuid(row.person_id),
        name: row.name,
        headline: row.headline,
        skills: row.skills.lines().map(str::to_owned).collect(),
        hourly_rate,
        country: country.map_err(|error| unreadable("talent_search.country_code", error))?,
    })
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "talent_search")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub number: i64,
        pub account_id: Uuid,
        pub person_id: Uuid,
        pub visibility: Option<String>,
        pub listing: Option<String>,
        pub name: String,
        pub headline: String,
        pub skills: String,
        pub skill_keys: String,
        pub country_code: String,
        pub rate_currency: Option<String>,
        pub rate_minor: Option<i64>,
        pub completeness: i64,
        pub head: String,
        pub rest: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
