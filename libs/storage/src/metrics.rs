//! What is measured of the database: each statement by what it does, and the connections, which are counted only when
//! somebody asks.

use opentelemetry::{
    KeyValue, global,
    metrics::{AsyncInstrument, Histogram},
};
use sea_orm::{DatabaseConnection, DbBackend};

/// The boundaries that the convention asks for, in seconds.
const SECONDS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

const OPERATIONS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
const OTHER: &str = "OTHER";

/// Measures the statements of `conn`, by their first word; the text itself is told to nobody.
pub(crate) fn measure(conn: &mut DatabaseConnection) {
    let durations: Histogram<f64> = global::meter("vouch")
        .f64_histogram("db.client.operation.duration")
        .with_description("how long statements took")
        .with_unit("s")
        .with_boundaries(SECONDS.to_vec())
        .build();
    let system = system_of(conn.get_database_backend());
    let labels = |failed: bool| {
        OPERATIONS.into_iter().chain([OTHER]).map(move |operation| {
            let mut labels = vec![
                KeyValue::new("db.system.name", system),
                KeyValue::new("db.operation.name", operation),
            ];
            if failed {
                labels.push(KeyValue::new("error.type", "failed"));
            }
            labels
        })
    };
    // Made once, so that a statement costs no allocation here.
    let (good, bad): (Vec<_>, Vec<_>) = (labels(false).collect(), labels(true).collect());
    conn.set_metric_callback(move |info| {
        let word = info.statement.sql.trim_start().as_bytes();
        let is_it = |name: &str| {
            word.get(..name.len())
                .is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        let at = OPERATIONS
            .iter()
            .position(|name| is_it(name))
            .unwrap_or(OPERATIONS.len());
        let labels = if info.failed { &bad[at] } else { &good[at] };
        durations.record(info.elapsed.as_secs_f64(), labels);
    });
}

/// Counts the connections of a pool, `max` of them at most.
pub(crate) fn count(conn: &DatabaseConnection, pool: &'static str, max: u32) {
    let conn = conn.clone();
    let observe = move |counts: &dyn AsyncInstrument<i64>| {
        let (size, idle) = match conn.get_database_backend() {
            DbBackend::Postgres => {
                let pool = conn.get_postgres_connection_pool();
                (pool.size(), pool.num_idle())
            }
            _ => {
                let pool = conn.get_sqlite_connection_pool();
                (pool.size(), pool.num_idle())
            }
        };
        let idle = i64::try_from(idle).unwrap_or(i64::MAX);
        for (state, count) in [("idle", idle), ("used", (i64::from(size) - idle).max(0))] {
            counts.observe(
                count,
                &[of_pool(pool), KeyValue::new("db.client.connection.state", state)],
            );
        }
    };
    let meter = global::meter("vouch");
    let _ = meter
        .i64_observable_up_down_counter("db.client.connection.count")
        .with_description("connections that are open")
        .with_unit("{connection}")
        .with_callback(observe)
        .build();
    let _ = meter
        .i64_observable_up_down_counter("db.client.connection.max")
        .with_description("connections that may be open")
        .with_unit("{connection}")
        .with_callback(move |most| most.observe(max.into(), &[of_pool(pool)]))
        .build();
}

/// Counts a request that came again: with its answer, or as another request.
pub(crate) fn repeated(method: &str, conflict: bool) {
    let (name, text) = if conflict {
        ("vouch.idempotency.conflicts", "requests under the id of another one")
    } else {
        ("vouch.idempotency.replayed", "requests that were answered before")
    };
    // Rare, so that the instrument is looked up each time; the meter knows it again.
    global::meter("vouch")
        .u64_counter(name)
        .with_unit("{request}")
        .with_description(text)
        .build()
        .add(1, &[KeyValue::new("method", method.to_owned())]);
}

fn of_pool(name: &'static str) -> KeyValue {
    KeyValue::new("db.client.connection.pool.name", name)
}

fn system_of(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres {
        "postgresql"
    } else {
        "sqlite"
    }
}
