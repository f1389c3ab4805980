//! Tax forms.

use vouch_primitives::AccountId;
use vouch_proto::{Fields, Violations, common::v1::TaxFormKind, convert::to_wire_time, payments::v1 as pb};

use super::Id;
use crate::{app::tax::RecordTaxForm, domain::TaxForm};

impl TryFrom<pb::RecordTaxFormRequest> for RecordTaxForm {
    type Error = Violations;

    fn try_from(request: pb::RecordTaxFormRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("tax_form_id", &request.tax_form_id);
        let account_id = fields.id("account_id", &request.account_id);
        let checked = fields.tax_form("form", request.form.as_ref());
        let submitted_at = fields.time("submit_time", request.submit_time.as_ref());
        let (Some(id), Some(account_id), Some(checked), Some(submitted_at)) = (id, account_id, checked, submitted_at)
        else {
            return Err(fields.into());
        };
        let form = TaxForm {
            id,
            account_id,
            kind: checked.kind,
            tin_last_four: checked.tin_last_four,
            submitted_at,
        };
        let said = checked.form;
        fields.finish(Self { form, said })
    }
}

impl TryFrom<pb::GetTaxStatusRequest> for Id<AccountId> {
    type Error = Violations;

    fn try_from(request: pb::GetTaxStatusRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("account_id", &request.account_id);
        id.map(Id).ok_or_else(|| fields.into())
    }
}

impl From<TaxForm> for pb::TaxFormSummary {
    fn from(form: TaxForm) -> Self {
        Self {
            id: form.id.to_string(),
            kind: TaxFormKind::from(form.kind).into(),
            tin_last_four: form.tin_last_four,
            submit_time: Some(to_wire_time(form.submitted_at)),
        }
    }
}
