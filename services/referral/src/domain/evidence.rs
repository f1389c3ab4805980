//! What speaks for a referrer when somebody signs up, and which of it counts [R23].
//!
//! A typed code goes before an accepted invitation, and that before a click; of several invitations and of several clicks
//! the last one counts. Whatever the order in which evidence is told, the decision is the same.

use std::cmp::Reverse;

use vouch_primitives::{PersonId, ReferrerId, Timestamp, Uuid};

use super::ReferralKind;

/// So many days a click counts.
pub const CLICK_COUNTS_DAYS: u32 = 90;

/// One thing that speaks for a referrer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Its id: the same thing told again has the same.
    pub id: Uuid,
    /// What it is.
    pub sort: EvidenceSort,
    /// When it happened: the sign-up for a code, the acceptance, the click.
    pub at: Timestamp,
    /// For whom it speaks; nobody where the code is nobody's.
    pub voucher: Option<Voucher>,
    /// Which type of referral it makes.
    pub kind: ReferralKind,
}

/// What sort of evidence it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceSort {
    /// A code that was typed; `well_formed` unless it was mistyped.
    Code {
        /// Whether it is written as codes are.
        well_formed: bool,
    },
    /// An invitation of a friend.
    Invitation(Invited),
    /// A click on a link.
    Click,
}

impl EvidenceSort {
    /// The sort alone.
    #[must_use]
    pub const fn means(self) -> Means {
        match self {
            Self::Code { .. } => Means::Code,
            Self::Invitation(_) => Means::Invitation,
            Self::Click => Means::Click,
        }
    }
}

/// By what somebody was vouched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// A code that was typed.
    Code,
    /// An invitation of a friend.
    Invitation,
    /// A click on a link.
    Click,
}

impl Means {
    /// Its stable name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Code => "CODE",
            Self::Invitation => "INVITATION",
            Self::Click => "CLICK",
        }
    }

    /// The means of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Code, Self::Invitation, Self::Click]
            .into_iter()
            .find(|means| means.name() == name)
    }
}

/// How an invitation stands to whoever signs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invited {
    /// It was accepted in time, by them.
    Accepted,
    /// Nobody has accepted it.
    Unanswered,
    /// Its time was up before they signed up.
    Expired,
    /// Its reader said no.
    Declined,
    /// Somebody else has signed up with it.
    Taken,
}

/// A referrer, as far as evidence concerns them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// Who.
    pub referrer: ReferrerId,
    /// Which person, or client in its place.
    pub person: PersonId,
    /// Whether mails to both come into the same mailbox.
    pub same_mailbox: bool,
}

/// What came of a piece of evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It made the attribution.
    Won,
    /// Something that counts more made it: a code before an invitation, an invitation before a click.
    Outranked,
    /// A later one of the same sort made it.
    LaterOneWon,
    /// The code was mistyped.
    Mistyped,
    /// The code is nobody's.
    UnknownCode,
    /// Nobody vouches for themselves, under whatever address.
    SelfReferral,
    /// The invitation was not accepted.
    NotAccepted,
    /// The invitation had expired.
    Expired,
    /// The invitation was declined.
    Declined,
    /// Somebody else had signed up with the invitation.
    Taken,
    /// The click was more than 90 days before.
    TooOld,
    /// It came after the sign-up.
    AfterSignUp,
    /// It was heard of when the person had been attributed.
    TooLate,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Won,
        Self::Outranked,
        Self::LaterOneWon,
        Self::Mistyped,
        Self::UnknownCode,
        Self::SelfReferral,
        Self::NotAccepted,
        Self::Expired,
        Self::Declined,
        Self::Taken,
        Self::TooOld,
        Self::AfterSignUp,
        Self::TooLate,
    ];

    /// Its stable name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Won => "WON",
            Self::Outranked => "OUTRANKED",
            Self::LaterOneWon => "LATER_ONE_WON",
            Self::Mistyped => "MISTYPED",
            Self::UnknownCode => "UNKNOWN_CODE",
            Self::SelfReferral => "SELF_REFERRAL",
            Self::NotAccepted => "NOT_ACCEPTED",
            Self::Expired => "EXPIRED",
            Self::Declined => "DECLINED",
            Self::Taken => "TAKEN",
            Self::TooOld => "TOO_OLD",
            Self::AfterSignUp => "AFTER_SIGN_UP",
            Self::TooLate => "TOO_LATE",
        }
    }

    /// The verdict of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

