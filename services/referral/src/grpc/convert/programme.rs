//! The programme: terms, introductions, standing.

use std::collections::BTreeMap;

use vouch_primitives::{AttributionId, BasisPoints, ClientId, EarningId, PersonId, ReferrerId, Timestamp, Uuid};
use vouch_proto::{Fields, Page, Violations, referral::v1 as pb};

use crate::{
    app::introductions::Introduce,
    domain::{BonusBasis, Qualification, ReferralKind, SignUpBonus, Terms, terms::LOSS_ACCEPTED},
};

/// Terms to publish, under no version yet.
pub(in crate::grpc) struct Publish(pub Terms);

/// Which page of the versions.
pub(in crate::grpc) struct TermsPage(pub Page<u32>);

/// Which attribution to bind to which version, with which words.
pub(in crate::grpc) struct Migrate {
    pub attribution: AttributionId,
    pub version: u32,
    pub consent: String,
}

/// Which page of a referrer's introductions.
pub(in crate::grpc) struct IntroductionPage {
    pub referrer: ReferrerId,
    pub page: Page<AttributionId>,
}

/// Whose standing changes, from when on, and why.
pub(in crate::grpc) struct Stand {
    pub referrer: ReferrerId,
    pub from: Option<Timestamp>,
    pub reason: String,
}

/// Who is related to whom.
pub(in crate::grpc) struct Relate {
    pub person: PersonId,
    pub client: ClientId,
    pub reason: String,
}

/// Which earning to explain to whom.
pub(in crate::grpc) struct ExplainEarning {
    pub referrer: Option<ReferrerId>,
    pub earning: EarningId,
}

impl TryFrom<pb::PublishTermsRequest> for Publish {
    type Error = Violations;

    fn try_from(request: pb::PublishTermsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let loss_accepted = match request.accepted_loss.as_str() {
            "" => false,
            LOSS_ACCEPTED => true,
            _ => {
                fields.refuse(
                    "accepted_loss",
                    "OTHER_WORDS",
                    format!("must be empty or `{LOSS_ACCEPTED}`"),
                );
                false
            }
        };
        let Some(terms) = request.terms else {
            fields.refuse("terms", "REQUIRED", "is required");
            return Err(fields.into());
        };
        let read = fields.within("terms", |fields| read_terms(fields, &terms, loss_accepted));
        let Some(terms) = read else {
            return Err(fields.into());
        };
        fields.finish(Self(terms))
    }
}

fn read_terms(fields: &mut Fields, terms: &pb::Terms, loss_accepted: bool) -> Option<Terms> {
    let mut rate = |field: &str, basis_points: u32| {
        let rate = BasisPoints::try_new(basis_points).ok();
        if rate.is_none() {
            fields.refuse(field, "OUT_OF_RANGE", "must be at most 10000");
        }
        rate
    };
    let rates = (
        rate("lifetime_basis_points", terms.lifetime_basis_points),
        rate("bonus_basis_points", terms.bonus_basis_points),
        rate("agency_basis_points", terms.agency_basis_points),
        rate("introduction_basis_points", terms.introduction_basis_points),
        rate("service_fee_basis_points", terms.service_fee_basis_points),
    );
    let bonus_basis = match terms.bonus_basis() {
        pb::terms::BonusBasis::Unspecified => {
            fields.refuse("bonus_basis", "REQUIRED", "is required");
            None
        }
        pb::terms::BonusBasis::RefereeEarningsInWindow => Some(BonusBasis::RefereeEarningsInWindow),
        pb::terms::BonusBasis::AccruedCommission => Some(BonusBasis::AccruedCommission),
        pb::terms::BonusBasis::RateStep => Some(BonusBasis::RateStep),
    };
    let sign_up = read_bonuses(fields, &terms.sign_up_bonuses);
    let qualification = read_rules(fields, &terms.qualifications);
    let (Some(lifetime), Some(bonus), Some(agency), Some(introduction), Some(fee)) = rates else {
        return None;
    };
    Some(Terms {
        version: 0,
        lifetime,
        bonus,
        bonus_basis: bonus_basis?,
        window_months: terms.window_months,
        agency,
        introduction,
        sign_up: sign_up?,
        hold_days: terms.hold_days,
        screened: terms.screened,
        qualification: qualification?,
        fee,
        loss_accepted,
    })
}

