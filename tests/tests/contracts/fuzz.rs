//! Calls that nobody would write: random and mutated messages for every method. Whatever comes, the answer is a decision
//! and never a mishap: no panic, no INTERNAL, no UNKNOWN, and every refusal has a reason.
//!
//! `VOUCH_FUZZ_SEED=17` plays another run.

use std::{collections::BTreeMap, env};

use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor, Value, prost::Message,
};
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use vouch_suite::{SERVICES, raw};

use crate::{channel, token, world};

/// How deep messages hold messages.
const DEPTH: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_is_a_mishap() {
    Box::pin(fuzz(5_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: 100,000 calls for each service"]
async fn long_no_call_is_a_mishap() {
    Box::pin(fuzz(100_000)).await;
}

/// So many calls of each service.
async fn fuzz(calls: u32) {
    let seed: u64 = env::var("VOUCH_FUZZ_SEED").map_or_else(|_| rand::random(), |seed| seed.parse().expect("a number"));
    eprintln!("VOUCH_FUZZ_SEED={seed}");
    let world = world().await;
    let operator = token(world.keys(), "operator:fuzz");
    for (name, address) in SERVICES.iter().zip(world.addresses()) {
        let channel = channel(address);
        let mut methods = raw::methods(&channel).await.expect("methods");
        // A clock that leaps over centuries is a test of its own.
        methods.retain(|method| method.name() != "SetTestClock");
        let (mut codes, mut before) = (BTreeMap::new(), 0);
        for nth in 0..calls {
            let mut rng = StdRng::seed_from_u64(seed ^ u64::from(nth).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let method = &methods[rng.random_range(0..methods.len())];
            let message = message(&mut rng, method);
            let answer = raw::call(&channel, &raw::path_of(method), message.clone().into(), Some(&operator)).await;
            let code = answer.as_ref().map_or_else(Status::code, |_| Code::Ok);
            if let Err(status) = &answer {
                check(method, status, &message);
            }
            *codes.entry(format!("{code:?}")).or_insert(0_u32) += 1;
            if nth == calls / 5 {
                before = resident_kib();
            }
        }
        let grown = resident_kib().saturating_sub(before);
        eprintln!("{name}: {codes:?}, {grown} KiB more than after a fifth of the calls");
        assert!(grown < 64 * 1024, "{name} has grown by {grown} KiB");
        assert!(codes.len() > 1, "{name} says the same to everything: {codes:?}");
    }
    world.stop().await.expect("a good end");
}

/// What this process, and all four services in it, hold in memory.
fn resident_kib() -> u64 {
    vouch_testkit::tools::resident_kib(std::process::id())
}

fn check(method: &MethodDescriptor, status: &Status, message: &[u8]) {
    let told = || format!("{} of {message:02x?}: {status:?}", method.full_name());
    let mishap = [Code::Internal, Code::Unknown, Code::DataLoss, Code::DeadlineExceeded];
    assert!(!mishap.contains(&status.code()), "{}", told());
    let info = status
        .get_details_error_info()
        .unwrap_or_else(|| panic!("no reason: {}", told()));
    assert!(!info.reason.is_empty() && info.domain == "vouch", "{}", told());
    if status.code() == Code::InvalidArgument && info.reason == "INVALID_REQUEST" {
        let violations = status
            .get_details_bad_request()
            .map_or(0, |bad| bad.field_violations.len());
        assert!(violations > 0, "{}", told());
    }
}

/// A message of random fields; now and then its bytes are spoiled.
fn message(rng: &mut StdRng, method: &MethodDescriptor) -> Vec<u8> {
    let mut bytes = random(rng, &method.input(), DEPTH).encode_to_vec();
    match rng.random_range(0..10) {
        0 if !bytes.is_empty() => {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8);
        }
        1 => bytes.truncate(rng.random_range(0..=bytes.len())),
        2 => {
            let mut noise = vec![0; rng.random_range(0..64)];
            rng.fill_bytes(&mut noise);
            bytes.extend(noise);
        }
        _ => {}
    }
    bytes
}

fn random(rng: &mut StdRng, of: &MessageDescriptor, depth: u32) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for field in of.fields() {
        if rng.random_bool(0.2) || field.is_map() {
            continue;
        }
        let value = if field.cardinality() == Cardinality::Repeated {
            let values = (0..rng.random_range(0..4)).filter_map(|_| value(rng, &field, depth));
            Value::List(values.collect())
        } else {
            let Some(value) = value(rng, &field, depth) else {
                continue;
            };
            value
        };
        message.set_field(&field, value);
    }
    message
}

fn value(rng: &mut StdRng, field: &FieldDescriptor, depth: u32) -> Option<Value> {
    let edge = |rng: &mut StdRng| [0, 1, -1, 2, 100, i64::MAX, i64::MIN, 10_i64.pow(13)][rng.random_range(0..8)];
    Some(match field.kind() {
        Kind::String => Value::String(text(rng, field.name())),
        Kind::Bytes => Value::Bytes(vec![0xff; rng.random_range(0..8)].into()),
        Kind::Bool => Value::Bool(rng.random()),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(edge(rng)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(rng.random()),
        Kind::Uint32 | Kind::Fixed32 => Value::U32([0, 1, 50, 1_000, u32::MAX][rng.random_range(0..5)]),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(rng.random()),
        Kind::Enum(_) => Value::EnumNumber(rng.random_range(-1..6)),
        Kind::Message(of) if depth > 0 => Value::Message(random(rng, &of, depth - 1)),
        Kind::Message(_) | Kind::Float | Kind::Double => return None,
    })
}

/// Often what a field wants, by its name, so that calls get past the first check.
fn text(rng: &mut StdRng, name: &str) -> String {
    const STRANGE: [&str; 10] = [
        "",
        " ",
        "x",
        "\u{0}",
        "a\r\nBcc: all@x.example",
        "\u{202e}abc",
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        "ﷺ",
        "00000000-0000-0000-0000-000000000000",
    ];
    if rng.random_bool(0.3) {
        return STRANGE[rng.random_range(0..STRANGE.len())].to_owned();
    }
    if rng.random_bool(0.02) {
        return "long ".repeat(rng.random_range(0..5_000));
    }
    match name {
        _ if name == "id" || name.ends_with("_id") => vouch_primitives::RequestId::new().to_string(),
        _ if name.contains("email") => format!("p{}@talent.example", rng.random_range(0..50)),
        "currency_code" => ["USD", "JPY", "KWD", "usd", "XXX"][rng.random_range(0..5)].to_owned(),
        _ if name.contains("token") => "A".repeat(43),
        _ if name.contains("code") => "ABCD2345".to_owned(),
        _ => format!("words {}", rng.random_range(0..100)),
    }
}
