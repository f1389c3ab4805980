//! Clients: the companies that hire. Any client on any plan may invite [B4].

use std::ops::RangeInclusive;

use vouch_primitives::{ClientId, EmailAddress, HiringManagerId, Timestamp};

/// How many hiring managers a client may have.
pub const HIRING_MANAGERS: RangeInclusive<usize> = 1..=50;
/// How long the name of a company or a person may be, in characters.
pub const NAME_LENGTH: RangeInclusive<usize> = 1..=200;

/// A company that hires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its name as talent sees it.
    pub company_name: String,
    /// Its membership plan.
    pub plan: Plan,
    /// The people who hire for it, in the order in which they were named; never empty.
    pub hiring_managers: Vec<HiringManager>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// Somebody who hires for a client, and to whom talent writes [B26].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiringManager {
    /// Their id.
    pub id: HiringManagerId,
    /// The name that talent sees.
    pub display_name: String,
    /// Where messages from talent go.
    pub email: EmailAddress,
}

/// The membership plan of a client; it decides requirements and limits [B4].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The free plan.
    Basic,
    /// The plan of teams that hire regularly.
    BusinessPlus,
    /// The plan of large companies.
    Enterprise,
}

impl Client {
    /// The hiring manager with this id, or the first one when none is named.
    #[must_use]
    pub fn hiring_manager(&self, named: Option<HiringManagerId>) -> Option<&HiringManager> {
        match named {
            Some(id) => self.hiring_managers.iter().find(|manager| manager.id == id),
            None => self.hiring_managers.first(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str) -> HiringManager {
        HiringManager {
            id: HiringManagerId::new(),
            display_name: name.to_owned(),
            email: format!("{name}@example.com").parse().expect("an address"),
        }
    }

    #[test]
    fn the_first_hiring_manager_stands_in() {
        let client = Client {
            id: ClientId::new(),
            company_name: "Acme".to_owned(),
            plan: Plan::Basic,
            hiring_managers: vec![manager("grace"), manager("joan")],
            created_at: Timestamp::EPOCH,
        };
        let [grace, joan] = [0, 1].map(|nth| &client.hiring_managers[nth]);
        assert_eq!(client.hiring_manager(None), Some(grace));
        assert_eq!(client.hiring_manager(Some(joan.id)), Some(joan));
        assert_eq!(client.hiring_manager(Some(HiringManagerId::new())), None);
    }
}
