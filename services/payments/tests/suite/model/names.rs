//! What the things of a script are called by the service.
//!
//! A script names things by where they come from: contract `c3`, its milestone `c3/m0`, its bonus `c3/b1`, its invoice
//! `c3/2026-03-09`; and an earning by what it was paid for.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use vouch_primitives::Uuid;

#[derive(Default)]
pub struct Names(Mutex<Known>);

#[derive(Default)]
struct Known {
    ids: HashMap<String, String>,
    names: HashMap<String, String>,
}

impl Names {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn learn(&self, name: &str, id: &str) {
        let mut known = self.known();
        known.ids.insert(name.to_owned(), id.to_owned());
        known.names.insert(id.to_owned(), name.to_owned());
    }

    pub fn id(&self, name: &str) -> Option<String> {
        self.known().ids.get(name).cloned()
    }

    /// The id, or one that nothing has.
    pub fn id_or_none_there_is(&self, name: &str) -> String {
        let made_up = || Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).to_string();
        self.id(name).unwrap_or_else(made_up)
    }

    pub fn name(&self, id: &str) -> Option<String> {
        self.known().names.get(id).cloned()
    }

    /// The names of this form: contracts such as `c3` for `is_contract`.
    pub fn all(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let known = self.known();
        let found = known.ids.iter().filter(|(name, _)| wanted(name));
        let mut found: Vec<_> = found.map(|(name, id)| (name.clone(), id.clone())).collect();
        found.sort();
        found
    }
}

/// The contract of what is named by it.
pub fn contract_of(name: &str) -> &str {
    name.split('/').next().unwrap_or(name)
}

/// The ids of what nobody asks the service to name: accounts, persons, clients and ties.
pub fn given(name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}
