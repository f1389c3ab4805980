//! A freelancer's way from an accepted invitation to an accepted offer [B17-B28].
//!
//! ```text
//!                  review the contract               accept, with a message
//! REVIEW_CONTRACT ─────────────────────► ACCEPT_OFFER ──────────────────────► ACCEPTED
//!        ├────────── 30 days ──────────┬──────┤
//!        │                             └► LAPSED
//!        └────────── decline ──────────┬──────┘
//!                                      └► DECLINED
//! ```

use std::{error::Error, fmt, ops::RangeInclusive};

use vouch_primitives::{
    AccountId, CaseId, ClientId, ContractId, EmailAddress, InvitationId, OfferId, PersonId, RoomId, Timestamp,
};

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
    /// The account that works and is paid.
    pub account_id: AccountId,
    /// The invitation that it began with.
    pub invitation_id: InvitationId,
    /// The client.
    pub client: Client,
    /// The offer.
    pub offer: Offer,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Where it stands.
    pub state: State,
}

/// Who invited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The company.
    pub id: ClientId,
    /// Its name.
    pub company_name: String,
    /// To whom talent writes [B26].
    pub hiring_manager: HiringManager,
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
    /// From this moment on it cannot be accepted.
    pub lapses_at: Timestamp,
}

/// Where a case stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The person is to read the contract and confirm it: scope, scheduling, payment [B19].
    ReviewContract,
    /// Everything is ready for the offer to be accepted. There are no tasks, so that this step comes at once [B23].
    AcceptOffer,
    /// The offer was accepted.
    Accepted(Contract),
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

/// What came of reviewing a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reviewed {
    /// It is reviewed from now on.
    Now,
    /// It had been reviewed before; nothing has changed.
    Before,
}

/// What came of saying no to an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declined {
    /// It is declined from now on.
    Now,
    /// It had been declined before; nothing has changed.
    Before,
}

/// What came of the lapse of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapsed {
    /// It has lapsed.
    Now,
    /// It was accepted in time, or had lapsed before; nothing has changed.
    No,
}

/// Why a case cannot take a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The contract has to be reviewed first.
    ContractNotReviewed,
    /// The offer was accepted before. Another acceptance would carry another message, which must not be lost in
    /// silence.
    OfferAccepted,
    /// The offer was not accepted in time.
    OfferLapsed,
    /// The person has said no to the offer.
    OfferDeclined,
}

impl Case {
    /// Confirms that the person has read the contract [B19]. Confirming again is a normal outcome.
    ///
    /// # Errors
    /// If the offer has lapsed.
    pub fn review_contract(&mut self, now: Timestamp) -> Result<Reviewed, Refusal> {
        match self.state {
            State::Lapsed => Err(Refusal::OfferLapsed),
            State::Declined(_) => Err(Refusal::OfferDeclined),
            State::ReviewContract | State::AcceptOffer if self.is_late(now) => Err(Refusal::OfferLapsed),
            State::AcceptOffer | State::Accepted(_) => Ok(Reviewed::Before),
            State::ReviewContract => {
                self.state = State::AcceptOffer;
                Ok(Reviewed::Now)
            }
        }
    }

    /// Accepts the offer: the contract `contract_id` begins and the room `room_id` is opened [B26, B27].
    ///
    /// # Errors
    /// If the contract was not reviewed, or the offer was accepted before or has lapsed.
    pub fn accept_offer(
        &mut self,
        contract_id: ContractId,
        room_id: RoomId,
        now: Timestamp,
    ) -> Result<Contract, Refusal> {
        match self.state {
            State::Accepted(_) => Err(Refusal::OfferAccepted),
            State::Lapsed => Err(Refusal::OfferLapsed),
            State::Declined(_) => Err(Refusal::OfferDeclined),
            State::ReviewContract | State::AcceptOffer if self.is_late(now) => Err(Refusal::OfferLapsed),
            State::ReviewContract => Err(Refusal::ContractNotReviewed),
            State::AcceptOffer => {
                let accepted_at = now;
                let contract = Contract {
                    id: contract_id,
                    room_id,
                    accepted_at,
                    started_at: None,
                };
                self.state = State::Accepted(contract);
                Ok(contract)
            }
        }
    }

    /// Says no to the offer, read or not. Saying no again is a normal outcome.
    ///
    /// # Errors
    /// If the offer was accepted or has lapsed.
    pub fn decline_offer(&mut self, reason: String, now: Timestamp) -> Result<Declined, Refusal> {
        match self.state {
            State::Accepted(_) => Err(Refusal::OfferAccepted),
            State::Lapsed => Err(Refusal::OfferLapsed),
            State::Declined(_) => Ok(Declined::Before),
            State::ReviewContract | State::AcceptOffer if self.is_late(now) => Err(Refusal::OfferLapsed),
            State::ReviewContract | State::AcceptOffer => {
                let declined_at = now;
                self.state = State::Declined(Decline { declined_at, reason });
                Ok(Declined::Now)
            }
        }
    }

    /// The offer's time is up.
    pub fn lapse(&mut self) -> Lapsed {
        match self.state {
            State::ReviewContract | State::AcceptOffer => {
                self.state = State::Lapsed;
                Lapsed::Now
            }
            State::Accepted(_) | State::Lapsed | State::Declined(_) => Lapsed::No,
        }
    }

