//! How many streams there may be at a time: calls that last are counted apart from all others.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tonic::Status;

use super::status;

/// The streams of one kind, counted for whom they are: for whose document it will be, or for who reads. Clones share the
/// count.
#[derive(Clone, Debug)]
pub struct Slots<K> {
    all: usize,
    of_one: usize,
    taken: Arc<Mutex<HashMap<K, usize>>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Slot<K: Clone + Eq + Hash> {
    slots: Slots<K>,
    whose: K,
}

impl<K: Clone + Eq + Hash> Slots<K> {
    /// At most `all` streams, and at most `of_one` for one.
    #[must_use]
    pub fn new(all: usize, of_one: usize) -> Self {
        Self {
            all,
            of_one,
            taken: Arc::default(),
        }
    }

    /// Takes one.
    ///
    /// # Errors
    /// UNAVAILABLE with OVERLOADED, if none is left, or none for this one.
    pub fn take(&self, whose: K) -> Result<Slot<K>, Status> {
        let mut taken = self.lock();
        let own = taken.get(&whose).copied().unwrap_or_default();
        if own >= self.of_one || taken.values().sum::<usize>() >= self.all {
            return Err(status::unavailable(
                "there are as many of these streams as the service takes on",
                status::OVERLOADED,
            ));
        }
        taken.insert(whose.clone(), own + 1);
        Ok(Slot {
            slots: self.clone(),
            whose,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Clone + Eq + Hash> Drop for Slot<K> {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        match taken.get_mut(&self.whose) {
            Some(own) if *own > 1 => *own -= 1,
            _ => {
                taken.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vouch_primitives::PersonId;

    use super::*;

    #[test]
    fn a_slot_is_free_again_when_it_is_dropped() {
        let slots = Slots::new(3, 2);
        let (ada, eve) = (PersonId::new(), PersonId::new());
        let first = slots.take(ada).expect("free");
        let _second = slots.take(ada).expect("free");
        assert!(slots.take(ada).is_err(), "two of one");
        let third = slots.take(eve).expect("free");
        assert!(slots.take(eve).is_err(), "three in all");
        drop(third);
        assert!(slots.take(ada).is_err(), "two of one, whoever else has gone");
        drop(first);
        let _again = slots.take(ada).expect("free again");
        let _other = slots.take(eve).expect("free again");
        assert_eq!(slots.lock().values().sum::<usize>(), 3);
    }
}
