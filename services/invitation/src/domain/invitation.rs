//! An invitation and its life.
//!
//! ```text
//!              accept, by whoever proves to be invited
//! PENDING ────────────────────────────────────────────► ACCEPTED ── the offer is accepted ─► hired
//!    ├─────── decline, by whoever has the token ──────► DECLINED
//!    ├─────── withdraw, by the client ────────────────► WITHDRAWN
//!    └─────── 30 days without an answer ──────────────► EXPIRED ── resend ─► PENDING
//! ```

use std::ops::RangeInclusive;

use vouch_primitives::{ClientId, EmailAddress, InvitationId, PersonId, TalentCloudId, Timestamp};

use super::{Acceptance, Accepted, ContractTerms, Decline, HiringManager, Proof, Refusal, State, TokenHash};

/// How many days an invitation waits for an answer [default].
pub const EXPIRY_DAYS: u32 = 30;
/// After how many days without an answer somebody is reminded [default].
pub const REMINDER_DAYS: [u32; 2] = [7, 21];
/// How long the reason of a refusal may be, in characters.
pub const DECLINE_REASON_LENGTH: RangeInclusive<usize> = 0..=500;
/// How long the client's own words may be, in characters.
pub const PERSONAL_MESSAGE_LENGTH: RangeInclusive<usize> = 0..=2_000;
/// How long the recipient's name may be, in characters.
pub const RECIPIENT_NAME_LENGTH: RangeInclusive<usize> = 0..=200;

/// What stands where the address of an erased person stood: nobody can have it [RFC 2606], and nothing is sent there.
pub const ERASED_ADDRESS: &str = "erased@vouch.invalid";

/// A client's invitation to one e-mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Who invites.
    pub client_id: ClientId,
    /// The inviting company's name.
    pub company_name: String,
    /// In whose name it is sent.
    pub hiring_manager: HiringManager,
    /// Whom it invites.
    pub talent_type: TalentType,
    /// The invited address.
    pub recipient: Recipient,
    /// What it brings.
    pub content: Content,
    /// The client's own words; may be empty.
    pub personal_message: String,
    /// When it was sent, or sent again.
    pub sent_at: Timestamp,
    /// From this moment on it cannot be accepted.
    pub expires_at: Timestamp,
    /// Which way it went.
    pub branch: Branch,
    /// Where it stands.
    pub state: State,
}

/// Which way an invitation went [R37].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// Somebody is invited to activate an account.
    Invite,
    /// The address belonged to an account already, into which the offer went straight: it is accepted as it is sent.
    Hire,
}

/// Whom an invitation invites; with its content it makes the type of the invitation [B3].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TalentType {
    /// A person who works alone.
    Freelancer,
    /// A company of several people.
    Agency,
}

/// What an invitation brings: one or the other, so that an invitation to a cloud can say nothing of a contract
/// [B15, B16].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// An offer of work [B13, B14].
    Contract(ContractTerms),
    /// A place in one of the client's talent clouds.
    Cloud(InvitedCloud),
}

/// The talent cloud that somebody is invited to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitedCloud {
    /// Its id.
    pub id: TalentCloudId,
    /// Its name.
    pub name: String,
}

/// Who is invited, as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The invited address.
    pub email: EmailAddress,
    /// The invited person's name; may be empty.
    pub name: String,
}

impl Recipient {
    /// Whether the person was erased.
    #[must_use]
    pub fn is_erased(&self) -> bool {
        self.email.as_str() == ERASED_ADDRESS
    }
}

