//! Programmes of clients.

use vouch_primitives::{ClientId, ClientProgrammeId, Money};
use vouch_proto::{Fields, Page, Violations, referral::v1 as pb};

use crate::{
    app::client_programmes::OpenProgramme,
    domain::{ClientTerms, Qualification, client_programme::MOST_HOLD_DAYS},
};

/// What to add to which budget.
pub(in crate::grpc) struct Raise {
    pub programme: ClientProgrammeId,
    pub by: Money,
}

/// Which programme to close.
pub(in crate::grpc) struct Close(pub ClientProgrammeId);

/// Which page of a client's programmes.
pub(in crate::grpc) struct ProgrammePage {
    pub client: ClientId,
    pub page: Page<ClientProgrammeId>,
}

impl TryFrom<pb::OpenClientProgrammeRequest> for OpenProgramme {
    type Error = Violations;

    fn try_from(request: pb::OpenClientProgrammeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client = fields.id("client_id", &request.client_id);
        let reward = fields.positive_money("reward", request.reward.as_ref());
        let budget = fields.positive_money("budget", request.budget.as_ref());
        let qualification = match request.qualification() {
            pb::terms::Qualification::Contract => Some(Qualification::Contract),
            pb::terms::Qualification::ContractCompleted => Some(Qualification::ContractCompleted),
            pb::terms::Qualification::Unspecified => {
                fields.refuse("qualification", "REQUIRED", "is required");
                None
            }
            _ => {
                fields.refuse("qualification", "BAD_QUALIFICATION", "must be the contract, or its end");
                None
            }
        };
        if request.hold_days > MOST_HOLD_DAYS {
            fields.refuse("hold_days", "OUT_OF_RANGE", "must be at most 365");
        }
        if let (Some(reward), Some(budget)) = (&reward, &budget) {
            if reward.currency != budget.currency {
                fields.refuse("budget", "OTHER_CURRENCY", "must be in the currency of the reward");
            } else if budget.minor < reward.minor {
                fields.refuse("budget", "OUT_OF_RANGE", "must hold one reward at least");
            }
        }
        let (Some(client), Some(reward), Some(budget), Some(qualification)) = (client, reward, budget, qualification)
        else {
            return Err(fields.into());
        };
        fields.finish(Self {
            client,
            terms: ClientTerms {
                reward,
                qualification,
                hold_days: request.hold_days,
            },
            budget,
        })
    }
}

impl TryFrom<pb::RaiseBudgetRequest> for Raise {
    type Error = Violations;

    fn try_from(request: pb::RaiseBudgetRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let programme = fields.id("client_programme_id", &request.client_programme_id);
        let by = fields.positive_money("amount", request.amount.as_ref());
        let (Some(programme), Some(by)) = (programme, by) else {
            return Err(fields.into());
        };
        fields.finish(Self { programme, by })
    }
}

impl TryFrom<pb::CloseClientProgrammeRequest> for Close {
    type Error = Violations;

    fn try_from(request: pb::CloseClientProgrammeRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(programme) = fields.id("client_programme_id", &request.client_programme_id) else {
            return Err(fields.into());
        };
        fields.finish(Self(programme))
    }
}

impl TryFrom<pb::ListClientProgrammesRequest> for ProgrammePage {
    type Error = Violations;

    fn try_from(request: pb::ListClientProgrammesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let client = fields.id("client_id", &request.client_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(client), Some(page)) = (client, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { client, page })
    }
}
