//! One person's way from an accepted invitation to the work: where it stands, and what each step makes of it. Which steps
//! there are, [`Way`] says; at any of them an offer may be declined, changed by the client, or lapse.

use std::{error::Error, fmt, ops::RangeInclusive};

use vouch_primitives::{
    AccountId, CaseId, ClientId, ContractId, EmailAddress, InvitationId, OfferId, PersonId, RoomId, TalentCloudId,
    Timestamp,
};

use super::{Facts, Step, Way};

/// How many days after the acceptance of its invitation an offer lapses [default].
pub const LAPSE_DAYS: u32 = 30;
/// How long the message to the hiring manager may be, in characters; it is never empty [B26, B28].
pub const MESSAGE_LENGTH: RangeInclusive<usize> = 1..=5_000;
/// How long the reason may be for which an offer is declined, in characters.
pub const REASON_LENGTH: RangeInclusive<usize> = 0..=500;

/// One person's way from acceptance to ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its id; it follows from the invitation, so that an invitation can have one case only.
    pub id: CaseId,
    /// Whose case.
    pub person_id: PersonId,
    /// The account that works and is paid: the person's own, or the agency's.
    pub account_id: AccountId,
    /// The invitation that it began with.
    pub invitation_id: InvitationId,
    /// Whom it invites.
    pub talent: Talent,
    /// The client.
    pub client: Client,
    /// What the invitation brings.
    pub brings: Brings,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Where it stands.
    pub state: State,
    /// Since when it has stood there.
    pub since: Timestamp,
    /// Since when the person is not in the talent cloud any more that it is about, or nobody is; that is the client's to say.
    pub left_at: Option<Timestamp>,
}

/// Whom an invitation invites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Talent {
    /// A person who works alone.
    Freelancer,
    /// A company of several people.
    Agency,
}

/// What an invitation brings: an offer of work, or a place in a talent cloud, never both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Brings {
    /// An offer of work.
    Contract(Offer),
    /// A place in a talent cloud.
    TalentCloud(TalentCloud),
}

/// Who invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The company.
    pub id: ClientId,
    /// Its name.
    pub company_name: String,
    /// Its membership plan when the case was opened; requirements follow from it [B4].
    pub plan: Plan,
    /// To whom talent writes [B26].
    pub hiring_manager: HiringManager,
}

/// The membership plan of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Plan {
    /// The free plan.
    Basic,
    /// The plan of teams that hire regularly.
    BusinessPlus,
    /// The plan of large companies.
    Enterprise,
}

/// Somebody who hires for a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HiringManager {
    /// Their name.
    pub display_name: String,
    /// Where messages from talent go; told to nobody.
    pub email: EmailAddress,
}

/// The offer of a case. Its terms are the client's and are passed on as they are; no rule here looks into them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// How often the client has written its terms; 1 as long as they are the first ones.
    pub version: u32,
    /// From this moment on it cannot be accepted.
    pub lapses_at: Timestamp,
}

/// The talent cloud that somebody is invited to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TalentCloud {
    /// Its id.
    pub id: TalentCloudId,
    /// Its name.
    pub name: String,
}

/// Where a case stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// This step has to be taken.
    At(Step),
    /// The offer was accepted.
    Accepted(Contract),
    /// The person can work when the client's next project is there [B45, B52].
    Ready,
    /// The offer lapsed before it was accepted.
    Lapsed,
    /// The person said no to it.
    Declined(Decline),
}

/// That somebody said no to an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decline {
    /// When.
    pub declined_at: Timestamp,
    /// Why; may be empty.
    pub reason: String,
}

/// What came of an accepted offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contract {
    /// The contract that accepting began.
    pub id: ContractId,
    /// The project room that accepting opened [B27].
    pub room_id: RoomId,
    /// When the offer was accepted.
    pub accepted_at: Timestamp,
    /// When payments began the contract; `None` until it is heard of.
    pub started_at: Option<Timestamp>,
    /// When it ended; `None` until it is heard of.
    pub ended_at: Option<Timestamp>,
}

/// Invitation tells whether somebody is in a talent cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Which.
    pub cloud_id: TalentCloudId,
    /// Who.
    pub person_id: PersonId,
    /// Whether they were taken out of it; else they are in it.
    pub is_removed: bool,
    /// Since when.
    pub changed_at: Timestamp,
}

/// Invitation tells that nobody is in a talent cloud any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloudEnd {
    /// Which.
    pub cloud_id: TalentCloudId,
    /// Since when.
    pub archived_at: Timestamp,
}

