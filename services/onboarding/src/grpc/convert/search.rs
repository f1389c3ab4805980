//! What is looked for, and what was found.

use vouch_primitives::PersonId;
use vouch_proto::{Fields, Page, Violations, common::v1 as common, onboarding::v1 as pb};

use super::known;
use crate::domain::{
    CountryCode, FoundTalent, Place, RateRange, SkillKey, Sought, TalentQuery, TextQuery,
    search::{MOST_PEOPLE, MOST_SKILLS_WANTED, QUERY_LENGTH},
    section::SKILL_LENGTH,
};

/// Asks for one page of talent, of a kind that is not said yet.
pub(in crate::grpc) struct Search {
    people: Vec<PersonId>,
    text: TextQuery,
    skills: Vec<SkillKey>,
    country: Option<CountryCode>,
    rate: Option<RateRange>,
    page: Page<Place>,
}

impl Search {
    /// Whoever is sought is looked for.
    pub(in crate::grpc) fn of(self, sought: Sought) -> (TalentQuery, Page<Place>) {
        let wanted = TalentQuery {
            sought,
            people: self.people,
            text: self.text,
            skills: self.skills,
            country: self.country,
            rate: self.rate,
        };
        (wanted, self.page)
    }
}

impl TryFrom<pb::SearchAgenciesRequest> for Search {
    type Error = Violations;

    fn try_from(request: pb::SearchAgenciesRequest) -> Result<Self, Violations> {
        search(request.filter, request.page_size, &request.page_token)
    }
}

impl TryFrom<pb::SearchTalentRequest> for Search {
    type Error = Violations;

    fn try_from(request: pb::SearchTalentRequest) -> Result<Self, Violations> {
        search(request.filter, request.page_size, &request.page_token)
    }
}

fn search(filter: Option<pb::TalentFilter>, page_size: u32, page_token: &str) -> Result<Search, Violations> {
    let mut fields = Fields::new();
    let filter = filter.unwrap_or_default();
    let (people, text, skills, country, rate) = fields.within("filter", |fields| {
        let text = fields.text("query", &filter.query, QUERY_LENGTH);
        let skills = skills(fields, &filter.skills);
        let country = match filter.country_code.as_str() {
            "" => None,
            code => known(fields, "country_code", code),
        };
        let rate = rate(fields, filter.min_hourly_rate.as_ref(), filter.max_hourly_rate.as_ref());
        let people = people(fields, &filter.person_ids);
        (people, text, skills, country, rate)
    });
    let page = fields.page(page_size, page_token);
    let (Some(text), Some(page)) = (text, page) else {
        return Err(fields.into());
    };
    fields.finish(Search {
        people,
        text: TextQuery::new(&text),
        skills,
        country,
        rate,
        page,
    })
}

fn people(fields: &mut Fields, ids: &[String]) -> Vec<PersonId> {
    if ids.len() > MOST_PEOPLE {
        fields.refuse("person_ids", "TOO_LONG", format!("must be at most {MOST_PEOPLE}"));
    }
    let ids = ids.iter().take(MOST_PEOPLE).enumerate();
    ids.filter_map(|(at, id)| fields.id(&format!("person_ids[{at}]"), id))
        .collect()
}

fn skills(fields: &mut Fields, names: &[String]) -> Vec<SkillKey> {
    if names.len() > MOST_SKILLS_WANTED {
        fields.refuse("skills", "TOO_LONG", format!("must be at most {MOST_SKILLS_WANTED}"));
    }
    let mut read = Vec::new();
    for (at, name) in names.iter().take(MOST_SKILLS_WANTED).enumerate() {
        let name = fields.line(&format!("skills[{at}]"), name, SKILL_LENGTH);
        read.extend(name.map(|name| SkillKey::new(&name)));
    }
    read
}

/// `None` also if a violation was noted.
fn rate(fields: &mut Fields, least: Option<&common::Money>, most: Option<&common::Money>) -> Option<RateRange> {
    let mut read = |field, money: Option<_>| money.and_then(|money| fields.positive_money(field, Some(money)));
    let (least, most) = (read("min_hourly_rate", least), read("max_hourly_rate", most));
    if let (Some(least), Some(most)) = (least, most) {
        if least.currency != most.currency {
            let description = "must be the currency of min_hourly_rate";
            fields.refuse("max_hourly_rate.currency_code", "OTHER_CURRENCY", description);
        } else if least.minor > most.minor {
            let description = "must not be below min_hourly_rate";
            fields.refuse("max_hourly_rate.minor_units", "OUT_OF_RANGE", description);
        }
    }
    let currency = least.or(most)?.currency;
    Some(RateRange {
        currency,
        least: least.map(|money| money.minor),
        most: most.map(|money| money.minor),
    })
}

impl From<FoundTalent> for pb::FoundTalent {
    fn from(found: FoundTalent) -> Self {
        Self {
            account_id: found.place.account_id.to_string(),
            person_id: found.person_id.to_string(),
            name: found.name,
            headline: found.headline,
            skills: found.skills,
            hourly_rate: found.hourly_rate.map(Into::into),
            country_code: found.country.as_str().to_owned(),
            completeness_percent: found.place.completeness,
        }
    }
}
