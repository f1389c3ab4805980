//! Contracts: whoever was vouched for is hired, and introductions are paid for what comes of them.

use std::collections::BTreeSet;

use vouch_messaging::Fact;
use vouch_primitives::{ContractId, PersonId};
use vouch_proto::{
    Fields, Violations,
    payments::v1::{ContractEnded, ContractStarted},
};
use vouch_storage::Txn;

use super::{App, books, inviting};
use crate::{
    domain::Bond,
    error::Error,
    store::{self, contracts::ContractNews, earnings::Scope},
};

impl App {
    /// Contracts began.
    ///
    /// # Errors
    /// If an event is bad, a total does not fit, or the database fails.
    pub async fn on_contracts_started(&self, txn: &Txn, facts: &[Fact<ContractStarted>]) -> Result<(), Error> {
        let news = facts.iter().map(|fact| parse_started(&fact.body));
        self.note_contracts(txn, &news.collect::<Result<Vec<_>, _>>()?).await
    }

    /// Contracts ended.
    ///
    /// # Errors
    /// If an event is bad, a total does not fit, or the database fails.
    pub async fn on_contracts_ended(&self, txn: &Txn, facts: &[Fact<ContractEnded>]) -> Result<(), Error> {
        let news = facts.iter().map(|fact| parse_ended(&fact.body));
        self.note_contracts(txn, &news.collect::<Result<Vec<_>, _>>()?).await
    }

    async fn note_contracts(&self, txn: &Txn, news: &[ContractNews]) -> Result<(), Error> {
        let people: BTreeSet<PersonId> = news.iter().map(|it| it.person).collect();
        store::people::ensure(txn, &people).await?;
        store::people::lock(txn, &people).await?;
        let mut ties = store::ties::of_people(txn, &people).await?;
        store::contracts::note(txn, news).await?;
        let accounts = news.iter().map(|it| it.account).collect();
        let contracts = store::contracts::of_accounts(txn, &accounts).await?;
        let began: BTreeSet<PersonId> = news
            .iter()
            .filter(|it| it.began.is_some())
            .map(|it| it.person)
            .collect();
        inviting::hire(txn, self.now(), &began).await?;
        for loaded in &mut ties {
            if began.contains(&loaded.tie.payee) {
                loaded.tie.hire();
            }
            let Bond::Introduction(bond) = &loaded.tie.bond else {
                continue;
            };
            let mut bound = bond.clone();
            if !accounts.contains(&bond.account) {
                continue;
            }
            bound.bind(&contracts);
            let (before, after): (BTreeSet<ContractId>, BTreeSet<ContractId>) = (
                bond.contracts.iter().copied().collect(),
                bound.contracts.iter().copied().collect(),
            );
            let changed = before.symmetric_difference(&after).copied().collect();
            let payee = BTreeSet::from([loaded.tie.payee]);
            let movements = store::earnings::movements(txn, &payee, &Scope::Contracts(changed)).await?;
            let movements = movements.get(&loaded.tie.payee).map_or(&[][..], Vec::as_slice);
            loaded
                .tie
                .rejudge(movements, |tie| tie.bond = Bond::Introduction(bound))?;
        }
        books::finish(txn, self.now(), &mut ties).await
    }
}

pub(super) fn parse_started(event: &ContractStarted) -> Result<ContractNews, Violations> {
    let mut fields = Fields::new();
    let ids = (
        fields.id("contract_id", &event.contract_id),
        fields.id("client_id", &event.client_id),
        fields.id("person_id", &event.person_id),
        fields.id("account_id", &event.account_id),
    );
    let began = fields.time("begin_time", event.begin_time.as_ref());
    let ((Some(id), Some(client), Some(person), Some(account)), Some(began)) = (ids, began) else {
        return Err(fields.into());
    };
    fields.finish(ContractNews {
        id,
        client,
        person,
        account,
        began: Some(began),
        ended: None,
    })
}

pub(super) fn parse_ended(event: &ContractEnded) -> Result<ContractNews, Violations> {
    let mut fields = Fields::new();
    let ids = (
        fields.id("contract_id", &event.contract_id),
        fields.id("client_id", &event.client_id),
        fields.id("person_id", &event.person_id),
        fields.id("account_id", &event.account_id),
    );
    let ended = fields.time("end_time", event.end_time.as_ref());
    let ((Some(id), Some(client), Some(person), Some(account)), Some(ended)) = (ids, ended) else {
        return Err(fields.into());
    };
    fields.finish(ContractNews {
        id,
        client,
        person,
        account,
        began: None,
        ended: Some(ended),
    })
}
