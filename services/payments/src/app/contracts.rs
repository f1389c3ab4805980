//! An accepted offer begins a contract.

use std::collections::{BTreeMap, HashSet};

use sea_orm::ConnectionTrait;
use vouch_messaging::{Fact, NewEvent, outbox};
use vouch_primitives::{AccountId, ClientId, ContractId, MilestoneId, Money, OfferId, PersonId, Timestamp};
use vouch_proto::{Listed, Page, convert::to_wire_time, payments::v1 as pb};
use vouch_storage::{Txn, timers};

use super::{App, periods};
use crate::{
    domain::{Contract, ContractState, FeeTerms, Milestone, MilestoneState, Pay, WeeklyLimits},
    error::Error,
    store,
};

pub use crate::store::contracts::Party;

/// An offer was accepted, elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedOffer {
    /// Which one.
    pub offer_id: OfferId,
    /// The contract that begins.
    pub contract_id: ContractId,
    /// Who pays.
    pub client_id: ClientId,
    /// Who works.
    pub person_id: PersonId,
    /// The account that is paid.
    pub account_id: AccountId,
    /// How the work is paid.
    pub pay: Pay,
    /// Title and amount of the milestones, all in the currency of a fixed pay; none where pay is hourly.
    pub milestones: Vec<(String, Money)>,
    /// When work may begin.
    pub start_at: Timestamp,
    /// When it was accepted.
    pub accepted_at: Timestamp,
}

/// A contract as it is shown.
#[derive(Clone, Debug)]
pub struct ContractView {
    /// The contract.
    pub contract: Contract,
    /// In the order in which they were agreed; none in lists.
    pub milestones: Vec<Milestone>,
    /// Of an hourly contract.
    pub limits: Option<WeeklyLimits>,
    /// When it was looked at: which limit is in force depends on it.
    pub at: Timestamp,
}

impl ContractView {
    /// The contract with all that is shown of it.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn read(conn: &impl ConnectionTrait, contract: Contract, at: Timestamp) -> Result<Self, Error> {
        let milestones = store::milestones::of_contract(conn, contract.id).await?;
        let limits = store::limits::of(conn, [&contract]).await?.remove(&contract.id);
        Ok(Self {
            contract,
            milestones,
            limits,
            at,
        })
    }
}

impl App {
    /// Reads one contract.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get_contract(&self, id: ContractId) -> Result<ContractView, Error> {
        let conn = self.commands.db().reader();
        let found = store::contracts::find(conn, &[id]).await?.pop();
        let contract = found.ok_or(Error::not_found("contract", id.as_uuid()))?;
        ContractView::read(conn, contract, self.commands.now()).await
    }

    /// Lists somebody's contracts, newest first. Their milestones are left out: all together they could be more than an
    /// answer can hold.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list_contracts(
        &self,
        party: Party,
        page: Page<ContractId>,
    ) -> Result<Listed<ContractView, ContractId>, Error> {
        let (conn, at) = (self.commands.db().reader(), self.commands.now());
        let found = store::contracts::list(conn, party, page).await?;
        let mut limits = store::limits::of(conn, &found).await?;
        let views = found.into_iter().map(|contract| ContractView {
            limits: limits.remove(&contract.id),
            milestones: Vec::new(),
            contract,
            at,
        });
        Ok(page.cut(views.collect(), |view: &ContractView| view.contract.id))
    }

    /// Begins the contracts of accepted offers, bound to the fee terms of the day [F14]. A contract that has begun
    /// already is left as it is.
    ///
    /// # Errors
    /// [`Error::OfferTaken`] if an offer or a contract is bound otherwise.
    pub async fn on_offers_accepted(&self, txn: &Txn, offers: &[Fact<AcceptedOffer>]) -> Result<(), Error> {
        let contracts: Vec<Contract> = offers.iter().map(|offer| begin(&offer.body)).collect();
        let mut new: HashSet<ContractId> = store::contracts::insert_new(txn, &contracts)
            .await?
            .into_iter()
            .collect();
        refuse_taken(txn, &contracts).await?;
        let mut milestones = Vec::new();
        let mut events = Vec::new();
        let mut closings = Vec::new();
        for fact in offers {
            // Once for each, even if two events in this batch tell of the same offer.
            if new.remove(&fact.body.contract_id) {
                milestones.extend(agreed(&fact.body));
                events.push(started(&fact.body).caused_by(fact));
                closings.extend(periods::first_closing(&begin(&fact.body)));
            }
        }
        store::milestones::save(txn, &milestones).await?;
        timers::schedule(txn, &closings).await?;
        Ok(outbox::append(txn, self.commands.now(), &events).await?)
    }
}

fn begin(offer: &AcceptedOffer) -> Contract {
    Contract {
        id: offer.contract_id,
        offer_id: offer.offer_id,
        client_id: offer.client_id,
        person_id: offer.person_id,
        account_id: offer.account_id,
        pay: offer.pay,
        fee_terms: FeeTerms::STANDARD,
        start_at: offer.start_at,
        created_at: offer.accepted_at,
        net_gross_minor: 0,
        state: ContractState::Active,
        unpaid_since: None,
    }
}

fn agreed(offer: &AcceptedOffer) -> impl Iterator<Item = Milestone> {
    offer.milestones.iter().map(|(title, amount)| Milestone {
        id: MilestoneId::new(),
        contract_id: offer.contract_id,
        title: title.clone(),
        amount: *amount,
        taken_minor: 0,
        state: MilestoneState::Agreed,
    })
}

fn started(offer: &AcceptedOffer) -> NewEvent {
    let event = pb::ContractStarted {
        contract_id: offer.contract_id.to_string(),
        offer_id: offer.offer_id.to_string(),
        client_id: offer.client_id.to_string(),
        person_id: offer.person_id.to_string(),
        account_id: offer.account_id.to_string(),
        begin_time: Some(to_wire_time(offer.accepted_at)),
    };
    NewEvent::new(offer.contract_id.as_uuid(), &event)
}

/// Locks a contract that has to be there.
pub(super) async fn locked(txn: &Txn, id: ContractId) -> Result<Contract, Error> {
    let contract = store::contracts::lock(txn, id).await?;
    contract.ok_or(Error::not_found("contract", id.as_uuid()))
}

/// Every contract must now be there with its offer: by this batch or since long.
async fn refuse_taken(txn: &Txn, contracts: &[Contract]) -> Result<(), Error> {
    let ids: Vec<ContractId> = contracts.iter().map(|contract| contract.id).collect();
    let stored = store::contracts::find(txn, &ids).await?;
    let bound: BTreeMap<ContractId, OfferId> = stored
        .into_iter()
        .map(|contract| (contract.id, contract.offer_id))
        .collect();
    let taken = contracts
        .iter()
        .find(|contract| bound.get(&contract.id) != Some(&contract.offer_id));
    taken.map_or(Ok(()), |contract| {
        Err(Error::OfferTaken {
            offer: contract.offer_id.as_uuid(),
            contract: contract.id.as_uuid(),
        })
    })
}
