//! The programme against an implementation that is slow and obviously right: whatever facts there are, and in whatever
//! order they come, each total is the one that follows from the set of facts.

mod facts;
mod machine;
mod naive;

use proptest::prelude::*;

use self::{
    facts::{Case, case},
    machine::Machine,
};

fn check(case: &Case) -> Result<(), TestCaseError> {
    let mut machine = Machine::new(case);
    let mut naive = naive::Naive::default();
    for (nth, fact) in case.facts.iter().enumerate() {
        machine.hear(fact);
        naive.grant(&case.facts[..=nth]);
    }
    for now in [case.now, case.later] {
        machine.release(now);
        prop_assert_eq!(machine.totals(), naive.totals(&case.facts, now), "at {}", now);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100_000, failure_persistence: None, ..ProptestConfig::default() })]

    // R6, R12, R21, R24, R25, R26, R36, R8, R9, R10, R11, R34
    #[test]
    fn every_order_of_facts_comes_to_what_follows_from_the_set_of_facts(case in case(14)) {
        check(&case)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    #[ignore = "long: a million histories, about seven minutes"]
    fn long_million_histories(case in case(24)) {
        check(&case)?;
    }
}
