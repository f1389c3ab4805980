//! Talent profiles and their sections.

use vouch_primitives::AccountId;
use vouch_proto::{
    Fields, Violations,
    convert::to_wire_time,
    onboarding::v1::{self as pb, profile_section, save_section_request::Section as WireSection},
};

use super::Id;
use crate::{
    app::profiles::{DiscardSection, SaveSection, SetVisibility},
    domain::{
        Contents, Profile, ProfileKind, SectionKind, SectionState, Visibility,
        section::{
            DESCRIPTION_LENGTH, Experience, Headline, LINE_LENGTH, MOST_ITEMS, MOST_POSITIONS, MOST_SKILLS,
            OVERVIEW_LENGTH, Portfolio, PortfolioItem, Position, Rate, SKILL_LENGTH, Skills, TITLE_LENGTH,
        },
    },
};

impl TryFrom<pb::GetProfileRequest> for Id<AccountId> {
    type Error = Violations;

    fn try_from(request: pb::GetProfileRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let id = fields.id("account_id", &request.account_id);
        id.map(Id).ok_or_else(|| fields.into())
    }
}

impl TryFrom<pb::SaveSectionRequest> for SaveSection {
    type Error = Violations;

    fn try_from(request: pb::SaveSectionRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let contents = match &request.section {
            None => {
                fields.refuse("section", "REQUIRED", "is required");
                None
            }
            Some(section) => contents(&mut fields, section),
        };
        // What is there and wrong is told by itself, so that it is not said to be missing besides.
        if let Some(contents) = contents.as_ref().filter(|_| request.done) {
            for field in contents.missing() {
                fields.refuse(&field, "REQUIRED", "is required for the section to be done");
            }
        }
        let (Some(account_id), Some(contents)) = (account_id, contents) else {
            return Err(fields.into());
        };
        fields.finish(Self {
            account_id,
            contents,
            done: request.done,
        })
    }
}

impl TryFrom<pb::DiscardSectionRequest> for DiscardSection {
    type Error = Violations;

    fn try_from(request: pb::DiscardSectionRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let section = match pb::SectionKind::try_from(request.section) {
            Ok(pb::SectionKind::Headline) => Some(SectionKind::Headline),
            Ok(pb::SectionKind::Skills) => Some(SectionKind::Skills),
            Ok(pb::SectionKind::Experience) => Some(SectionKind::Experience),
            Ok(pb::SectionKind::Rate) => Some(SectionKind::Rate),
            Ok(pb::SectionKind::Portfolio) => Some(SectionKind::Portfolio),
            Ok(pb::SectionKind::Unspecified) => {
                fields.refuse("section", "REQUIRED", "is required");
                None
            }
            Err(_) => {
                fields.refuse("section", "OUT_OF_RANGE", "must be a section that there is");
                None
            }
        };
        let (Some(account_id), Some(section)) = (account_id, section) else {
            return Err(fields.into());
        };
        fields.finish(Self { account_id, section })
    }
}

impl TryFrom<pb::SetVisibilityRequest> for SetVisibility {
    type Error = Violations;

    fn try_from(request: pb::SetVisibilityRequest) -> Result<Self, Violations> {
        let mut fields = Fields::new();
        let account_id = fields.id("account_id", &request.account_id);
        let visibility = match pb::Visibility::try_from(request.visibility) {
            Ok(pb::Visibility::Public) => Some(Visibility::Public),
            Ok(pb::Visibility::UsersOnly) => Some(Visibility::UsersOnly),
            Ok(pb::Visibility::Private) => Some(Visibility::Private),
            Ok(pb::Visibility::Unspecified) => {
                fields.refuse("visibility", "REQUIRED", "is required");
                None
            }
            Err(_) => {
                fields.refuse("visibility", "OUT_OF_RANGE", "must be a visibility that there is");
                None
            }
        };
        let (Some(account_id), Some(visibility)) = (account_id, visibility) else {
            return Err(fields.into());
        };
        fields.finish(Self { account_id, visibility })
    }
}

