//! The use cases, one file per resource, and the only place where a transaction opens.
//!
//! | file | what happens there |
//! |---|---|
//! | [`contracts`] | an accepted offer begins a contract |
//! | [`milestones`] | agreed, funded, submitted, approved by the client or by silence |
//! | [`earnings`] | settled when available, refunded |
//! | [`rewards`] | what the referral programme releases is posted |
//! | [`ledger`] | balances, statements, the trial balance |
//!
//! Each use case opens a transaction, locks and reads, lets [`crate::domain`] decide, writes once, and appends the
//! events. A query reads and returns domain values.

pub mod contracts;
pub mod earnings;
pub mod ledger;
pub mod milestones;
pub mod rewards;

use vouch_runtime::Commands;

pub use crate::store::Page;

/// The use cases of payments. Clones share the database.
#[derive(Clone, Debug)]
pub struct App {
    commands: Commands,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct Listed<T, K> {
    /// The items.
    pub items: Vec<T>,
    /// The key after which the next page begins; `None` on the last.
    pub next: Option<K>,
}

impl App {
    /// The use cases on a service's database and clock.
    #[must_use]
    pub const fn new(commands: Commands) -> Self {
        Self { commands }
    }
}

impl<K: Copy> Page<K> {
    /// The page with one item more, which tells whether there is another page.
    fn and_one_more(self) -> Self {
        Self {
            size: self.size + 1,
            ..self
        }
    }

    /// Cuts off the item too many, if it is there.
    fn cut<T>(self, mut items: Vec<T>, key: impl Fn(&T) -> K) -> Listed<T, K> {
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let more = items.len() > size;
        items.truncate(size);
        let next = items.last().filter(|_| more).map(key);
        Listed { items, next }
    }
}
