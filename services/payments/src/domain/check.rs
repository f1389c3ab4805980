//! Whether the books are right: transfers are followed one by one, and what they come to is compared with what is stored.

use std::collections::{BTreeMap, btree_map::Entry};

use vouch_primitives::{Currency, Timestamp, Uuid};

use super::{LedgerAccountKind, account::Side};

/// A transfer as it stands in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Booked {
    /// Its place in the ledger.
    pub position: i64,
    /// The id of the debited ledger account, and the balance after it that was noted.
    pub debit: (Uuid, Option<i64>),
    /// The same of the credited one.
    pub credit: (Uuid, Option<i64>),
    /// How much.
    pub amount_minor: i64,
    /// When it was booked.
    pub booked_at: Timestamp,
}

/// What the transfers of a ledger account have come to, as far as they were followed. Of the platform's accounts, which
/// have no balance, a credit counts as raising it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// Their sum.
    pub sum_minor: i64,
    /// The balance that was noted with the last of them.
    pub after_minor: i64,
    /// When the last of them was booked, in microseconds.
    pub booked_at: i64,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The stored balance of an account is not the sum of its transfers.
    Balance,
    /// The balance that a transfer notes is not the one before it and its amount.
    BalanceAfter,
    /// The transfers of an account come to less than nothing.
    Negative,
    /// A transfer was booked under a moment before that of the one before it.
    Order,
    /// What was posted for rewards in a currency is not what the programme's account has paid.
    Rewards,
    /// What was posted for a tie is not the sum of its postings.
    RewardTotal,
}

/// Something that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The ledger account, or the tie.
    pub subject: Uuid,
    /// What.
    pub fault: Fault,
    /// The transfer, by its place in the ledger; 0 where it is not about one.
    pub position: i64,
    /// In which currency.
    pub currency: Currency,
    /// What there should be, in minor units; a moment where it is about the order.
    pub expected_minor: i64,
    /// What there is.
    pub found_minor: i64,
}

/// What is known of the ledger accounts that some transfers touch.
pub type Accounts = BTreeMap<Uuid, (LedgerAccountKind, Currency)>;

/// Follows transfers in the order of the ledger, and tells what is wrong about them. An account that was not followed
/// before begins with nothing; one that is unknown is left out, which the database does not admit.
pub fn follow(accounts: &Accounts, so_far: &mut BTreeMap<Uuid, Followed>, transfers: &[Booked]) -> Vec<Finding> {
    let mut found = Vec::new();
    for transfer in transfers {
        for (side, (id, after)) in [(Side::Debit, transfer.debit), (Side::Credit, transfer.credit)] {
            if let Some(account) = accounts.get(&id) {
                let account = (id, account.0, account.1);
                follow_leg(account, so_far.entry(id), (side, after), transfer, &mut found);
            }
        }
    }
    found
}