/// Payments has begun a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractStart {
    /// Which.
    pub contract_id: ContractId,
    /// When.
    pub started_at: Timestamp,
}

/// Payments tells that a contract has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractEnd {
    /// Which.
    pub contract_id: ContractId,
    /// When.
    pub ended_at: Timestamp,
}

/// Whether a case got any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// It stands somewhere else from now on.
    Now,
    /// What was asked for had been done before; nothing has changed.
    Before,
}

/// What came of the lapse of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapsed {
    /// It has lapsed.
    Now,
    /// It was accepted in time, or had ended before; nothing has changed.
    No,
}

/// Why a case cannot take a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The contract has to be reviewed first.
    ContractNotReviewed,
    /// Not every task is done and confirmed [F16].
    TasksOpen,
    /// The account e-mail has to be verified first.
    EmailNotVerified,
    /// The final agency invitation has to be accepted first [B34].
    ListingNotConfirmed,
    /// The client has changed the offer since the person read it.
    OfferChanged,
    /// The offer was accepted before. Another acceptance would carry another message, which must not be lost in
    /// silence.
    OfferAccepted,
    /// The offer was not accepted in time.
    OfferLapsed,
    /// The person has said no to the offer.
    OfferDeclined,
    /// The case is of a talent cloud: there is no offer.
    NoOffer,
    /// The case is of an offer: a profile has nothing to do with it [F11, F13].
    NoProfileStep,
}

impl Case {
    /// Which of the four ways it goes.
    #[must_use]
    pub const fn way(&self) -> Way {
        Way::of(self.talent, &self.brings)
    }

    /// The offer, if it is one of an offer.
    #[must_use]
    pub const fn offer(&self) -> Option<&Offer> {
        match &self.brings {
            Brings::Contract(offer) => Some(offer),
            Brings::TalentCloud(_) => None,
        }
    }

    /// Confirms that the person has read the contract in this version [B19, B31]. Confirming again is a normal outcome.
    ///
    /// # Errors
    /// If there is no offer, the client has changed it since, or it has come to nothing.
    pub fn review_contract(&mut self, version: u32, facts: Facts, now: Timestamp) -> Result<Moved, Refusal> {
        let current = self.offer().ok_or(Refusal::NoOffer)?.version;
        match &self.state {
            State::Accepted(_) => Ok(Moved::Before),
            _ => {
                let step = self.expect_open_offer(now)?;
                if version != current {
                    return Err(Refusal::OfferChanged);
                }
                Ok(self.finish(Step::ReviewContract, step, facts, now))
            }
        }
    }

    /// Leaves the profile as it is: built, or skipped [B42, B44, B49, B51]. Leaving it again is a normal outcome. Whether
    /// it may be left, the profile says [B43, B50].
    ///
    /// # Errors
    /// If the case is of an offer.
    pub fn leave_profile(&mut self, facts: Facts, now: Timestamp) -> Result<Moved, Refusal> {
        match (&self.brings, &self.state) {
            (Brings::Contract(_), _) => Err(Refusal::NoProfileStep),
            (Brings::TalentCloud(_), State::At(step)) => Ok(self.finish(Step::BuildProfile, *step, facts, now)),
            (Brings::TalentCloud(_), _) => Ok(Moved::Before),
        }
    }

    /// Goes on if these facts leave nothing to do in the step where it stands.
    pub fn go_on(&mut self, facts: Facts, now: Timestamp) -> Moved {
        match self.state {
            State::At(step) if step.is_passed(facts) && self.is_open(now) => self.finish(step, step, facts, now),
            _ => Moved::Before,
        }
    }

    /// The client writes the offer anew: it has to be read again, and keeps the day on which it lapses.
    ///
    /// # Errors
    /// If there is no offer, or it was accepted or has come to nothing.
    pub fn change_offer(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.expect_open_offer(now)?;
        if let Brings::Contract(offer) = &mut self.brings {
            offer.version = offer.version.saturating_add(1);
        }
        self.state = State::At(Step::ReviewContract);
        self.since = now;
        Ok(())
    }

    /// Accepts the offer: the contract `contract_id` begins and the room `room_id` is opened [B26, B27, B38].
    ///
    /// # Errors
    /// If a step before is not done, or the offer was accepted before or has come to nothing.
    pub fn accept_offer(
        &mut self,
        contract_id: ContractId,
        room_id: RoomId,
        now: Timestamp,
    ) -> Result<Contract, Refusal> {
        match self.expect_open_offer(now)? {
            Step::ReviewContract => Err(Refusal::ContractNotReviewed),
            Step::CompleteTasks => Err(Refusal::TasksOpen),
            Step::ConfirmListing => Err(Refusal::ListingNotConfirmed),
            Step::VerifyEmail => Err(Refusal::EmailNotVerified),
            Step::BuildProfile => Err(Refusal::NoOffer),
            Step::AcceptOffer => {
                let contract = Contract {
                    id: contract_id,
                    room_id,
                    accepted_at: now,
                    started_at: None,
                    ended_at: None,
                };
                self.state = State::Accepted(contract);
                self.since = now;
                Ok(contract)
            }
        }
    }

