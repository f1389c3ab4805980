//! What every method refuses: `refusals.toml` has a table for each, and a method without one fails. Each request of it is
//! refused with its code, field and reason, and no database has changed afterwards.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value, prost::Message};
use sea_orm::{ConnectionTrait, Statement};
use serde::Deserialize;
use tonic::{Code, Status, transport::Channel};
use tonic_types::StatusExt;
use vouch_messaging::{Bus, MemoryBus};
use vouch_primitives::RequestId;
use vouch_storage::{DatabaseConfig, Db};
use vouch_suite::{World, raw};
use vouch_testkit::Engine;

use crate::{channel, moment, things::things, token, world};

/// What a method refuses.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusals {
    /// A request that would be carried out. `$name` stands for a real thing, `$new` for a request id of its own.
    #[serde(default)]
    good: toml::Table,
    /// What is wrong with it, one thing at a time.
    #[serde(default)]
    bad: Vec<Refusal>,
}

/// One thing that is wrong.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    /// The fields that take the place of the good ones.
    set: toml::Table,
    /// `INVALID_ARGUMENT` where nothing is said.
    code: Option<String>,
    /// The field that is named; empty where the refusal is about the state of things.
    #[serde(default)]
    field: String,
    reason: String,
    /// Fields that are named after the first one, with their reasons: all is told at once.
    #[serde(default)]
    also: Vec<(String, String)>,
}