fn read_bonuses(
    fields: &mut Fields,
    bonuses: &[pb::terms::SignUpBonus],
) -> Option<BTreeMap<vouch_primitives::Currency, SignUpBonus>> {
    let mut found = BTreeMap::new();
    for (index, bonus) in bonuses.iter().enumerate() {
        let read = fields.within(&format!("sign_up_bonuses[{index}]"), |fields| {
            let amount = fields.positive_money("amount", bonus.amount.as_ref());
            let qualifying = fields.positive_money("qualifying_earnings", bonus.qualifying_earnings.as_ref());
            let cap = bonus.cap.as_ref().map(|cap| fields.positive_money("cap", Some(cap)));
            let benefit = bonus
                .referee_benefit
                .as_ref()
                .map(|benefit| fields.positive_money("referee_benefit", Some(benefit)));
            let (amount, qualifying) = (amount?, qualifying?);
            let (cap, benefit) = (
                cap.map_or(Some(None), |cap| cap.map(Some))?,
                benefit.map_or(Some(None), |it| it.map(Some))?,
            );
            let others = [Some(qualifying), cap, benefit];
            if others
                .into_iter()
                .flatten()
                .any(|money| money.currency != amount.currency)
            {
                fields.refuse("amount", "OTHER_CURRENCY", "must be in the currency of the others");
                return None;
            }
            Some((amount, qualifying, cap, benefit))
        });
        let (amount, qualifying, cap, benefit) = read?;
        let bonus = SignUpBonus {
            amount_minor: amount.minor,
            qualifying_minor: qualifying.minor,
            cap_minor: cap.map(|cap| cap.minor),
            referee_minor: benefit.map_or(0, |benefit| benefit.minor),
        };
        if found.insert(amount.currency, bonus).is_some() {
            fields.refuse("sign_up_bonuses", "DUPLICATE", "must state each currency once");
            return None;
        }
    }
    Some(found)
}

/// Types of referral for which nothing is said have the rules of the standard terms.
fn read_rules(fields: &mut Fields, rules: &[pb::terms::KindRule]) -> Option<BTreeMap<ReferralKind, Qualification>> {
    let mut found = Qualification::standard();
    for (index, rule) in rules.iter().enumerate() {
        let read = fields.within(&format!("qualifications[{index}]"), |fields| {
            let kind = kind(fields, "kind", rule.kind());
            let qualification = match rule.qualification() {
                pb::terms::Qualification::Unspecified => {
                    fields.refuse("qualification", "REQUIRED", "is required");
                    None
                }
                pb::terms::Qualification::SignUp => Some(Qualification::SignUp),
                pb::terms::Qualification::FirstContract => Some(Qualification::FirstContract),
                pb::terms::Qualification::Contract => Some(Qualification::Contract),
                pb::terms::Qualification::ContractCompleted => Some(Qualification::ContractCompleted),
            };
            Some((kind?, qualification?))
        });
        let (kind, qualification) = read?;
        found.insert(kind, qualification);
    }
    Some(found)
}

fn kind(fields: &mut Fields, field: &str, kind: pb::ReferralKind) -> Option<ReferralKind> {
    match kind {
        pb::ReferralKind::Unspecified => {
            fields.refuse(field, "REQUIRED", "is required");
            None
        }
        pb::ReferralKind::Friend => Some(ReferralKind::Friend),
        pb::ReferralKind::Freelancer => Some(ReferralKind::Freelancer),
        pb::ReferralKind::ThirdPartySite => Some(ReferralKind::ThirdPartySite),
        pb::ReferralKind::Affiliate => Some(ReferralKind::Affiliate),
        pb::ReferralKind::Agency => Some(ReferralKind::Agency),
        pb::ReferralKind::ClientIntroduction => Some(ReferralKind::ClientIntroduction),
    }
}

impl TryFrom<pb::ListTermsRequest> for TermsPage {
    type Error = Violations;

    fn try_from(request: pb::ListTermsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let Some(page) = fields.page(request.page_size, &request.page_token) else {
            return Err(fields.into());
        };
        fields.finish(Self(page))
    }
}

