//! The rules, one by one and all together.

mod books;
mod charges;
mod client_refunds;
mod hours;
mod payouts;
mod reversals;
mod rules;
mod withdrawals;

use vouch_primitives::{
    AccountId, BasisPoints, ChargeId, ClientId, ContractId, Currency, MilestoneId, Money, OfferId, PersonId, Timestamp,
};

use super::{
    Attempt, Charge, ChargeState, Contract, ContractState, EarningSource, FeeTerms, Milestone, MilestoneState, Pay,
};

const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

fn currency(code: &str) -> Currency {
    code.parse().unwrap()
}

pub(super) fn contract(account_id: AccountId, currency: Currency, rate: u16) -> Contract {
    Contract {
        id: ContractId::new(),
        offer_id: OfferId::new(),
        client_id: ClientId::new(),
        person_id: PersonId::new(),
        account_id,
        pay: Pay::Fixed { currency },
        fee_terms: FeeTerms {
            version: 1,
            talent: BasisPoints::of(rate),
        },
        start_at: NOON,
        created_at: NOON,
        net_gross_minor: 0,
        state: ContractState::Active,
        unpaid_since: None,
    }
}

/// What a client pays for a milestone.
fn charge(contract: &Contract, milestone: &Milestone, amount: Money) -> Charge {
    Charge {
        id: ChargeId::new(),
        contract_id: contract.id,
        client_id: contract.client_id,
        purpose: EarningSource::Milestone(milestone.id),
        amount,
        created_at: NOON,
        attempt: Attempt::new(1, None, NOON),
        first_failed_at: None,
        given_up_at: None,
        refunded_minor: 0,
        state: ChargeState::Pending { look_at: NOON },
    }
}

/// Work that was submitted then.
const fn submitted(at: Timestamp) -> MilestoneState {
    MilestoneState::Submitted {
        submitted_at: at,
        silent_since: at,
    }
}

/// A milestone that is agreed and nothing more.
fn milestone(contract: &Contract, amount_minor: i64) -> Milestone {
    Milestone {
        id: MilestoneId::new(),
        contract_id: contract.id,
        title: "work".to_owned(),
        amount: Money::new(amount_minor, contract.currency()),
        taken_minor: 0,
        state: MilestoneState::Agreed,
    }
}
