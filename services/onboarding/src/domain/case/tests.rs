//! Each step from each state, on each way.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn contract() -> Contract {
    Contract {
        id: ContractId::new(),
        room_id: RoomId::new(),
        accepted_at: at("2026-03-02"),
        started_at: None,
        ended_at: None,
    }
}

fn declined() -> State {
    State::Declined(Decline {
        declined_at: at("2026-03-02"),
        reason: "No time".to_owned(),
    })
}

fn case(way: Way, state: State) -> Case {
    let offer = Brings::Contract(Offer {
        id: OfferId::new(),
        version: 1,
        lapses_at: lapse_of(at("2026-03-01")),
    });
    let cloud = Brings::TalentCloud(TalentCloud {
        id: TalentCloudId::new(),
        name: "Friends".to_owned(),
    });
    let (talent, brings) = match way {
        Way::FreelancerToContract => (Talent::Freelancer, offer),
        Way::AgencyToContract => (Talent::Agency, offer),
        Way::FreelancerToCloud => (Talent::Freelancer, cloud),
        Way::AgencyToCloud => (Talent::Agency, cloud),
    };
    Case {
        id: CaseId::new(),
        person_id: PersonId::new(),
        account_id: AccountId::new(),
        invitation_id: InvitationId::new(),
        talent,
        client: Client {
            id: ClientId::new(),
            company_name: "Acme".to_owned(),
            plan: Plan::Basic,
            hiring_manager: HiringManager {
                display_name: "Grace".to_owned(),
                email: "grace@acme.example".parse().expect("an address"),
            },
        },
        brings,
        opened_at: at("2026-03-01"),
        state,
        since: at("2026-03-01"),
        left_at: None,
    }
}

/// Every state that a case of this way can be in.
fn states(way: Way) -> Vec<State> {
    let open = way.steps().iter().map(|step| State::At(*step));
    let ends = if way.steps().contains(&Step::AcceptOffer) {
        vec![State::Accepted(contract()), declined(), State::Lapsed]
    } else {
        vec![State::Ready]
    };
    open.chain(ends).collect()
}

fn accept(case: &mut Case, now: Timestamp) -> Result<(), Refusal> {
    case.accept_offer(ContractId::new(), RoomId::new(), now).map(drop)
}

const NOTHING: Facts = Facts {
    tasks_confirmed: false,
    listing_public: false,
    email_verified: false,
};
const EVERYTHING: Facts = Facts {
    tasks_confirmed: true,
    listing_public: true,
    email_verified: true,
};

/// What the state means for every deed about an offer, whatever the deed.
fn end_of_offer(state: &State, late: bool) -> Option<Refusal> {
    match state {
        State::Accepted(_) => Some(Refusal::OfferAccepted),
        State::Declined(_) => Some(Refusal::OfferDeclined),
        State::Lapsed => Some(Refusal::OfferLapsed),
        State::At(_) if late => Some(Refusal::OfferLapsed),
        State::At(_) | State::Ready => None,
    }
}

// B17, B19, B23, B26, B31, B38
#[test]
fn an_offer_is_accepted_at_its_last_step_and_nowhere_else() {
    for way in Way::ALL {
        for state in states(way) {
            for (now, late) in [(at("2026-03-30"), false), (at("2026-03-31"), true)] {
                let told = format!("{way:?} {state:?} at {now}");
                let mut case = case(way, state.clone());
                let expected = match (&case.brings, end_of_offer(&state, late), &state) {
                    (Brings::TalentCloud(_), ..) => Err(Refusal::NoOffer),
                    (_, Some(end), _) => Err(end),
                    (_, None, State::At(Step::AcceptOffer)) => Ok(()),
                    (_, None, State::At(Step::CompleteTasks)) => Err(Refusal::TasksOpen),
                    (_, None, State::At(Step::VerifyEmail)) => Err(Refusal::EmailNotVerified),
                    (_, None, State::At(Step::ConfirmListing)) => Err(Refusal::ListingNotConfirmed),
                    _ => Err(Refusal::ContractNotReviewed),
                };
                assert_eq!(accept(&mut case, now), expected, "{told}");
                if expected.is_err() {
                    assert_eq!(case.state, state, "{told}: a refused step changes nothing");
                } else {
                    assert!(
                        matches!(case.state, State::Accepted(made) if made.accepted_at == now),
                        "{told}"
                    );
                }
            }
        }
    }
}

// B19, B31
#[test]
fn the_contract_is_reviewed_in_the_version_that_stands() {
    for way in Way::ALL {
        for state in states(way) {
            for (version, late) in [(1, false), (2, false), (1, true)] {
                let now = at(if late { "2026-03-31" } else { "2026-03-30" });
                let mut case = case(way, state.clone());
                let expected = match (&case.brings, end_of_offer(&state, late), &state) {
                    (Brings::TalentCloud(_), ..) => Err(Refusal::NoOffer),
                    (_, Some(Refusal::OfferAccepted), _) => Ok(Moved::Before),
                    (_, Some(end), _) => Err(end),
                    _ if version == 2 => Err(Refusal::OfferChanged),
                    (_, None, State::At(Step::ReviewContract)) => Ok(Moved::Now),
                    _ => Ok(Moved::Before),
                };
                let outcome = case.review_contract(version, NOTHING, now);
                assert_eq!(outcome, expected, "{way:?} {state:?} version {version} at {now}");
                if outcome == Ok(Moved::Now) {
                    assert_eq!((case.state, case.since), (State::At(Step::CompleteTasks), now));
                } else {
                    assert_eq!(case.state, state);
                }
            }
        }
    }
}

