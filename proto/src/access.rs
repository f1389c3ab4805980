//! Who may call which method, as the contracts say.

/// The policy of one method: its option `vouch.common.v1.access`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// `/package.Service/Method`.
    pub path: &'static str,
    /// Whether anybody may call, with or without a token.
    pub anyone: bool,
    /// The services that may.
    pub services: &'static [&'static str],
    /// The field of the request that names a client, or what is a client's; empty if clients may not call.
    pub client: &'static str,
    /// The field of the request that names a person, or what is a person's; empty if people may not call.
    pub person: &'static str,
}

/// A request whose fields can be read by the name that a policy gives them.
pub trait NamedFields {
    /// The text of this field; empty if it is not set or there is none.
    fn named(&self, field: &str) -> &str;
}

#[allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
mod generated {
    use super::{Access, NamedFields};

    include!(concat!(env!("OUT_DIR"), "/policies.rs"));
}

/// The policy of the method at this path; without one, nobody may call it.
#[must_use]
pub fn access_of(path: &str) -> Option<&'static Access> {
    let policies = generated::POLICIES;
    let found = policies.binary_search_by(|policy| policy.path.cmp(path)).ok()?;
    policies.get(found)
}
