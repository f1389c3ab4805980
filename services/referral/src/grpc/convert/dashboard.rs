//! Dashboards, statements, leaders, match signals.

use vouch_primitives::{Currency, PersonId, ReferrerId, Timestamp};
use vouch_proto::{Fields, Page, Violations, referral::v1 as pb};

use crate::app::{Period, ReleasePosition};

/// Whose dashboard.
pub(in crate::grpc) struct DashboardOf(pub ReferrerId);

/// Which page of which statement.
pub(in crate::grpc) struct StatementPage {
    pub period: Period,
    pub page: Page<ReleasePosition>,
}

/// How many leaders of which months.
pub(in crate::grpc) struct Leaders {
    pub currency: Currency,
    pub months: (Timestamp, Timestamp),
    pub most: u64,
}

/// Whose match signal.
pub(in crate::grpc) struct SignalOf(pub PersonId);

impl TryFrom<pb::GetDashboardRequest> for DashboardOf {
    type Error = Violations;

    fn try_from(request: pb::GetDashboardRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(referrer) = fields.id("referrer_id", &request.referrer_id) else {
            return Err(fields.into());
        };
        fields.finish(Self(referrer))
    }
}

impl TryFrom<pb::GetStatementRequest> for StatementPage {
    type Error = Violations;

    fn try_from(request: pb::GetStatementRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let currency = fields.currency("currency_code", &request.currency_code);
        let from = fields.time("from_time", request.from_time.as_ref());
        let until = fields.time("until_time", request.until_time.as_ref());
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            fields.refuse("until_time", "OUT_OF_RANGE", "must be after from_time");
        }
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(referrer), Some(currency), Some(from), Some(until), Some(page)) =
            (referrer, currency, from, until, page)
        else {
            return Err(fields.into());
        };
        let period = Period {
            referrer,
            currency,
            from,
            until,
        };
        fields.finish(Self { period, page })
    }
}

impl TryFrom<pb::ListLeadersRequest> for Leaders {
    type Error = Violations;

    fn try_from(request: pb::ListLeadersRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let currency = fields.currency("currency_code", &request.currency_code);
        let from = fields.time("from_time", request.from_time.as_ref());
        let until = fields.time("until_time", request.until_time.as_ref());
        if let (Some(from), Some(until)) = (from, until)
            && until < from
        {
            fields.refuse("until_time", "OUT_OF_RANGE", "must not be before from_time");
        }
        let most = fields.page_size(request.page_size);
        let (Some(currency), Some(from), Some(until), Some(most)) = (currency, from, until, most) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            currency,
            months: (from, until),
            most,
        })
    }
}

impl TryFrom<pb::GetMatchSignalRequest> for SignalOf {
    type Error = Violations;

    fn try_from(request: pb::GetMatchSignalRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(person) = fields.id("person_id", &request.person_id) else {
            return Err(fields.into());
        };
        fields.finish(Self(person))
    }
}
