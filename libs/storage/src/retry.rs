//! How often and how soon what lost against another one is done again.

use std::time::Duration;

/// How often it is done again before it counts as failed.
pub(crate) const RETRIES: u32 = 5;

/// Waits a random time, so that those who met do not meet again: up to 10, 20, 40, 80, 160 ms.
pub(crate) async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(rand::random_range(1..=5 << attempt))).await;
}