fn table() -> BTreeMap<String, Refusals> {
    toml::from_str(include_str!("refusals.toml")).expect("a table")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_are_refused_by_field_and_reason_and_change_nothing() {
    let world = world().await;
    let mut names = things(&world.story().expect("a story")).await.ids;
    names.insert("unknown", "018f0000-0000-7000-8000-000000000000".to_owned());
    let operator = token(world.keys(), "operator:test");
    let databases = open(&world).await;
    let mut table = table();
    let mut wrong = Vec::new();
    let mut before = contents(&databases).await;
    for address in world.addresses() {
        let channel = channel(address);
        for method in raw::methods(&channel).await.expect("methods") {
            let path = raw::path_of(&method);
            let Some(refusals) = table.get(&path[1..]) else {
                wrong.push(format!("{path} has no table of bad requests"));
                continue;
            };
            if refusals.bad.is_empty() && method.input().fields().len() > 0 {
                wrong.push(format!("{path}: nothing is wrong with it"));
            }
            for bad in &refusals.bad {
                let mut fields = refusals.good.clone();
                fields.extend(bad.set.clone());
                let request = message(&method.input(), &fields, &names).encode_to_vec();
                let answer = raw::call(&channel, &path, request.into(), Some(&operator)).await;
                wrong.extend(
                    differs(bad, answer.err())
                        .map(|how| format!("{path} with {}: {how}", bad.set.to_string().replace('\n', " "))),
                );
            }
            let after = contents(&databases).await;
            let changed: Vec<_> = after.iter().filter(|row| !before.contains(row)).collect();
            if after != before {
                wrong.push(format!("{path}: a refusal has changed a database: {changed:?}"));
            }
            before = after;
        }
    }
    // Methods of operators are the same on all four, so that what is left over here belongs to none.
    let mut served = Vec::new();
    for address in world.addresses() {
        served.extend(
            raw::methods(&channel(address))
                .await
                .expect("methods")
                .iter()
                .map(raw::path_of),
        );
    }
    table.retain(|name, _| !served.contains(&format!("/{name}")));
    wrong.extend(table.keys().map(|name| format!("{name} is served by nobody")));
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    world.stop().await.expect("a good end");
}

/// How the answer differs from the refusal that was expected.
fn differs(bad: &Refusal, answer: Option<Status>) -> Option<String> {
    let Some(status) = answer else {
        return Some("it was carried out".to_owned());
    };
    let found = if bad.field.is_empty() {
        let info = status.get_details_error_info();
        vec![(String::new(), info.map_or_else(String::new, |info| info.reason))]
    } else {
        let bad = status.get_details_bad_request();
        let violations = bad.map_or_else(Vec::new, |bad| bad.field_violations);
        violations
            .into_iter()
            .map(|violation| {
                let reason = violation.description.split(':').next().unwrap_or_default().to_owned();
                (violation.field, reason)
            })
            .collect()
    };
    let mut expected = vec![(bad.field.clone(), bad.reason.clone())];
    expected.extend(bad.also.iter().cloned());
    let code = bad.code.as_deref().unwrap_or("INVALID_ARGUMENT");
    let found_code = name_of(status.code());
    (found_code != code || found != expected).then(|| format!("{found_code} {found:?}: {}", status.message()))
}

/// As gRPC writes it: `INVALID_ARGUMENT`.
fn name_of(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

/// All that the databases hold, as text.
async fn contents(databases: &[(Db, Vec<String>)]) -> Vec<String> {
    let mut contents = Vec::new();
    for (database, queries) in databases {
        for query in queries {
            contents.extend(texts(database, query).await);
        }
    }
    contents
}

/// For each table the query that tells its rows as text.
async fn queries(database: &Db) -> Vec<String> {
    let mut queries = Vec::new();
    // The check of the books goes on by itself, beside all that is asked.
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'ledger_check%' ORDER BY name";
    for table in texts(database, tables).await {
        let columns = texts(database, &format!("SELECT name FROM pragma_table_info('{table}')")).await;
        let row: Vec<_> = columns.iter().map(|column| format!("quote(\"{column}\")")).collect();
        let row = row.join(" || ',' || ");
        queries.push(format!("SELECT '{table}: ' || {row} FROM \"{table}\" ORDER BY 1"));
    }
    queries
}

async fn texts(database: &Db, sql: &str) -> Vec<String> {
    let query = Statement::from_string(database.backend(), sql);
    let rows = database.reader().query_all_raw(query).await.expect(sql);
    rows.iter()
        .map(|row| row.try_get_by_index(0).expect("a text"))
        .collect()
}

async fn open(world: &World) -> Vec<(Db, Vec<String>)> {
    let opened = world.databases().map(|url| async move {
        let config = DatabaseConfig {
            url: url.to_owned(),
            max_connections: 5,
        };
        let database = Db::connect(&config).await.expect("the database");
        let queries = queries(&database).await;
        (database, queries)
    });
    join_all(opened).await
}

fn message(of: &MessageDescriptor, fields: &toml::Table, names: &BTreeMap<&str, String>) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for (name, value) in fields {
        let field = of
            .get_field_by_name(name)
            .unwrap_or_else(|| panic!("{} has no field {name}", of.full_name()));
        message.set_field(&field, value_of(&field, value, names));
    }
    message
}

fn value_of(field: &FieldDescriptor, value: &toml::Value, names: &BTreeMap<&str, String>) -> Value {
    match (value, field.kind()) {
        (toml::Value::Array(values), _) => {
            Value::List(values.iter().map(|value| value_of(field, value, names)).collect())
        }
        (toml::Value::Table(fields), Kind::Message(of)) => Value::Message(message(&of, fields, names)),
        (toml::Value::String(text), Kind::String) => Value::String(text_of(text, names)),
        (toml::Value::String(text), Kind::Enum(of)) => Value::EnumNumber(
            of.get_value_by_name(text)
                .unwrap_or_else(|| panic!("no {text}"))
                .number(),
        ),
        (toml::Value::Boolean(value), Kind::Bool) => Value::Bool(*value),
        (toml::Value::Integer(number), Kind::Enum(_)) => Value::EnumNumber((*number).try_into().expect("an i32")),
        (toml::Value::Integer(number), Kind::Uint32) => Value::U32((*number).try_into().expect("a u32")),
        (toml::Value::Integer(number), Kind::Int32) => Value::I32((*number).try_into().expect("an i32")),
        (toml::Value::Integer(number), Kind::Uint64) => Value::U64((*number).try_into().expect("a u64")),
        (toml::Value::Integer(number), Kind::Int64) => Value::I64(*number),
        (value, kind) => panic!("{value} is no {kind:?} for {}", field.full_name()),
    }
}

fn text_of(text: &str, names: &BTreeMap<&str, String>) -> String {
    match text.strip_prefix('$') {
        Some("new") => RequestId::new().to_string(),
        Some(name) => match name.split_once('*') {
            // `$x*300`: so many of this letter.
            Some((letter, times)) => letter.repeat(times.parse().expect("a number")),
            None => names.get(name).unwrap_or_else(|| panic!("there is no {name}")).clone(),
        },
        None => text.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_has_a_deadline() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::faultless());
    let settings = [("SERVER__DEADLINE", "500ms")];
    let world = World::start_with(Engine::Sqlite, &bus, moment(), &settings)
        .await
        .expect("a world");
    let operator = token(world.keys(), "operator:test");
    for address in world.addresses() {
        let channel = channel(address);
        let methods = raw::methods(&channel).await.expect("methods");
        let paths: Vec<String> = methods.iter().map(raw::path_of).collect();
        let calls = paths.iter().map(|path| ends(&channel, path, &operator));
        let endless: Vec<String> = join_all(calls).await.into_iter().flatten().collect();
        assert!(endless.is_empty(), "{endless:#?}");
        assert!(paths.len() > 10, "{paths:?}");
    }
    world.stop().await.expect("a good end");
}

/// What is wrong with the end of a call whose message never comes.
async fn ends(channel: &Channel, path: &str, token: &str) -> Option<String> {
    let status = raw::call_without_message(channel, path, token).await.err();
    let reason = status
        .as_ref()
        .and_then(StatusExt::get_details_error_info)
        .map(|info| info.reason);
    let good = status
        .as_ref()
        .is_some_and(|status| status.code() == Code::DeadlineExceeded)
        && reason.as_deref() == Some("DEADLINE_PASSED");
    (!good).then(|| format!("{path}: {status:?}"))
}
