//! Tax information.

use vouch_primitives::AccountId;
use vouch_proto::{Fields, Violations, common::v1::TaxFormKind, convert::to_wire_time, onboarding::v1 as pb};

use super::Id;
use crate::{app::tax::SubmitTaxInformation, domain::TaxInformation};

impl TryFrom<pb::SubmitTaxInformationRequest> for SubmitTaxInformation {
    type Error = Violations;

    fn try_from(request: pb::SubmitTaxInformationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let form = fields.tax_form("form", request.form.as_ref());
        let (Some(account_id), Some(form)) = (account_id, form) else {
            return Err(fields.into());
        };
        fields.finish(Self { account_id, form })
    }
}

impl TryFrom<pb::GetTaxInformationRequest> for Id<AccountId> {
    type Error = Violations;

    fn try_from(request: pb::GetTaxInformationRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("account_id", &request.account_id);
        id.map(Id).ok_or_else(|| fields.into())
    }
}

impl From<TaxInformation> for pb::TaxInformation {
    fn from(information: TaxInformation) -> Self {
        let state = match information.recorded_at {
            None => pb::tax_information::State::PassingOn,
            Some(_) => pb::tax_information::State::Recorded,
        };
        Self {
            tax_form_id: information.id.to_string(),
            account_id: information.account_id.to_string(),
            kind: TaxFormKind::from(information.kind).into(),
            state: state.into(),
            submit_time: Some(to_wire_time(information.submitted_at)),
        }
    }
}
