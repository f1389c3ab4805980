//! Clicks on links, of many visitors at the same time: in the line that stores all that wait at once, each by itself with
//! shared commits, and the statements of the first by themselves.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{task::JoinSet, time::Instant};
use vouch_primitives::{Clock, RequestId, SystemClock};
use vouch_referral::{
    app::{App, touching::RecordTouch},
    domain::TypedCode,
    migration::Migrator,
};
use vouch_storage::Db;
use vouch_suite::Error;
use vouch_testkit::{Engine, TestDatabase};

use crate::{
    report::micros,
    scene::Scene,
    stage::{open, referral_app},
    tape::{Score, Tape},
};

/// How clicks are stored.
#[derive(Clone, Copy)]
pub enum Way {
    /// All that wait, in one transaction.
    Line,
    /// Each in a transaction of its own, which share their commits.
    Each,
}

/// How long `visitors`, each of whom clicks again when the last click is stored, need for `count` clicks.
pub async fn stored(
    engine: Engine,
    scene: &Scene,
    way: Way,
    visitors: usize,
    count: usize,
    tape: Option<&Arc<Tape>>,
) -> Result<u64, Error> {
    let database = TestDatabase::new(engine).await;
    let (db, app) = set(&database, scene, tape).await?;
    let code = TypedCode::Drawn(scene.code().ok_or("nobody vouches")?);
    let left = Arc::new(AtomicUsize::new(count));
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..visitors {
        let (app, code, left) = (app.clone(), code.clone(), Arc::clone(&left));
        tasks.spawn(async move {
            let another = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, another).is_ok() {
                let click = click(&code);
                match way {
                    Way::Line => app.record_touch(click).await?,
                    Way::Each => app.store_touches(&[(click, SystemClock.now())]).await?,
                }
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(outcome) = tasks.join_next().await {
        outcome??;
    }
    let took = micros(begin.elapsed());
    db.close().await?;
    Ok(took)
}

/// How long the statements on a tape need by themselves.
pub async fn alone(engine: Engine, scene: &Scene, score: Score) -> Result<u64, Error> {
    let database = TestDatabase::new(engine).await;
    let (db, _) = set(&database, scene, None).await?;
    let begin = Instant::now();
    score.play(&db).await?;
    let took = micros(begin.elapsed());
    db.close().await?;
    Ok(took)
}

async fn set(database: &TestDatabase, scene: &Scene, tape: Option<&Arc<Tape>>) -> Result<(Db, App), Error> {
    let db = open(database, tape).await?;
    vouch_storage::migrate::<Migrator>(&db).await?;
    let keys = tempfile::tempdir()?;
    let app = referral_app(&db, keys.path())?;
    app.prepare().await?;
    scene.write(&db).await?;
    if let Some(tape) = tape {
        tape.rewind();
    }
    Ok((db, app))
}

fn click(code: &TypedCode) -> RecordTouch {
    let id = RequestId::new();
    RecordTouch {
        id,
        code: code.clone(),
        link: None,
        visitor: id.as_uuid().simple().to_string(),
        device: None,
        network: None,
    }
}