fn follow_leg(
    (id, kind, currency): (Uuid, LedgerAccountKind, Currency),
    so_far: Entry<'_, Uuid, Followed>,
    (side, after): (Side, Option<i64>),
    transfer: &Booked,
    found: &mut Vec<Finding>,
) {
    let followed = so_far.or_default();
    let raises = side == kind.normal_side();
    let change = if raises {
        transfer.amount_minor
    } else {
        -transfer.amount_minor
    };
    followed.sum_minor = followed.sum_minor.saturating_add(change);
    if !kind.has_balance() {
        return;
    }
    let mut wrong = |fault, expected_minor, found_minor| {
        found.push(Finding {
            subject: id,
            fault,
            position: transfer.position,
            currency,
            expected_minor,
            found_minor,
        });
    };
    let expected = followed.after_minor.saturating_add(change);
    let noted = after.unwrap_or(i64::MIN);
    if noted != expected {
        wrong(Fault::BalanceAfter, expected, noted);
    }
    if followed.sum_minor < 0 {
        wrong(Fault::Negative, 0, followed.sum_minor);
    }
    let at = transfer.booked_at.as_micros();
    if at < followed.booked_at {
        wrong(Fault::Order, followed.booked_at, at);
    }
    followed.after_minor = noted;
    followed.booked_at = at.max(followed.booked_at);
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Balance,
        Self::BalanceAfter,
        Self::Negative,
        Self::Order,
        Self::Rewards,
        Self::RewardTotal,
    ];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balance => "BALANCE",
            Self::BalanceAfter => "BALANCE_AFTER",
            Self::Negative => "NEGATIVE",
            Self::Order => "ORDER",
            Self::Rewards => "REWARDS",
            Self::RewardTotal => "REWARD_TOTAL",
        }
    }

    /// Whether it is about what is stored now, so that it may be mended; what a transfer says can never change.
    #[must_use]
    pub const fn is_of_now(self) -> bool {
        matches!(self, Self::Balance | Self::Rewards | Self::RewardTotal)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Uuid = Uuid::from_u128(1);
    const B: Uuid = Uuid::from_u128(2);
    const PLATFORM: Uuid = Uuid::from_u128(3);

    fn accounts() -> Accounts {
        [
            (A, (LedgerAccountKind::Available, Currency::USD)),
            (B, (LedgerAccountKind::Receivable, Currency::USD)),
            (PLATFORM, (LedgerAccountKind::Clearing, Currency::USD)),
        ]
        .into()
    }

    /// Transfers that bring each of two accounts so much, from the platform.
    fn sound(amounts: &[(bool, i64)]) -> Vec<Booked> {
        let (mut available, mut owed) = (0, 0);
        let book = |(at, (owes, amount_minor)): (usize, &(bool, i64))| {
            let position = i64::try_from(at).unwrap() + 1;
            let (debit, credit) = if *owes {
                owed += amount_minor;
                ((B, Some(owed)), (PLATFORM, None))
            } else {
                available += amount_minor;
                ((PLATFORM, None), (A, Some(available)))
            };
            Booked {
                position,
                debit,
                credit,
                amount_minor: *amount_minor,
                booked_at: Timestamp::from_micros(position / 3),
            }
        };
        amounts.iter().enumerate().map(book).collect()
    }

    proptest! {
        #[test]
        fn sound_books_are_sound_in_pieces_of_any_size(
            amounts in prop::collection::vec((any::<bool>(), 1..1_000_i64), 1..60),
            size in 1..70_usize,
        ) {
            let mut followed = BTreeMap::new();
            for piece in sound(&amounts).chunks(size) {
                prop_assert_eq!(follow(&accounts(), &mut followed, piece), vec![]);
            }
            let sum = |owes| amounts.iter().filter(|(of, _)| *of == owes).map(|(_, minor)| minor).sum::<i64>();
            let sum_of = |id| followed.get(&id).copied().unwrap_or_default().sum_minor;
            prop_assert_eq!((sum_of(A), sum_of(B), sum_of(PLATFORM)), (sum(false), sum(true), sum(true) - sum(false)));
        }

        #[test]
        fn whatever_is_changed_in_a_transfer_is_found(
            amounts in prop::collection::vec((any::<bool>(), 1..1_000_i64), 1..60),
            which in any::<prop::sample::Index>(),
            how in 0..4_u8,
        ) {
            let mut transfers = sound(&amounts);
            let wrong = which.get_mut(&mut transfers);
            let after = if wrong.debit.0 == B { &mut wrong.debit.1 } else { &mut wrong.credit.1 };
            match how {
                0 => *after = after.map(|minor| minor + 7),
                1 => *after = None,
                2 => wrong.amount_minor += 7,
                _ => wrong.booked_at = Timestamp::from_micros(-1),
            }
            let position = wrong.position;
            let found = follow(&accounts(), &mut BTreeMap::new(), &transfers);
            prop_assert!(found.iter().any(|finding| finding.position == position), "{found:?}");
        }
    }

    #[test]
    fn less_than_nothing_is_found() {
        let mut transfers = sound(&[(false, 5)]);
        let taken = Booked {
            position: 2,
            debit: (A, Some(-1)),
            credit: (PLATFORM, None),
            amount_minor: 6,
            booked_at: Timestamp::from_micros(9),
        };
        transfers.push(taken);
        let found = follow(&accounts(), &mut BTreeMap::new(), &transfers);
        let told: Vec<_> = found
            .iter()
            .map(|finding| (finding.fault, finding.found_minor))
            .collect();
        assert_eq!(told, [(Fault::Negative, -1)]);
    }
}