    /// Whether there is something for the person to do in it.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        match self.state {
            State::ReviewContract | State::AcceptOffer => !self.is_late(now),
            State::Accepted(_) | State::Lapsed | State::Declined(_) => false,
        }
    }

    /// The timer that lapses an offer may be late; the moment counts, not the timer.
    fn is_late(&self, now: Timestamp) -> bool {
        now >= self.offer.lapses_at
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
            Self::OfferAccepted => "the offer was accepted before",
            Self::OfferLapsed => "the offer has lapsed",
            Self::OfferDeclined => "the offer was declined",
        })
    }
}

impl Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn contract() -> Contract {
        let (id, room_id) = (ContractId::new(), RoomId::new());
        Contract {
            id,
            room_id,
            accepted_at: at("2026-03-02"),
            started_at: None,
        }
    }

    fn case(state: State) -> Case {
        Case {
            id: CaseId::new(),
            person_id: PersonId::new(),
            account_id: AccountId::new(),
            invitation_id: InvitationId::new(),
            client: Client {
                id: ClientId::new(),
                company_name: "Acme".to_owned(),
                hiring_manager: HiringManager {
                    display_name: "Grace".to_owned(),
                    email: "grace@acme.example".parse().expect("an address"),
                },
            },
            offer: Offer {
                id: OfferId::new(),
                lapses_at: lapse_of(at("2026-03-01")),
            },
            opened_at: at("2026-03-01"),
            state,
        }
    }

    fn accept(case: &mut Case, now: Timestamp) -> Result<(), Refusal> {
        case.accept_offer(ContractId::new(), RoomId::new(), now).map(drop)
    }

    // B17, B19, B23, B26
    #[test]
    fn every_step_from_every_state() {
        let (early, late) = (at("2026-03-30"), at("2026-03-31"));
        let accepted = State::Accepted(contract());
        let (lapsed, unread) = (Err(Refusal::OfferLapsed), Err(Refusal::ContractNotReviewed));
        let again = Err(Refusal::OfferAccepted);
        let (first, repeat) = (Ok(Reviewed::Now), Ok(Reviewed::Before));
        for (state, now, reviewed, taken, lapse, open) in [
            (State::ReviewContract, early, first, unread, Lapsed::Now, true),
            (
                State::ReviewContract,
                late,
                Err(Refusal::OfferLapsed),
                lapsed,
                Lapsed::Now,
                false,
            ),
            (State::AcceptOffer, early, repeat, Ok(()), Lapsed::Now, true),
            (
                State::AcceptOffer,
                late,
                Err(Refusal::OfferLapsed),
                lapsed,
                Lapsed::Now,
                false,
            ),
            (accepted.clone(), early, repeat, again, Lapsed::No, false),
            (accepted, late, repeat, again, Lapsed::No, false),
            (
                State::Lapsed,
                early,
                Err(Refusal::OfferLapsed),
                lapsed,
                Lapsed::No,
                false,
            ),
            (
                State::Lapsed,
                late,
                Err(Refusal::OfferLapsed),
                lapsed,
                Lapsed::No,
                false,
            ),
        ] {
            assert_eq!(
                case(state.clone()).review_contract(now),
                reviewed,
                "review {state:?} at {now}"
            );
            assert_eq!(
                accept(&mut case(state.clone()), now),
                taken,
                "accept {state:?} at {now}"
            );
            assert_eq!(case(state.clone()).lapse(), lapse, "lapse {state:?}");
            assert_eq!(case(state.clone()).is_open(now), open, "{state:?} at {now}");
        }
    }

    #[test]
    fn a_refused_step_changes_nothing() {
        for (state, now) in [
            (State::ReviewContract, at("2026-03-02")),
            (State::AcceptOffer, at("2026-03-31")),
        ] {
            let mut case = case(state.clone());
            assert!(accept(&mut case, now).is_err());
            assert_eq!(case.state, state);
        }
    }

    #[test]
    fn the_way_through() {
        let mut case = case(State::ReviewContract);
        let now = at("2026-03-30T23:59:59.999999Z");
        assert_eq!(case.review_contract(now), Ok(Reviewed::Now));
        assert_eq!(accept(&mut case, now), Ok(()));
        assert!(matches!(case.state, State::Accepted(Contract { accepted_at, .. }) if accepted_at == now));
    }

    // R31
    #[test]
    fn an_offer_is_declined_from_every_state() {
        let (early, late) = (at("2026-03-30"), at("2026-03-31"));
        let declined = || {
            State::Declined(Decline {
                declined_at: at("2026-03-02"),
                reason: "No time".to_owned(),
            })
        };
        let lapsed = Err(Refusal::OfferLapsed);
        for (state, now, outcome) in [
            (State::ReviewContract, early, Ok(Declined::Now)),
            (State::ReviewContract, late, lapsed),
            (State::AcceptOffer, early, Ok(Declined::Now)),
            (State::AcceptOffer, late, lapsed),
            (State::Accepted(contract()), early, Err(Refusal::OfferAccepted)),
            (State::Lapsed, early, lapsed),
            (declined(), early, Ok(Declined::Before)),
            (declined(), late, Ok(Declined::Before)),
        ] {
            let told = format!("{state:?} at {now}");
            assert_eq!(case(state).decline_offer(String::new(), now), outcome, "{told}");
        }
        let mut gone = case(declined());
        assert_eq!(gone.review_contract(early), Err(Refusal::OfferDeclined));
        assert_eq!(accept(&mut gone, early), Err(Refusal::OfferDeclined));
        assert_eq!((gone.lapse(), gone.is_open(early)), (Lapsed::No, false));
        assert_eq!(gone.state, declined());
    }
}