impl Invitation {
    /// Accepts it for `person`, where `tokens` are those that were e-mailed and are not dead. The same person accepting
    /// again is a normal outcome, even after the expiry.
    ///
    /// # Errors
    /// If the proof does not fit, somebody else has it, it has expired, or it was declined or withdrawn.
    pub fn accept(
        &mut self,
        person: PersonId,
        proof: &Proof,
        tokens: &[TokenHash],
        now: Timestamp,
    ) -> Result<Accepted, Refusal> {
        // Whoever has it by their verified address may have another one by now.
        let has_it = matches!(self.state, State::Accepted(earlier) if earlier.person_id == person);
        if has_it && matches!(proof, Proof::VerifiedEmail(_)) {
            return Ok(Accepted::Before);
        }
        if !self.is_proved_by(proof, tokens) {
            return Err(Refusal::WrongProof);
        }
        match self.state {
            State::Accepted(_) if has_it => Ok(Accepted::Before),
            State::Accepted(_) => Err(Refusal::Taken),
            State::Declined(_) | State::Withdrawn(_) => Err(Refusal::Closed),
            State::Expired => Err(Refusal::Expired),
            State::Pending if self.is_over(now) => Err(Refusal::Expired),
            State::Pending => {
                let acceptance = Acceptance {
                    person_id: person,
                    accepted_at: now,
                    hired_at: None,
                    ended_at: None,
                };
                self.state = State::Accepted(acceptance);
                Ok(Accepted::Now(acceptance))
            }
        }
    }

    /// Declines it. Who declines has the token, which opens nothing that is not pending.
    ///
    /// # Errors
    /// If it is not pending, or its time is up.
    pub fn decline(&mut self, reason: String, now: Timestamp) -> Result<(), Refusal> {
        match self.state {
            State::Pending if !self.is_over(now) => {
                self.state = State::Declined(Decline {
                    declined_at: now,
                    reason,
                });
                Ok(())
            }
            State::Pending | State::Expired => Err(Refusal::Expired),
            State::Accepted(_) | State::Declined(_) | State::Withdrawn(_) => Err(Refusal::Closed),
        }
    }

    /// Takes it back; tells whether that changes anything.
    ///
    /// # Errors
    /// If somebody has answered it.
    pub fn withdraw(&mut self, now: Timestamp) -> Result<bool, Refusal> {
        match self.state {
            State::Pending | State::Expired => {
                self.state = State::Withdrawn(now);
                Ok(true)
            }
            State::Withdrawn(_) => Ok(false),
            State::Accepted(_) | State::Declined(_) => Err(Refusal::Closed),
        }
    }

    /// Opens it for another thirty days.
    ///
    /// # Errors
    /// If somebody has answered it, or it was withdrawn.
    pub fn resend(&mut self, now: Timestamp) -> Result<(), Refusal> {
        match self.state {
            State::Pending | State::Expired => {
                self.state = State::Pending;
                self.sent_at = now;
                self.expires_at = expiry_of(now);
                Ok(())
            }
            State::Accepted(_) | State::Declined(_) | State::Withdrawn(_) => Err(Refusal::Closed),
        }
    }

    /// Sends it straight into the account of `person`, to whom the invited address belongs. Only offers of work to
    /// freelancers can go there yet.
    #[must_use]
    pub fn hiring(mut self, person: PersonId) -> Self {
        if matches!(self.content, Content::Contract(_)) && self.talent_type == TalentType::Freelancer {
            self.branch = Branch::Hire;
            self.state = State::Accepted(Acceptance {
                person_id: person,
                accepted_at: self.sent_at,
                hired_at: None,
                ended_at: None,
            });
        }
        self
    }

    /// When somebody who has not answered by `now` is reminded next.
    #[must_use]
    pub fn next_reminder(&self, now: Timestamp) -> Option<Timestamp> {
        let mut reminders = REMINDER_DAYS.into_iter().map(|days| self.sent_at.add_days(days));
        reminders.find(|moment| *moment > now)
    }

    /// The timer that expires it may be late; the moment counts, not the timer.
    fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }

    fn is_proved_by(&self, proof: &Proof, tokens: &[TokenHash]) -> bool {
        match proof {
            Proof::Token(hash) => tokens.contains(hash),
            Proof::VerifiedEmail(email) => *email == self.recipient.email,
        }
    }
}