fn contents(fields: &mut Fields, section: &WireSection) -> Option<Contents> {
    match section {
        WireSection::Headline(wire) => fields
            .within("headline", |fields| headline(fields, wire))
            .map(Contents::Headline),
        WireSection::Skills(wire) => fields
            .within("skills", |fields| skills(fields, wire))
            .map(Contents::Skills),
        WireSection::Experience(wire) => fields
            .within("experience", |fields| experience(fields, wire))
            .map(Contents::Experience),
        WireSection::Rate(wire) => fields.within("rate", |fields| rate(fields, wire)).map(Contents::Rate),
        WireSection::Portfolio(wire) => fields
            .within("portfolio", |fields| portfolio(fields, wire))
            .map(Contents::Portfolio),
    }
}

fn headline(fields: &mut Fields, wire: &pb::Headline) -> Option<Headline> {
    let title = fields.line("title", &wire.title, TITLE_LENGTH);
    let overview = fields.text("overview", &wire.overview, OVERVIEW_LENGTH);
    Some(Headline {
        title: title?,
        overview: overview?,
    })
}

fn skills(fields: &mut Fields, wire: &pb::Skills) -> Option<Skills> {
    let names = each(fields, "names", &wire.names, MOST_SKILLS, |fields, path, name| {
        fields.line(path, name, SKILL_LENGTH)
    })?;
    Some(Skills::new(names))
}

fn experience(fields: &mut Fields, wire: &pb::Experience) -> Option<Experience> {
    let positions = each(
        fields,
        "positions",
        &wire.positions,
        MOST_POSITIONS,
        |fields, path, wire| fields.within(path, |fields| position(fields, wire)),
    )?;
    Some(Experience(positions))
}

fn position(fields: &mut Fields, wire: &pb::Position) -> Option<Position> {
    let company = fields.line("company", &wire.company, LINE_LENGTH);
    let title = fields.line("title", &wire.title, LINE_LENGTH);
    let started_at = fields.time_if_set("start_time", wire.start_time.as_ref());
    let ended_at = fields.time_if_set("end_time", wire.end_time.as_ref());
    let started_at = started_at.map(|time| time.map(|time| time.start_of_day()));
    let ended_at = ended_at.map(|time| time.map(|time| time.start_of_day()));
    if let (Some(Some(start)), Some(Some(end))) = (started_at, ended_at)
        && end < start
    {
        fields.refuse("end_time", "OUT_OF_RANGE", "must not be before start_time");
        return None;
    }
    Some(Position {
        company: company?,
        title: title?,
        started_at: started_at?,
        ended_at: ended_at?,
    })
}

fn rate(fields: &mut Fields, wire: &pb::Rate) -> Option<Rate> {
    match &wire.hourly_rate {
        None => Some(Rate(None)),
        some => fields
            .positive_money("hourly_rate", some.as_ref())
            .map(|rate| Rate(Some(rate))),
    }
}

fn portfolio(fields: &mut Fields, wire: &pb::Portfolio) -> Option<Portfolio> {
    let items = each(fields, "items", &wire.items, MOST_ITEMS, |fields, path, wire| {
        fields.within(path, |fields| item(fields, wire))
    })?;
    Some(Portfolio(items))
}

fn item(fields: &mut Fields, wire: &pb::PortfolioItem) -> Option<PortfolioItem> {
    let title = fields.line("title", &wire.title, LINE_LENGTH);
    let description = fields.text("description", &wire.description, DESCRIPTION_LENGTH);
    let url = match wire.url.as_str() {
        "" => Some(None),
        url => super::known(fields, "url", url).map(Some),
    };
    Some(PortfolioItem {
        title: title?,
        description: description?,
        url: url?,
    })
}

/// Reads each of at most `most` parts; `None` if a violation was noted.
fn each<W, T>(
    fields: &mut Fields,
    field: &str,
    wire: &[W],
    most: usize,
    read: impl Fn(&mut Fields, &str, &W) -> Option<T>,
) -> Option<Vec<T>> {
    if wire.len() > most {
        fields.refuse(field, "TOO_LONG", format!("must be at most {most}"));
        return None;
    }
    let parts = wire.iter().enumerate();
    // All are read before it is asked whether one is bad, so that all is told at once.
    let parts: Vec<_> = parts
        .map(|(at, part)| read(fields, &format!("{field}[{at}]"), part))
        .collect();
    parts.into_iter().collect()
}

