//! Screening.

use vouch_primitives::{AttributionId, PersonId};
use vouch_proto::{Fields, Page, Violations, referral::v1 as pb};

use crate::domain::{ScreeningRule, ScreeningState};

/// Whose case.
pub(in crate::grpc) struct CaseOf(pub PersonId);

/// Which page of the cases in which states.
pub(in crate::grpc) struct CasePage {
    pub states: Vec<ScreeningState>,
    pub page: Page<PersonId>,
}

/// Whose case is decided, and why.
pub(in crate::grpc) struct Decide {
    pub person: PersonId,
    pub reason: String,
}

/// Which rejection is wrong, and why.
pub(in crate::grpc) struct Appeal {
    pub attribution: AttributionId,
    pub message: String,
}

/// A rule to set.
pub(in crate::grpc) struct SetRule(pub ScreeningRule);

impl TryFrom<pb::GetScreeningRequest> for CaseOf {
    type Error = Violations;

    fn try_from(request: pb::GetScreeningRequest) -> Result<Self, Violations> {
        case_of(&request.person_id)
    }
}

impl TryFrom<pb::ClaimScreeningCaseRequest> for CaseOf {
    type Error = Violations;

    fn try_from(request: pb::ClaimScreeningCaseRequest) -> Result<Self, Violations> {
        case_of(&request.person_id)
    }
}

impl TryFrom<pb::ListScreeningCasesRequest> for CasePage {
    type Error = Violations;

    fn try_from(request: pb::ListScreeningCasesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let states = match request.state() {
            pb::ScreeningState::Unspecified => {
                vec![
                    ScreeningState::Queued,
                    ScreeningState::Claimed,
                    ScreeningState::Appealed,
                ]
            }
            pb::ScreeningState::Queued => vec![ScreeningState::Queued],
            pb::ScreeningState::Claimed => vec![ScreeningState::Claimed],
            pb::ScreeningState::Passed => vec![ScreeningState::Passed],
            pb::ScreeningState::Rejected => vec![ScreeningState::Rejected],
            pb::ScreeningState::Appealed => vec![ScreeningState::Appealed],
        };
        let Some(page) = fields.page(request.page_size, &request.page_token) else {
            return Err(fields.into());
        };
        fields.finish(Self { states, page })
    }
}

impl TryFrom<pb::PassScreeningCaseRequest> for Decide {
    type Error = Violations;

    fn try_from(request: pb::PassScreeningCaseRequest) -> Result<Self, Violations> {
        decide(&request.person_id, &request.reason, 0)
    }
}

impl TryFrom<pb::RejectScreeningCaseRequest> for Decide {
    type Error = Violations;

    fn try_from(request: pb::RejectScreeningCaseRequest) -> Result<Self, Violations> {
        decide(&request.person_id, &request.reason, 1)
    }
}

impl TryFrom<pb::AppealScreeningRequest> for Appeal {
    type Error = Violations;

    fn try_from(request: pb::AppealScreeningRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let attribution = fields.id("attribution_id", &request.attribution_id);
        let message = fields.text("message", &request.message, 1..=2_000);
        let (Some(attribution), Some(message)) = (attribution, message) else {
            return Err(fields.into());
        };
        fields.finish(Self { attribution, message })
    }
}

impl TryFrom<pb::SetScreeningRuleRequest> for SetRule {
    type Error = Violations;

    fn try_from(request: pb::SetScreeningRuleRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(rule) = request.rule else {
            fields.refuse("rule", "REQUIRED", "is required");
            return Err(fields.into());
        };
        let name = fields.within("rule", |fields| fields.line("name", &rule.name, 1..=50));
        let Some(name) = name else {
            return Err(fields.into());
        };
        fields.finish(Self(ScreeningRule {
            name,
            hired: rule.hired,
            unrelated: rule.unrelated,
            enabled: rule.enabled,
        }))
    }
}

fn case_of(person: &str) -> Result<CaseOf, Violations> {
    let mut fields = Fields::new();
    let Some(person) = fields.id("person_id", person) else {
        return Err(fields.into());
    };
    fields.finish(CaseOf(person))
}

fn decide(person: &str, reason: &str, shortest: usize) -> Result<Decide, Violations> {
    let mut fields = Fields::new();
    let person = fields.id("person_id", person);
    let reason = fields.text("reason", reason, shortest..=500);
    let (Some(person), Some(reason)) = (person, reason) else {
        return Err(fields.into());
    };
    fields.finish(Decide { person, reason })
}