impl TryFrom<pb::MigrateAttributionRequest> for Migrate {
    type Error = Violations;

    fn try_from(request: pb::MigrateAttributionRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let attribution = fields.id("attribution_id", &request.attribution_id);
        let consent = fields.text("consent", &request.consent, 1..=500);
        if request.terms_version == 0 {
            fields.refuse("terms_version", "REQUIRED", "is required");
        }
        let (Some(attribution), Some(consent)) = (attribution, consent) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            attribution,
            version: request.terms_version,
            consent,
        })
    }
}

impl TryFrom<pb::IntroduceRequest> for Introduce {
    type Error = Violations;

    fn try_from(request: pb::IntroduceRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let kind = kind(&mut fields, "kind", request.kind());
        if kind.is_some_and(|kind| kind.attributes() && kind != ReferralKind::Freelancer) {
            fields.refuse(
                "kind",
                "NO_INTRODUCTION",
                "must be a freelancer, an agency or a client introduction",
            );
        }
        let account = fields.id("account_id", &request.account_id);
        let client = fields.id("client_id", &request.client_id);
        let message = fields.text("message", &request.message, 1..=2_000);
        let (Some(referrer), Some(kind), Some(account), Some(client), Some(message)) =
            (referrer, kind, account, client, message)
        else {
            return Err(fields.into());
        };
        fields.finish(Self {
            referrer,
            kind,
            account,
            client,
            message,
        })
    }
}

impl TryFrom<pb::ListIntroductionsRequest> for IntroductionPage {
    type Error = Violations;

    fn try_from(request: pb::ListIntroductionsRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id("referrer_id", &request.referrer_id);
        let page = fields.page(request.page_size, &request.page_token);
        let (Some(referrer), Some(page)) = (referrer, page) else {
            return Err(fields.into());
        };
        fields.finish(Self { referrer, page })
    }
}

impl IntroductionPage {
    /// The page by the ids of ties.
    pub(in crate::grpc) fn ties(&self) -> Page<Uuid> {
        Page {
            size: self.page.size,
            after: self.page.after.map(AttributionId::as_uuid),
        }
    }
}

fn stand(
    mut fields: Fields,
    referrer: &str,
    reason: &str,
    from: Option<Option<Timestamp>>,
) -> Result<Stand, Violations> {
    let referrer = fields.id("referrer_id", referrer);
    let reason = fields.text("reason", reason, 1..=500);
    let (Some(referrer), Some(reason), Some(from)) = (referrer, reason, from) else {
        return Err(fields.into());
    };
    fields.finish(Stand { referrer, from, reason })
}

impl TryFrom<pb::SuspendReferrerRequest> for Stand {
    type Error = Violations;

    fn try_from(request: pb::SuspendReferrerRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let from = fields.time_if_set("from_time", request.from_time.as_ref());
        stand(fields, &request.referrer_id, &request.reason, from)
    }
}

impl TryFrom<pb::ReinstateReferrerRequest> for Stand {
    type Error = Violations;

    fn try_from(request: pb::ReinstateReferrerRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let from = fields.time_if_set("from_time", request.from_time.as_ref());
        stand(fields, &request.referrer_id, &request.reason, from)
    }
}

impl TryFrom<pb::RelatePartiesRequest> for Relate {
    type Error = Violations;

    fn try_from(request: pb::RelatePartiesRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let person = fields.id("person_id", &request.person_id);
        let client = fields.id("client_id", &request.client_id);
        let reason = fields.text("reason", &request.reason, 1..=500);
        let (Some(person), Some(client), Some(reason)) = (person, client, reason) else {
            return Err(fields.into());
        };
        fields.finish(Self { person, client, reason })
    }
}

impl TryFrom<pb::ExplainEarningRequest> for ExplainEarning {
    type Error = Violations;

    fn try_from(request: pb::ExplainEarningRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let referrer = fields.id_if_set("referrer_id", &request.referrer_id);
        let earning = fields.id("earning_id", &request.earning_id);
        let (Some(referrer), Some(earning)) = (referrer, earning) else {
            return Err(fields.into());
        };
        fields.finish(Self { referrer, earning })
    }
}