/// Reads one message by itself, as a column holds it.
macro_rules! from_wire {
    ($($message:ident by $read:ident),+) => {$(
        impl TryFrom<pb::$message> for $message {
            type Error = Violations;

            fn try_from(wire: pb::$message) -> Result<Self, Violations> {
                let mut fields = Fields::new();
                match $read(&mut fields, &wire) {
                    Some(read) => fields.finish(read),
                    None => Err(fields.into()),
                }
            }
        }
    )+};
}

from_wire! { Headline by headline, Skills by skills, Experience by experience, Rate by rate, Portfolio by portfolio }

impl From<&Headline> for pb::Headline {
    fn from(headline: &Headline) -> Self {
        Self {
            title: headline.title.clone(),
            overview: headline.overview.clone(),
        }
    }
}

impl From<&Skills> for pb::Skills {
    fn from(skills: &Skills) -> Self {
        Self {
            names: skills.names().to_vec(),
        }
    }
}

impl From<&Experience> for pb::Experience {
    fn from(experience: &Experience) -> Self {
        let position = |position: &Position| pb::Position {
            company: position.company.clone(),
            title: position.title.clone(),
            start_time: position.started_at.map(to_wire_time),
            end_time: position.ended_at.map(to_wire_time),
        };
        Self {
            positions: experience.0.iter().map(position).collect(),
        }
    }
}

impl From<&Rate> for pb::Rate {
    fn from(rate: &Rate) -> Self {
        Self {
            hourly_rate: rate.0.map(Into::into),
        }
    }
}

impl From<&Portfolio> for pb::Portfolio {
    fn from(portfolio: &Portfolio) -> Self {
        let item = |item: &PortfolioItem| pb::PortfolioItem {
            title: item.title.clone(),
            description: item.description.clone(),
            url: item.url.as_ref().map(|url| url.as_str().to_owned()).unwrap_or_default(),
        };
        Self {
            items: portfolio.0.iter().map(item).collect(),
        }
    }
}

impl From<&Contents> for profile_section::Contents {
    fn from(contents: &Contents) -> Self {
        match contents {
            Contents::Headline(headline) => Self::Headline(headline.into()),
            Contents::Skills(skills) => Self::Skills(skills.into()),
            Contents::Experience(experience) => Self::Experience(experience.into()),
            Contents::Rate(rate) => Self::Rate(rate.into()),
            Contents::Portfolio(portfolio) => Self::Portfolio(portfolio.into()),
        }
    }
}

impl From<&Profile> for pb::TalentProfile {
    fn from(profile: &Profile) -> Self {
        let visibility = match profile.kind {
            ProfileKind::Freelancer(Visibility::Public) | ProfileKind::Agency => pb::Visibility::Public,
            ProfileKind::Freelancer(Visibility::UsersOnly) => pb::Visibility::UsersOnly,
            ProfileKind::Freelancer(Visibility::Private) => pb::Visibility::Private,
        };
        let section = |section: SectionKind| pb::ProfileSection {
            kind: kind(section).into(),
            state: state(profile.state_of(section)).into(),
            contents: profile.saved(section).map(Into::into),
            shown: profile.shown(section).is_some(),
        };
        let next = profile.next_section();
        Self {
            account_id: profile.account_id.to_string(),
            visibility: visibility.into(),
            sections: SectionKind::ALL.into_iter().map(section).collect(),
            completeness_percent: profile.completeness().into(),
            next_section: next.map_or(pb::SectionKind::Unspecified, kind).into(),
        }
    }
}

const fn kind(kind: SectionKind) -> pb::SectionKind {
    match kind {
        SectionKind::Headline => pb::SectionKind::Headline,
        SectionKind::Skills => pb::SectionKind::Skills,
        SectionKind::Experience => pb::SectionKind::Experience,
        SectionKind::Rate => pb::SectionKind::Rate,
        SectionKind::Portfolio => pb::SectionKind::Portfolio,
    }
}

const fn state(state: SectionState) -> profile_section::State {
    match state {
        SectionState::NotStarted => profile_section::State::NotStarted,
        SectionState::Started => profile_section::State::Started,
        SectionState::Complete => profile_section::State::Complete,
    }
}
