//! A friend is invited: what is said to them, and how far they have come [R13, R15-R17, R19].

use vouch_primitives::{ClientId, EmailAddress, PersonId, ReferralInvitationId, ReferrerId, Timestamp};

use super::{Invited, ReferralKind};

/// So many days an invitation is open.
pub const OPEN_DAYS: u32 = 30;
/// So many days after the letter a reminder goes to whoever has not answered.
pub const REMIND_AFTER_DAYS: u32 = 7;

/// The SHA-256 of an address, in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressHash(pub [u8; 32]);

/// The SHA-256 of a token as it stands in a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// How far an invitation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The letter is written.
    Sent,
    /// Its reader has opened the link.
    Clicked,
    /// They have accepted [R17].
    Accepted,
    /// They have signed up.
    Registered,
    /// They have accepted a contract.
    Hired,
    /// They said no.
    Declined,
    /// Nobody answered in time.
    Expired,
}

/// An invitation, without what is said in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralInvitation {
    /// Its id.
    pub id: ReferralInvitationId,
    /// Who invites.
    pub referrer: ReferrerId,
    /// Whom, as a hash.
    pub address: AddressHash,
    /// Which type of referral it makes: of a friend, of a fellow freelancer to a client [R9], or an introduction to a client
    /// [R36].
    pub kind: ReferralKind,
    /// To which client; nobody's where it is a friend.
    pub client: Option<ClientId>,
    /// How far it has come.
    pub stage: Stage,
    /// When the letter was written.
    pub sent_at: Timestamp,
    /// When it was accepted.
    pub accepted_at: Option<Timestamp>,
    /// Who signed up with it, or had an account when they accepted it.
    pub person: Option<PersonId>,
    /// When it last came further.
    pub since: Timestamp,
    /// The how manieth it is of the referrer's in its day, from 1.
    pub number_of_day: u32,
    /// The how manieth it is to its address in its week, from 1.
    pub number_of_week: u32,
}

/// What the letter says [R16]. It is erased with whoever it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// To whom it goes.
    pub email: EmailAddress,
    /// How they are called.
    pub recipient_name: String,
    /// How the referrer is called.
    pub referrer_name: String,
    /// How the referrer can be reached.
    pub referrer_contact: String,
    /// The job that the friend seeks.
    pub job: String,
    /// The referrer's own words.
    pub message: String,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Sent,
        Self::Clicked,
        Self::Accepted,
        Self::Registered,
        Self::Hired,
        Self::Declined,
        Self::Expired,
    ];

    /// Its stable name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sent => "SENT",
            Self::Clicked => "CLICKED",
            Self::Accepted => "ACCEPTED",
            Self::Registered => "REGISTERED",
            Self::Hired => "HIRED",
            Self::Declined => "DECLINED",
            Self::Expired => "EXPIRED",
        }
    }

    /// The stage of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Whether it waits for an answer.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Sent | Self::Clicked)
    }
}

impl ReferralInvitation {
    /// Until when it is open.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.sent_at.add_days(OPEN_DAYS)
    }

    /// Its reader has opened the link. Further ones stay where they are.
    pub fn open(&mut self, now: Timestamp) {
        if self.stage == Stage::Sent {
            (self.stage, self.since) = (Stage::Clicked, now);
        }
    }

    /// Its reader accepts [R17]; again is a normal outcome. Tells whether they may.
    pub fn accept(&mut self, now: Timestamp) -> bool {
        if self.stage.is_open() && self.is_in_time(now) {
            (self.stage, self.since, self.accepted_at) = (Stage::Accepted, now, Some(now));
        }
        matches!(self.stage, Stage::Accepted | Stage::Registered | Stage::Hired) && self.is_in_time(now)
    }

    /// Somebody who is known by its address and has had an account since `joined`: if they had it when they accepted, nobody
    /// has to sign up, and they are introduced to the client from that moment on [R18]. Tells which, if so. To the referrer it
    /// looks as if they had signed up. An acceptance that has come to nothing by the end of its time stays so: whoever verifies
    /// the address years later is not meant.
    pub fn meet(&mut self, person: PersonId, joined: Timestamp) -> Option<Timestamp> {
        if self.client.is_none() || self.stage != Stage::Accepted {
            return None;
        }
        let at = self.accepted_at.filter(|at| joined < *at)?;
        (self.stage, self.person, self.since) = (Stage::Registered, Some(person), at);
        Some(at)
    }

    /// Its reader says no; again is a normal outcome. Tells whether they may: nobody who has signed up may.
    pub fn decline(&mut self, now: Timestamp) -> bool {
        if self.stage.is_open() || self.stage == Stage::Accepted {
            (self.stage, self.since) = (Stage::Declined, now);
        }
        self.stage == Stage::Declined
    }

    /// How it stands to somebody who signs up at `joined`, and since when. Having its token then is having accepted it: the
    /// link was followed [R17]. An accepted one is theirs from then on.
    pub fn sign_up(&mut self, person: PersonId, joined: Timestamp, has_token: bool) -> (Invited, Timestamp) {
        if self.person.is_some_and(|other| other != person) {
            return (Invited::Taken, self.since);
        }
        if self.stage == Stage::Declined {
            return (Invited::Declined, self.since);
        }
        if !self.is_in_time(joined) {
            return (Invited::Expired, self.expires_at());
        }
        let accepted = self.accepted_at.filter(|at| !has_token || *at <= joined);
        let Some(at) = accepted.or(has_token.then_some(joined)) else {
            return (Invited::Unanswered, self.since);
        };
        if at <= joined && self.person.is_none() {
            (self.stage, self.person) = (Stage::Registered, Some(person));
            (self.accepted_at, self.since) = (Some(at), joined);
        }
        (Invited::Accepted, at)
    }

    /// Whether it can be answered, or signed up with, at this moment.
    #[must_use]
    pub fn is_in_time(&self, now: Timestamp) -> bool {
        now < self.expires_at()
    }
}