/// The moment at which an invitation that is sent at `sent_at` expires.
#[must_use]
pub fn expiry_of(sent_at: Timestamp) -> Timestamp {
    sent_at.add_days(EXPIRY_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{HourlyPay, Pay, Schedule};
    use vouch_primitives::{Currency, HiringManagerId, Money};

    const TOKEN: TokenHash = TokenHash([7; 32]);

    fn email(text: &str) -> EmailAddress {
        text.parse().expect("an address")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn invitation() -> Invitation {
        let sent_at = at("2026-03-01T09:00:00Z");
        Invitation {
            id: InvitationId::new(),
            client_id: ClientId::new(),
            company_name: "Acme".to_owned(),
            hiring_manager: HiringManager {
                id: HiringManagerId::new(),
                display_name: "Grace".to_owned(),
                email: email("grace@acme.example"),
            },
            talent_type: TalentType::Freelancer,
            recipient: Recipient {
                email: email("ada@example.com"),
                name: String::new(),
            },
            content: Content::Contract(ContractTerms {
                project_name: "Engine".to_owned(),
                pay: Pay::Hourly(HourlyPay {
                    rate: Money::new(8_500, Currency::USD),
                    weekly_limit_minutes: 1_800,
                }),
                scope_of_work: "Notes on the engine".to_owned(),
                schedule: Schedule {
                    start: sent_at,
                    expected_weekly_hours: None,
                },
                payment_terms: String::new(),
            }),
            personal_message: String::new(),
            sent_at,
            expires_at: expiry_of(sent_at),
            branch: Branch::Invite,
            state: State::Pending,
        }
    }

    #[test]
    fn it_waits_for_thirty_days() {
        assert_eq!(invitation().expires_at, at("2026-03-31T09:00:00Z"));
    }

    #[test]
    fn either_proof_accepts_and_a_repeat_changes_nothing() {
        let (ada, first, later) = (PersonId::new(), at("2026-03-02"), at("2026-06-01T00:00:00Z"));
        for proof in [Proof::Token(TOKEN), Proof::VerifiedEmail(email("Ada@Example.com"))] {
            let mut invitation = invitation();
            let accepted = Acceptance {
                person_id: ada,
                accepted_at: first,
                hired_at: None,
                ended_at: None,
            };
            assert_eq!(
                invitation.accept(ada, &proof, &[TOKEN], first),
                Ok(Accepted::Now(accepted))
            );
            assert_eq!(invitation.state, State::Accepted(accepted));
            assert_eq!(invitation.accept(ada, &proof, &[TOKEN], later), Ok(Accepted::Before));
            assert_eq!(invitation.state, State::Accepted(accepted));
            let other = invitation.accept(PersonId::new(), &proof, &[TOKEN], first);
            assert_eq!(other, Err(Refusal::Taken));
        }
    }

    // F8
    #[test]
    fn whoever_has_it_may_have_another_address_by_now() {
        let (ada, now) = (PersonId::new(), at("2026-03-02"));
        let mut invitation = invitation();
        let accepted = invitation.accept(ada, &Proof::Token(TOKEN), &[TOKEN], now);
        assert!(matches!(accepted, Ok(Accepted::Now(_))));
        let other = Proof::VerifiedEmail(email("ada@home.example"));
        assert_eq!(invitation.accept(ada, &other, &[], now), Ok(Accepted::Before));
        let eve = invitation.accept(PersonId::new(), &other, &[], now);
        assert_eq!(eve, Err(Refusal::WrongProof));
    }

    #[test]
    fn a_wrong_proof_is_told_nothing_else() {
        let wrong = [
            Proof::Token(TokenHash([8; 32])),
            Proof::VerifiedEmail(email("eve@example.com")),
        ];
        let taken = Acceptance {
            person_id: PersonId::new(),
            accepted_at: at("2026-03-02"),
            hired_at: None,
            ended_at: None,
        };
        for proof in wrong {
            for state in [
                State::Pending,
                State::Expired,
                State::Accepted(taken),
                State::Withdrawn(at("2026-03-02")),
            ] {
                let mut invitation = Invitation {
                    state: state.clone(),
                    ..invitation()
                };
                let answer = invitation.accept(PersonId::new(), &proof, &[TOKEN], at("2026-03-02"));
                assert_eq!((answer, invitation.state), (Err(Refusal::WrongProof), state));
            }
        }
    }

    #[test]
    fn the_last_microsecond_counts() {
        let proof = Proof::Token(TOKEN);
        let expiry = invitation().expires_at;
        let before = Timestamp::from_micros(expiry.as_micros() - 1);
        let in_time = invitation().accept(PersonId::new(), &proof, &[TOKEN], before);
        assert!(matches!(in_time, Ok(Accepted::Now(_))));
        assert_eq!(
            invitation().accept(PersonId::new(), &proof, &[TOKEN], expiry),
            Err(Refusal::Expired)
        );
        let mut expired = Invitation {
            state: State::Expired,
            ..invitation()
        };
        assert_eq!(
            expired.accept(PersonId::new(), &proof, &[TOKEN], before),
            Err(Refusal::Expired)
        );
    }

    /// Every state, and what each command makes of it on the second day.
    #[test]
    fn what_can_be_done_depends_on_the_state_alone() {
        let (then, now) = (at("2026-03-02"), at("2026-03-03"));
        let ada = PersonId::new();
        let accepted = State::Accepted(Acceptance {
            person_id: ada,
            accepted_at: then,
            hired_at: None,
            ended_at: None,
        });
        let declined = |declined_at| {
            State::Declined(Decline {
                declined_at,
                reason: "no time".to_owned(),
            })
        };
        let taken = State::Accepted(Acceptance {
            person_id: ada,
            accepted_at: now,
            hired_at: None,
            ended_at: None,
        });
        let withdrawn = State::Withdrawn;
        let closed = || Err(Refusal::Closed);
        for (state, accept, decline, withdraw, resend) in [
            (
                State::Pending,
                Ok(taken),
                Ok(declined(now)),
                Ok(withdrawn(now)),
                Ok(State::Pending),
            ),
            (accepted.clone(), Ok(accepted), closed(), closed(), closed()),
            (declined(then), closed(), closed(), closed(), closed()),
            (withdrawn(then), closed(), closed(), Ok(withdrawn(then)), closed()),
            (
                State::Expired,
                Err(Refusal::Expired),
                Err(Refusal::Expired),
                Ok(withdrawn(now)),
                Ok(State::Pending),
            ),
        ] {
            let becomes = |command: &dyn Fn(&mut Invitation) -> Result<(), Refusal>| {
                let mut invitation = Invitation {
                    state: state.clone(),
                    ..invitation()
                };
                command(&mut invitation).map(|()| invitation.state)
            };
            let by_ada = |it: &mut Invitation| it.accept(ada, &Proof::Token(TOKEN), &[TOKEN], now).map(drop);
            assert_eq!(becomes(&by_ada), accept, "{state:?} accepted");
            assert_eq!(
                becomes(&|it| it.decline("no time".to_owned(), now)),
                decline,
                "{state:?} declined"
            );
            assert_eq!(
                becomes(&|it| it.withdraw(now).map(drop)),
                withdraw,
                "{state:?} withdrawn"
            );
            assert_eq!(becomes(&|it| it.resend(now)), resend, "{state:?} sent again");
        }
    }

    // R37
    #[test]
    fn an_offer_of_work_goes_straight_to_a_freelancer_who_is_known() {
        let ada = PersonId::new();
        let hired = invitation().hiring(ada);
        assert_eq!(hired.branch, Branch::Hire);
        assert!(matches!(hired.state, State::Accepted(acceptance) if acceptance.person_id == ada));
        let cloud = Content::Cloud(InvitedCloud {
            id: TalentCloudId::new(),
            name: "Friends".to_owned(),
        });
        for other in [
            Invitation {
                talent_type: TalentType::Agency,
                ..invitation()
            },
            Invitation {
                content: cloud,
                ..invitation()
            },
        ] {
            assert_eq!(other.clone().hiring(ada), other, "these have no way there yet");
        }
    }

    #[test]
    fn sending_again_begins_anew() {
        let mut invitation = invitation();
        invitation.resend(at("2026-03-20T09:00:00Z")).expect("pending");
        assert_eq!(invitation.expires_at, at("2026-04-19T09:00:00Z"));
        assert_eq!(
            invitation.next_reminder(invitation.sent_at),
            Some(at("2026-03-27T09:00:00Z"))
        );
    }

    #[test]
    fn two_reminders_come_after_seven_and_after_twenty_one_days() {
        let invitation = invitation();
        let (first, second) = (at("2026-03-08T09:00:00Z"), at("2026-03-22T09:00:00Z"));
        assert_eq!(invitation.next_reminder(invitation.sent_at), Some(first));
        assert_eq!(invitation.next_reminder(first), Some(second));
        assert_eq!(invitation.next_reminder(second), None);
    }
}
