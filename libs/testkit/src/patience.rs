//! Waiting for what happens soon, without guessing how soon.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Asks `probe` again and again until it answers `Ok`, and gives that answer. `Err` says how far things are; the last
/// one is shown when `limit` has passed.
///
/// # Panics
/// When the condition has not come true within `limit`: `what` and the last status are in the message.
pub async fn eventually<T>(what: &str, limit: Duration, mut probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(2);
    let mut last = "never asked".to_owned();
    loop {
        match timeout_at(deadline, probe()).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(status)) => last = status,
            Err(_) => panic!("{what}: not within {limit:?}; the probe did not answer, before that: {last}"),
        }
        assert!(
            Instant::now() < deadline,
            "{what}: not within {limit:?}; last status: {last}"
        );
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_answer_comes_through() {
        let mut asked = 0;
        let answer = eventually("three", Duration::from_secs(5), async || {
            asked += 1;
            if asked == 3 {
                Ok(asked)
            } else {
                Err(format!("at {asked}"))
            }
        });
        assert_eq!(answer.await, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "rain: not within 20ms; last status: dry")]
    async fn the_last_status_is_in_the_failure() {
        eventually("rain", Duration::from_millis(20), async || {
            Err::<(), _>("dry".to_owned())
        })
        .await;
    }

    #[tokio::test]
    #[should_panic(expected = "the probe did not answer")]
    async fn a_probe_that_hangs_is_not_waited_for() {
        eventually("godot", Duration::from_millis(20), async || {
            std::future::pending::<Result<(), String>>().await
        })
        .await;
    }
}
