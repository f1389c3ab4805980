//! What a talent profile says, section by section.

use std::{error::Error, fmt, ops::RangeInclusive, str::FromStr};

use vouch_primitives::{Money, Timestamp};

use super::words::fold;

/// How long the title of a headline may be, in characters.
pub const TITLE_LENGTH: RangeInclusive<usize> = 0..=100;
/// How long an overview may be, in characters.
pub const OVERVIEW_LENGTH: RangeInclusive<usize> = 0..=5_000;
/// How many skills a profile may name.
pub const MOST_SKILLS: usize = 50;
/// How long the name of a skill may be, in characters.
pub const SKILL_LENGTH: RangeInclusive<usize> = 1..=50;
/// How many positions somebody may have held.
pub const MOST_POSITIONS: usize = 50;
/// How many things somebody may show.
pub const MOST_ITEMS: usize = 20;
/// How long the name of a company, a position or a thing may be, in characters.
pub const LINE_LENGTH: RangeInclusive<usize> = 0..=200;
/// How long the description of a thing may be, in characters.
pub const DESCRIPTION_LENGTH: RangeInclusive<usize> = 0..=2_000;

/// The sections of a profile, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectionKind {
    /// What one does.
    Headline,
    /// What one is able to do.
    Skills,
    /// What one has done.
    Experience,
    /// What one asks for an hour.
    Rate,
    /// What one has made.
    Portfolio,
}

/// What stands in a section, whole or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// What one does.
    Headline(Headline),
    /// What one is able to do.
    Skills(Skills),
    /// What one has done.
    Experience(Experience),
    /// What one asks for an hour.
    Rate(Rate),
    /// What one has made.
    Portfolio(Portfolio),
}

/// What somebody does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headline {
    /// In a line; empty if that is missing.
    pub title: String,
    /// In some paragraphs; empty if they are missing.
    pub overview: String,
}

/// What somebody is able to do: names in the owner's order and spelling, each once, whatever its case and accents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skills(Vec<String>);

/// What somebody has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Experience(pub Vec<Position>);

/// One thing that somebody has worked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// For whom; empty if that is missing.
    pub company: String,
    /// As what; empty if that is missing.
    pub title: String,
    /// The day on which it began.
    pub started_at: Option<Timestamp>,
    /// The day on which it ended; `None` if it goes on.
    pub ended_at: Option<Timestamp>,
}

/// What somebody asks for their work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rate(pub Option<Money>);

/// What somebody has made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Portfolio(pub Vec<PortfolioItem>);

/// One thing that somebody has made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortfolioItem {
    /// What it is; empty if that is missing.
    pub title: String,
    /// More about it; may be empty.
    pub description: String,
    /// Where it can be seen.
    pub url: Option<WebAddress>,
}

/// An address on the web, over TLS: `https://`, a host, and whatever follows, in printable ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress(String);

/// The text is no address on the web.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidWebAddress;

impl SectionKind {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [
        Self::Headline,
        Self::Skills,
        Self::Experience,
        Self::Rate,
        Self::Portfolio,
    ];

    /// Its name, in capital letters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headline => "HEADLINE",
            Self::Skills => "SKILLS",
            Self::Experience => "EXPERIENCE",
            Self::Rate => "RATE",
            Self::Portfolio => "PORTFOLIO",
        }
    }
}

impl Contents {
    /// Of which section they are.
    #[must_use]
    pub const fn kind(&self) -> SectionKind {
        match self {
            Self::Headline(_) => SectionKind::Headline,
            Self::Skills(_) => SectionKind::Skills,
            Self::Experience(_) => SectionKind::Experience,
            Self::Rate(_) => SectionKind::Rate,
            Self::Portfolio(_) => SectionKind::Portfolio,
        }
    }

    /// What is missing for them to be complete: the paths of the fields, such as `experience.positions[1].title`.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut require = |there: bool, path: String| {
            if !there {
                missing.push(path);
            }
        };
        match self {
            Self::Headline(headline) => {
                require(!headline.title.is_empty(), "headline.title".to_owned());
                require(!headline.overview.is_empty(), "headline.overview".to_owned());
            }
            Self::Skills(skills) => require(!skills.0.is_empty(), "skills.names".to_owned()),
            Self::Experience(Experience(positions)) => {
                require(!positions.is_empty(), "experience.positions".to_owned());
                for (at, position) in positions.iter().enumerate() {
                    let path = |field| format!("experience.positions[{at}].{field}");
                    require(!position.company.is_empty(), path("company"));
                    require(!position.title.is_empty(), path("title"));
                    require(position.started_at.is_some(), path("start_time"));
                }
            }
            Self::Rate(rate) => require(rate.0.is_some(), "rate.hourly_rate".to_owned()),
            Self::Portfolio(Portfolio(items)) => {
                require(!items.is_empty(), "portfolio.items".to_owned());
                for (at, item) in items.iter().enumerate() {
                    let path = |field| format!("portfolio.items[{at}].{field}");
                    require(!item.title.is_empty(), path("title"));
                    require(item.url.is_some(), path("url"));
                }
            }
        }
        missing
    }
}