/// What comes of each piece of evidence when this person signs up, in the order in which it is given; one of it wins at
/// most.
#[must_use]
pub fn judge(person: PersonId, joined: Timestamp, evidence: &[Evidence]) -> Vec<Verdict> {
    let flaws: Vec<_> = evidence.iter().map(|it| flaw(person, joined, it)).collect();
    let sound = evidence.iter().zip(&flaws).filter(|(_, flaw)| flaw.is_none());
    // The id decides between what happened in the same moment.
    let winner = sound
        .map(|(it, _)| it)
        .max_by_key(|it| (Reverse(rank(it.sort)), it.at, it.id));
    let verdict = |it: &Evidence| match winner {
        Some(winner) if winner.id == it.id => Verdict::Won,
        Some(winner) if rank(winner.sort) == rank(it.sort) => Verdict::LaterOneWon,
        _ => Verdict::Outranked,
    };
    let judged = evidence.iter().zip(flaws);
    judged.map(|(it, flaw)| flaw.unwrap_or_else(|| verdict(it))).collect()
}

/// The lower, the more it counts.
const fn rank(sort: EvidenceSort) -> u8 {
    match sort {
        EvidenceSort::Code { .. } => 0,
        EvidenceSort::Invitation(_) => 1,
        EvidenceSort::Click => 2,
    }
}

