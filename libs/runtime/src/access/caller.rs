//! Who calls.

use std::fmt;
use std::str::FromStr;

use tonic::Request;
use vouch_primitives::{ClientId, PersonId};

/// Who calls, as the subject of a token names them: `operator:jo`, `service:payments`, `client:<id>`, `person:<id>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Caller {
    /// Somebody who came without a token.
    Anybody,
    /// Somebody who runs this Vouch.
    Operator(String),
    /// Another service.
    Service(String),
    /// A client.
    Client(ClientId),
    /// A person.
    Person(PersonId),
}

/// Whose a thing is. Both may be: a contract is its client's and its talent's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// The client.
    pub client: Option<ClientId>,
    /// The person.
    pub person: Option<PersonId>,
}

/// The subject of a token names nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a subject is operator:<name>, service:<name>, client:<id> or person:<id>")]
pub struct BadSubject;

impl Caller {
    /// Who sent this request. Without the access layer in front that is anybody.
    pub fn of<T>(request: &Request<T>) -> Self {
        request.extensions().get().cloned().unwrap_or(Self::Anybody)
    }

    /// Whether the caller may have to do with what belongs to `owners`: clients and people with what is theirs,
    /// operators and services with all that the method's policy lets them call.
    #[must_use]
    pub fn may_touch(&self, owners: &Owners) -> bool {
        match self {
            Self::Anybody => false,
            Self::Operator(_) | Self::Service(_) => true,
            Self::Client(id) => owners.client == Some(*id),
            Self::Person(id) => owners.person == Some(*id),
        }
    }
}

impl Owners {
    /// What belongs to a client.
    #[must_use]
    pub fn client(client: ClientId) -> Self {
        Self {
            client: Some(client),
            person: None,
        }
    }

    /// What belongs to a person.
    #[must_use]
    pub fn person(person: PersonId) -> Self {
        Self {
            client: None,
            person: Some(person),
        }
    }

    /// What belongs to a client and to a person.
    #[must_use]
    pub fn both(client: ClientId, person: PersonId) -> Self {
        Self {
            client: Some(client),
            person: Some(person),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anybody => f.write_str("anybody"),
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::Service(name) => write!(f, "service:{name}"),
            Self::Client(id) => write!(f, "client:{id}"),
            Self::Person(id) => write!(f, "person:{id}"),
        }
    }
}

impl FromStr for Caller {
    type Err = BadSubject;

    fn from_str(subject: &str) -> Result<Self, BadSubject> {
        let (kind, name) = subject.split_once(':').ok_or(BadSubject)?;
        let is_name = |name: &str| {
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b))
        };
        match kind {
            "operator" if is_name(name) => Ok(Self::Operator(name.to_owned())),
            "service" if is_name(name) => Ok(Self::Service(name.to_owned())),
            "client" => name.parse().map(Self::Client).map_err(|_| BadSubject),
            "person" => name.parse().map(Self::Person).map_err(|_| BadSubject),
            _ => Err(BadSubject),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01939f4e-0000-7000-8000-000000000001";

    #[test]
    fn subjects_read_as_they_are_written() {
        for subject in [
            "operator:jo",
            "service:payments",
            &format!("client:{ID}"),
            &format!("person:{ID}"),
        ] {
            let caller: Caller = subject.parse().expect(subject);
            assert_eq!(caller.to_string(), subject);
        }
        for subject in [
            "",
            "anybody",
            "operator:",
            "operator:a b",
            "client:jo",
            "root:jo",
            "person",
        ] {
            assert_eq!(subject.parse::<Caller>(), Err(BadSubject), "{subject:?}");
        }
    }

    #[test]
    fn people_and_clients_touch_what_is_theirs_alone() {
        let (mine, other) = (ClientId::new(), ClientId::new());
        let (me, them) = (PersonId::new(), PersonId::new());
        let contract = Owners::both(mine, me);
        for (caller, may) in [
            (Caller::Client(mine), true),
            (Caller::Client(other), false),
            (Caller::Person(me), true),
            (Caller::Person(them), false),
            (Caller::Operator("jo".to_owned()), true),
            (Caller::Service("referral".to_owned()), true),
            (Caller::Anybody, false),
        ] {
            assert_eq!(caller.may_touch(&contract), may, "{caller}");
        }
        assert!(!Caller::Client(mine).may_touch(&Owners::person(me)));
        assert!(!Caller::Person(me).may_touch(&Owners::default()));
    }
}