impl Skills {
    /// These skills, each once.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut kept: Vec<String> = Vec::new();
        for name in names {
            if !kept.iter().any(|other| fold(other) == fold(&name)) {
                kept.push(name);
            }
        }
        Self(kept)
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl WebAddress {
    const LONGEST: usize = 500;

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebAddress {
    type Err = InvalidWebAddress;

    /// A name and a password before the host are refused: they make an address look like another one's.
    fn from_str(text: &str) -> Result<Self, InvalidWebAddress> {
        let rest = text.strip_prefix("https://").ok_or(InvalidWebAddress)?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (name, port) = host.split_once(':').unwrap_or((host, "443"));
        let is_label = |label: &str| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        let is_host = name.contains('.') && name.split('.').all(is_label) && port.parse::<u16>().is_ok();
        let is_printable = text.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}".contains(c));
        if is_host && is_printable && text.len() <= Self::LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidWebAddress)
        }
    }
}

impl fmt::Display for SectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for InvalidWebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = WebAddress::LONGEST;
        write!(
            f,
            "must begin with https:// and a host, and have at most {longest} characters"
        )
    }
}

impl Error for InvalidWebAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_missing_is_named() {
        let position = Position {
            company: "Harbour".to_owned(),
            title: "Clerk".to_owned(),
            started_at: Some(Timestamp::EPOCH),
            ended_at: None,
        };
        let item = PortfolioItem {
            title: "Map".to_owned(),
            description: String::new(),
            url: "https://maps.example/1".parse().ok(),
        };
        let headline = Headline {
            title: "Clerk".to_owned(),
            overview: "I count.".to_owned(),
        };
        let hour = Money::new(5_000, "USD".parse().expect("a currency"));
        for (contents, missing) in [
            (
                Contents::Headline(Headline::default()),
                &["headline.title", "headline.overview"][..],
            ),
            (Contents::Headline(headline), &[]),
            (Contents::Skills(Skills::default()), &["skills.names"]),
            (Contents::Skills(Skills::new(["Ink".to_owned()])), &[]),
            (Contents::Experience(Experience::default()), &["experience.positions"]),
            (
                Contents::Experience(Experience(vec![position.clone(), Position::default()])),
                &[
                    "experience.positions[1].company",
                    "experience.positions[1].title",
                    "experience.positions[1].start_time",
                ],
            ),
            (Contents::Experience(Experience(vec![position])), &[]),
            (Contents::Rate(Rate(None)), &["rate.hourly_rate"]),
            (Contents::Rate(Rate(Some(hour))), &[]),
            (Contents::Portfolio(Portfolio::default()), &["portfolio.items"]),
            (
                Contents::Portfolio(Portfolio(vec![PortfolioItem::default(), item.clone()])),
                &["portfolio.items[0].title", "portfolio.items[0].url"],
            ),
            (Contents::Portfolio(Portfolio(vec![item])), &[]),
        ] {
            assert_eq!(contents.missing(), missing, "{contents:?}");
        }
    }

    #[test]
    fn a_skill_is_named_once() {
        let names = ["Résumés", "ink", "INK", "resumes", "C++", "C"].map(str::to_owned);
        assert_eq!(Skills::new(names).names(), ["Résumés", "ink", "C++", "C"]);
    }

    #[test]
    fn addresses_on_the_web_have_a_host() {
        let long = format!("https://a.example/{}", "x".repeat(500));
        for text in [
            "https://maps.example",
            "https://maps.example:8443/a/b?c=d#e",
            "https://www.xn--bcher-kva.example/",
        ] {
            assert_eq!(text.parse(), Ok(WebAddress(text.to_owned())));
        }
        for text in [
            "",
            "maps.example",
            "http://maps.example",
            "HTTPS://maps.example",
            "https://",
            "https:///maps",
            "https://maps",
            "https://maps..example",
            "https://-maps.example",
            "https://ada:secret@maps.example",
            "https://bank.example@maps.example",
            "https://maps.example:port",
            "https://maps.example/a b",
            "https://maps.example/\"onclick=",
            "https://maps.example/\n",
            "https://märz.example",
            "javascript:alert(1)",
            long.as_str(),
        ] {
            assert_eq!(text.parse::<WebAddress>(), Err(InvalidWebAddress), "{text:?}");
        }
    }
}
