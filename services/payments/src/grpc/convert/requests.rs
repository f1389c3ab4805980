//! From the wire: every violation is told at once.

use vouch_primitives::{AccountId, ContractId, EarningId};
use vouch_proto::{Fields, Page, Violations, payments::v1 as pb};

use crate::{
    app::{
        contracts::Party,
        earnings::RefundEarning,
        milestones::{ApproveMilestone, CreateMilestone, FundMilestone},
    },
    domain::RewardKey,
};

/// A request that names one thing.
#[derive(Debug)]
pub struct Id<I>(pub I);

/// Which contracts.
#[derive(Debug)]
pub struct ListContracts {
    /// Whose.
    pub party: Party,
    /// Which part of the list.
    pub page: Page<ContractId>,
}

/// Which earnings.
#[derive(Debug)]
pub struct ListEarnings {
    /// Whose.
    pub account_id: AccountId,
    /// Which part of the list.
    pub page: Page<EarningId>,
}

/// Which reward postings.
#[derive(Debug)]
pub struct ListRewardPostings {
    /// Whose.
    pub account_id: AccountId,
    /// Which part of the list.
    pub page: Page<RewardKey>,
}

/// The account whose list is asked for.
pub(super) fn account(fields: &mut Fields, id: &str) -> Option<Party> {
    fields.id("account_id", id).map(Party::Account)
}

/// The client whose list is asked for.
pub(super) fn client(fields: &mut Fields, id: &str) -> Option<Party> {
    fields.id("client_id", id).map(Party::Client)
}

/// Nothing says whose list is asked for.
pub(super) fn no_party(fields: &mut Fields) -> Option<Party> {
    fields.refuse("party", "REQUIRED", "is required: account_id or client_id");
    None
}

impl TryFrom<pb::GetContractRequest> for Id<ContractId> {
    type Error = Violations;

    fn try_from(request: pb::GetContractRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("contract_id", &request.contract_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::GetEarningRequest> for Id<EarningId> {
    type Error = Violations;

    fn try_from(request: pb::GetEarningRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("earning_id", &request.earning_id);
        id.map(Self).ok_or_else(|| fields.into())
    }
}

/// Which part of all reward postings.
pub struct ListAllRewardPostings(pub Page<RewardKey>);

impl TryFrom<pb::ListAllRewardPostingsRequest> for ListAllRewardPostings {
    type Error = Violations;

    fn try_from(request: pb::ListAllRewardPostingsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        match fields.page(request.page_size, &request.page_token) {
            Some(page) => fields.finish(Self(page)),
            None => Err(fields.into()),
        }
    }
}

impl TryFrom<pb::ListRewardPostingsRequest> for ListRewardPostings {
    type Error = Violations;

    fn try_from(request: pb::ListRewardPostingsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(account_id), Some(page)) = (account_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { account_id, page })
    }
}

impl TryFrom<pb::ListContractsRequest> for ListContracts {
    type Error = Violations;

    fn try_from(request: pb::ListContractsRequest) -> Result<Self, Violations> {
        use pb::list_contracts_request::Party as Wire;
        let mut fields = Fields::new();
        let party = match &request.party {
            Some(Wire::AccountId(id)) => account(&mut fields, id),
            Some(Wire::ClientId(id)) => client(&mut fields, id),
            None => no_party(&mut fields),
        };
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(party), Some(page)) = (party, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { party, page })
    }
}

impl TryFrom<pb::ListEarningsRequest> for ListEarnings {
    type Error = Violations;

    fn try_from(request: pb::ListEarningsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(account_id), Some(page)) = (account_id, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { account_id, page })
    }
}

impl TryFrom<pb::CreateMilestoneRequest> for CreateMilestone {
    type Error = Violations;

    fn try_from(request: pb::CreateMilestoneRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let contract_id = fields.id("contract_id", &request.contract_id);
        let title = fields.line("title", &request.title, 1..=200);
        let amount = fields.positive_money("amount", request.amount.as_ref());
        let (Some(contract_id), Some(title), Some(amount)) = (contract_id, title, amount) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            contract_id,
            title,
            amount,
        })
    }
}

impl TryFrom<pb::FundMilestoneRequest> for FundMilestone {
    type Error = Violations;

    fn try_from(request: pb::FundMilestoneRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("milestone_id", &request.milestone_id);
        id.map(|milestone_id| Self { milestone_id })
            .ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::ApproveMilestoneRequest> for ApproveMilestone {
    type Error = Violations;

    fn try_from(request: pb::ApproveMilestoneRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("milestone_id", &request.milestone_id);
        id.map(|milestone_id| Self { milestone_id })
            .ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::RefundEarningRequest> for RefundEarning {
    type Error = Violations;

    fn try_from(request: pb::RefundEarningRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let earning_id = fields.id("earning_id", &request.earning_id);
        let amount = fields.positive_money("amount", request.amount.as_ref());
        let (Some(earning_id), Some(amount)) = (earning_id, amount) else {
            return Err(fields.into());
        };
        fields.finish(Self { earning_id, amount })
    }
}