/// Why a piece of evidence does not count, whatever else there is.
fn flaw(person: PersonId, joined: Timestamp, evidence: &Evidence) -> Option<Verdict> {
    let of_its_sort = match evidence.sort {
        EvidenceSort::Code { well_formed: false } => Some(Verdict::Mistyped),
        EvidenceSort::Code { well_formed: true } => evidence.voucher.is_none().then_some(Verdict::UnknownCode),
        EvidenceSort::Invitation(Invited::Unanswered) => Some(Verdict::NotAccepted),
        EvidenceSort::Invitation(Invited::Expired) => Some(Verdict::Expired),
        EvidenceSort::Invitation(Invited::Declined) => Some(Verdict::Declined),
        EvidenceSort::Invitation(Invited::Taken) => Some(Verdict::Taken),
        EvidenceSort::Invitation(Invited::Accepted) => None,
        EvidenceSort::Click if evidence.at.add_days(CLICK_COUNTS_DAYS) < joined => Some(Verdict::TooOld),
        EvidenceSort::Click => None,
    };
    let after = (joined < evidence.at).then_some(Verdict::AfterSignUp);
    let own = evidence
        .voucher
        .is_some_and(|voucher| voucher.person == person || voucher.same_mailbox);
    of_its_sort.or(after).or(own.then_some(Verdict::SelfReferral))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const JOINED: Timestamp = Timestamp::from_micros(100 * DAY);
    const DAY: i64 = 86_400_000_000;

    fn voucher() -> Option<Voucher> {
        Some(Voucher {
            referrer: ReferrerId::new(),
            person: PersonId::new(),
            same_mailbox: false,
        })
    }

    fn evidence(sort: EvidenceSort, day: i64) -> Evidence {
        Evidence {
            id: ReferrerId::new().as_uuid(),
            sort,
            at: Timestamp::from_micros(day * DAY),
            voucher: voucher(),
            kind: ReferralKind::Friend,
        }
    }

    const CODE: EvidenceSort = EvidenceSort::Code { well_formed: true };
    const ACCEPTED: EvidenceSort = EvidenceSort::Invitation(Invited::Accepted);

    // R23
    #[test]
    fn a_code_goes_before_an_invitation_and_that_before_a_click() {
        let all = [
            evidence(EvidenceSort::Click, 99),
            evidence(ACCEPTED, 50),
            evidence(CODE, 100),
            evidence(ACCEPTED, 40),
        ];
        let verdicts = judge(PersonId::new(), JOINED, &all);
        assert_eq!(
            verdicts,
            [Verdict::Outranked, Verdict::Outranked, Verdict::Won, Verdict::Outranked]
        );
        let verdicts = judge(
            PersonId::new(),
            JOINED,
            &[all[0].clone(), all[1].clone(), all[3].clone()],
        );
        assert_eq!(verdicts, [Verdict::Outranked, Verdict::Won, Verdict::LaterOneWon]);
    }

    #[test]
    fn a_click_counts_for_ninety_days() {
        let on_the_day = evidence(EvidenceSort::Click, 10);
        let mut before = on_the_day.clone();
        before.at = Timestamp::from_micros(10 * DAY - 1);
        let mut after = on_the_day.clone();
        after.at = Timestamp::from_micros(100 * DAY + 1);
        for (click, verdict) in [
            (on_the_day, Verdict::Won),
            (before, Verdict::TooOld),
            (after, Verdict::AfterSignUp),
        ] {
            assert_eq!(judge(PersonId::new(), JOINED, &[click]), [verdict]);
        }
    }

    #[test]
    fn what_does_not_count_says_why() {
        let mut own = evidence(CODE, 100);
        own.voucher = own.voucher.map(|voucher| Voucher {
            same_mailbox: true,
            ..voucher
        });
        let mut nobody = evidence(CODE, 100);
        nobody.voucher = None;
        let mistyped = evidence(EvidenceSort::Code { well_formed: false }, 100);
        let all = [
            own,
            nobody,
            mistyped,
            evidence(EvidenceSort::Invitation(Invited::Expired), 20),
        ];
        let verdicts = judge(PersonId::new(), JOINED, &all);
        let expected = [
            Verdict::SelfReferral,
            Verdict::UnknownCode,
            Verdict::Mistyped,
            Verdict::Expired,
        ];
        assert_eq!(verdicts, expected);
        let theirs = all[0].voucher.expect("somebody").person;
        let mut mine = evidence(ACCEPTED, 3);
        mine.voucher = mine.voucher.map(|voucher| Voucher {
            person: theirs,
            ..voucher
        });
        assert_eq!(judge(theirs, JOINED, &[mine]), [Verdict::SelfReferral]);
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        let sorts = prop_oneof![
            any::<bool>().prop_map(|well_formed| EvidenceSort::Code { well_formed }),
            Just(ACCEPTED),
            Just(EvidenceSort::Invitation(Invited::Unanswered)),
            Just(EvidenceSort::Invitation(Invited::Taken)),
            Just(EvidenceSort::Click),
        ];
        (sorts, 0_i64..120, any::<bool>()).prop_map(|(sort, day, known)| {
            let mut evidence = evidence(sort, day);
            evidence.voucher = evidence.voucher.filter(|_| known);
            evidence
        })
    }

    proptest! {
        // R23
        #[test]
        fn every_order_of_evidence_comes_to_the_same(
            (told, again) in proptest::collection::vec(any_evidence(), 0..7)
                .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
        ) {
            let person = PersonId::new();
            let of = |all: &[Evidence]| {
                let mut verdicts: Vec<_> = all.iter().map(|it| it.id).zip(judge(person, JOINED, all)).collect();
                verdicts.sort_unstable();
                verdicts
            };
            prop_assert_eq!(of(&told), of(&again));
            let won = of(&told).into_iter().filter(|(_, verdict)| *verdict == Verdict::Won).count();
            prop_assert!(won <= 1);
        }
    }
}
