//! Whether the path of an earning becomes slower with what is stored: the same earnings, beside few and beside many.

use sea_orm::{ConnectionTrait, Statement};
use vouch_referral::domain::Tie;
use vouch_storage::{Db, DbBackend, StorageError};
use vouch_suite::Error;
use vouch_testkit::Engine;

use crate::{
    path,
    report::load,
    scene::{AMOUNT, SHARE, Scene},
    stage::Stage,
};

/// How many rows are written in one statement.
const AT_ONCE: usize = 250_000;

/// How long `count` earnings take beside so many stored ones and their releases, in microseconds: beside few and beside many in
/// turn, as often as there are runs, so that whatever becomes of the machine meanwhile concerns both.
pub async fn in_turn(
    engine: Engine,
    scene: &Scene,
    stored: [usize; 2],
    (count, batch, runs): (usize, usize, usize),
) -> Result<[Vec<(u64, String)>; 2], Error> {
    let stages = [
        Stage::set(engine, scene, None).await?,
        Stage::set(engine, scene, None).await?,
    ];
    for (stage, rows) in stages.iter().zip(stored) {
        store(&stage.referral, scene, rows).await?;
    }
    let mut taken = [Vec::new(), Vec::new()];
    // The first run of each warms its caches, and is not counted.
    for run in 0..=runs {
        for (stage, taken) in stages.iter().zip(&mut taken) {
            let busy = load();
            let took = path::on_stage(stage, scene, count, batch).await?;
            if run > 0 {
                taken.push((took, busy));
            }
        }
    }
    Ok(taken)
}

/// Writes earnings of the referees in turn, and a release for each, as if they had come long ago.
async fn store(db: &Db, scene: &Scene, rows: usize) -> Result<(), Error> {
    let joined = scene.ties.first().and_then(Tie::joined);
    let month = joined.map_or(0, |joined| joined.start_of_month().as_micros());
    for first in (0..rows).step_by(AT_ONCE) {
        let last = rows.min(first + AT_ONCE) - 1;
        let backend = db.backend();
        let note = format!("INSERT INTO earning_month (month_at) VALUES ({month}) ON CONFLICT DO NOTHING");
        let statements = [
            note,
            earnings(backend, month, first, last),
            releases(backend, first, last),
        ];
        let statements = &statements;
        db.write_tx(|txn| async move {
            for sql in statements {
                txn.execute_raw(Statement::from_string(txn.get_database_backend(), sql.clone()))
                    .await?;
            }
            Ok::<_, StorageError>(())
        })
        .await?;
    }
    if db.backend() == DbBackend::Postgres {
        for table in ["earning", "reward_release"] {
            let analyze = Statement::from_string(DbBackend::Postgres, format!("VACUUM ANALYZE {table}"));
            db.reader().execute_raw(analyze).await?;
        }
    }
    Ok(())
}

/// The ties with their numbers, and the numbers of the rows.
fn numbered(backend: DbBackend, first: usize, last: usize) -> String {
    let numbers = match backend {
        DbBackend::Postgres => format!("numbers AS (SELECT generate_series({first}, {last}) AS n)"),
        _ => format!("numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"),
    };
    let recursive = if backend == DbBackend::Postgres {
        ""
    } else {
        "RECURSIVE "
    };
    format!(
        "WITH {recursive}{numbers}, ties AS (SELECT id, referrer_id, referee_person_id, joined_at, \
         ROW_NUMBER() OVER (ORDER BY id) - 1 AS nth FROM attribution), \
         rows AS (SELECT n, ties.* FROM numbers JOIN ties ON ties.nth = n % (SELECT COUNT(*) FROM attribution)) "
    )
}

/// The id of a row: they ascend, as those of the services do, and are all smaller.
fn id(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "CAST(lpad(to_hex(n), 32, '0') AS uuid)",
        _ => "unhex(printf('%032x', n))",
    }
}

fn earnings(backend: DbBackend, month: i64, first: usize, last: usize) -> String {
    let (rows, id) = (numbered(backend, first, last), id(backend));
    let into = "INSERT INTO earning (id, person_id, account_id, client_id, contract_id, currency, amount_minor, \
                occurred_at, settled_at, month_at)";
    let select = format!(
        "SELECT {id}, referee_person_id, referee_person_id, referee_person_id, referee_person_id, 'USD', {AMOUNT}, \
         joined_at + n, joined_at + n, {month} FROM rows"
    );
    format!("{into} {rows} {select}")
}

fn releases(backend: DbBackend, first: usize, last: usize) -> String {
    let rows = numbered(backend, first, last);
    // Of an epoch before this one, so that the numbers of this one are free.
    let into = "INSERT INTO reward_release (tie_id, kind, currency, epoch, sequence, referrer_id, amount_minor, \
                cumulative_minor, released_at, month_at)";
    let select = format!(
        "SELECT id, 'LIFETIME_SHARE', 'USD', 1, n, referrer_id, {SHARE}, {SHARE}, joined_at + n, joined_at FROM rows"
    );
    format!("{into} {rows} {select}")
}