    /// Says no to the offer, read or not. Saying no again is a normal outcome.
    ///
    /// # Errors
    /// If there is no offer, or it was accepted or has lapsed.
    pub fn decline_offer(&mut self, reason: String, now: Timestamp) -> Result<Moved, Refusal> {
        if let State::Declined(_) = self.state {
            return Ok(Moved::Before);
        }
        self.expect_open_offer(now)?;
        let declined_at = now;
        self.state = State::Declined(Decline { declined_at, reason });
        self.since = now;
        Ok(Moved::Now)
    }

    /// The offer's time is up.
    pub fn lapse(&mut self, now: Timestamp) -> Lapsed {
        match (&self.state, self.offer()) {
            (State::At(_), Some(_)) => {
                self.state = State::Lapsed;
                self.since = now;
                Lapsed::Now
            }
            _ => Lapsed::No,
        }
    }

    /// Whether there is something to do in it, for whomever.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        matches!(self.state, State::At(_)) && self.left_at.is_none() && !self.is_late(now)
    }

    /// Whether client and talent have to do with one another: as long as it is open, its contract goes on, or the talent is
    /// in the client's cloud and ready for the next project.
    #[must_use]
    pub fn stands(&self, now: Timestamp) -> bool {
        match &self.state {
            State::At(_) => self.is_open(now),
            State::Accepted(contract) => contract.ended_at.is_none(),
            State::Ready => self.left_at.is_none(),
            State::Lapsed | State::Declined(_) => false,
        }
    }

    /// Where an offer stands that can still be accepted or declined.
    fn expect_open_offer(&self, now: Timestamp) -> Result<Step, Refusal> {
        match self.state {
            _ if self.offer().is_none() => Err(Refusal::NoOffer),
            State::Accepted(_) => Err(Refusal::OfferAccepted),
            State::Declined(_) => Err(Refusal::OfferDeclined),
            State::Lapsed => Err(Refusal::OfferLapsed),
            State::Ready => Err(Refusal::NoOffer),
            State::At(_) if self.is_late(now) => Err(Refusal::OfferLapsed),
            State::At(step) => Ok(step),
        }
    }

    /// Takes the step `done`, unless the case, which is at the step `at`, has it behind itself.
    fn finish(&mut self, done: Step, at: Step, facts: Facts, now: Timestamp) -> Moved {
        if at != done {
            return Moved::Before;
        }
        self.state = self.way().after(done, facts).map_or(State::Ready, State::At);
        self.since = now;
        Moved::Now
    }

    /// The timer that lapses an offer may be late; the moment counts, not the timer.
    fn is_late(&self, now: Timestamp) -> bool {
        self.offer().is_some_and(|offer| now >= offer.lapses_at)
    }
}

impl Plan {
    /// Its name, as in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "BASIC",
            Self::BusinessPlus => "BUSINESS_PLUS",
            Self::Enterprise => "ENTERPRISE",
        }
    }
}

impl Talent {
    /// Its name, as in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Freelancer => "FREELANCER",
            Self::Agency => "AGENCY",
        }
    }
}

/// The moment at which the offer of an invitation that was accepted at `accepted_at` lapses.
#[must_use]
pub fn lapse_of(accepted_at: Timestamp) -> Timestamp {
    accepted_at.add_days(LAPSE_DAYS)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ContractNotReviewed => "the contract has to be reviewed first",
            Self::TasksOpen => "not every task is done and confirmed",
            Self::EmailNotVerified => "the account e-mail has to be verified first",
            Self::ListingNotConfirmed => "the final agency invitation has to be accepted first",
            Self::OfferChanged => "the client has changed the offer: read it again",
            Self::OfferAccepted => "the offer was accepted before",
            Self::OfferLapsed => "the offer has lapsed",
            Self::OfferDeclined => "the offer was declined",
            Self::NoOffer => "the case is of a talent cloud and has no offer",
            Self::NoProfileStep => "the case is of an offer and has no profile step",
        })
    }
}

impl Error for Refusal {}

#[cfg(test)]
mod tests;