// R31
#[test]
fn an_offer_is_declined_lapses_or_is_changed_as_long_as_it_stands() {
    for way in Way::ALL {
        for state in states(way) {
            for (now, late) in [(at("2026-03-30"), false), (at("2026-03-31"), true)] {
                let told = format!("{way:?} {state:?} at {now}");
                let end = end_of_offer(&state, late);
                let is_offer = case(way, state.clone()).offer().is_some();
                let refused = if is_offer { end } else { Some(Refusal::NoOffer) };

                let mut changed = case(way, state.clone());
                assert_eq!(changed.change_offer(now), refused.map_or(Ok(()), Err), "{told}");
                if refused.is_none() {
                    assert_eq!(changed.state, State::At(Step::ReviewContract), "{told}");
                    assert_eq!(changed.offer().map(|offer| offer.version), Some(2), "{told}");
                    assert_eq!(accept(&mut changed, now), Err(Refusal::ContractNotReviewed), "{told}");
                }

                let expected = match refused {
                    Some(Refusal::OfferDeclined) => Ok(Moved::Before),
                    Some(why) => Err(why),
                    None => Ok(Moved::Now),
                };
                let mut gone = case(way, state.clone());
                assert_eq!(gone.decline_offer(String::new(), now), expected, "{told}");
                assert_eq!(gone.state != state, expected == Ok(Moved::Now), "{told}");

                let mut lapsed = case(way, state.clone());
                let open = is_offer && matches!(state, State::At(_));
                assert_eq!(lapsed.lapse(now) == Lapsed::Now, open, "{told}");
                assert_eq!(lapsed.state == State::Lapsed, open || state == State::Lapsed, "{told}");
                let waits = matches!(state, State::At(_)) && !(is_offer && late);
                assert_eq!(case(way, state.clone()).is_open(now), waits, "{told}");
            }
        }
    }
}

// B42, B44, B45, B49, B51, B52
#[test]
fn the_profile_step_is_of_talent_clouds_and_is_left_once() {
    let now = at("2026-03-30");
    for way in Way::ALL {
        for state in states(way) {
            let mut case = case(way, state.clone());
            let outcome = case.leave_profile(EVERYTHING, now);
            let expected = match (&case.brings, &state) {
                (Brings::Contract(_), _) => Err(Refusal::NoProfileStep),
                (_, State::At(Step::BuildProfile)) => Ok(Moved::Now),
                _ => Ok(Moved::Before),
            };
            assert_eq!(outcome, expected, "{way:?} {state:?}");
            let arrived = if expected == Ok(Moved::Now) {
                State::Ready
            } else {
                state
            };
            assert_eq!(case.state, arrived, "{way:?}");
        }
    }
}

#[test]
fn a_case_goes_on_when_nothing_is_left_to_do_where_it_stands() {
    let now = at("2026-03-30");
    for way in Way::ALL {
        for state in states(way) {
            let mut case = case(way, state.clone());
            assert_eq!(case.go_on(NOTHING, now), Moved::Before, "{way:?} {state:?}");
            let moves = match state {
                State::At(step) => step.is_passed(EVERYTHING),
                _ => false,
            };
            assert_eq!(case.go_on(EVERYTHING, now) == Moved::Now, moves, "{way:?} {state:?}");
        }
    }
    let mut late = case(Way::FreelancerToContract, State::At(Step::CompleteTasks));
    assert_eq!(late.go_on(EVERYTHING, at("2026-03-31")), Moved::Before);
}

// B20, B45
#[test]
fn client_and_talent_part_when_the_offer_or_the_contract_ends() {
    let (in_time, late) = (at("2026-03-02"), lapse_of(at("2026-03-01")));
    for way in [
        Way::FreelancerToContract,
        Way::AgencyToContract,
        Way::FreelancerToCloud,
        Way::AgencyToCloud,
    ] {
        for state in states(way) {
            let case = case(way, state.clone());
            let (stands, forever) = match state {
                State::At(_) => (true, case.offer().is_none()),
                State::Accepted(_) | State::Ready => (true, true),
                State::Lapsed | State::Declined(_) => (false, false),
            };
            assert_eq!((case.stands(in_time), case.stands(late)), (stands, forever), "{case:?}");
        }
    }
    let ended = Contract {
        ended_at: Some(in_time),
        ..contract()
    };
    assert!(!case(Way::FreelancerToContract, State::Accepted(ended)).stands(in_time));
    for state in states(Way::FreelancerToCloud) {
        let left = Case {
            left_at: Some(in_time),
            ..case(Way::FreelancerToCloud, state)
        };
        assert!(!left.stands(in_time) && !left.is_open(in_time), "{left:?}");
    }
}
