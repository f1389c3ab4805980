//! Talent profiles: how far their sections are, who finds them, and when their step may be skipped.

use std::{collections::BTreeMap, error::Error, fmt};

use vouch_primitives::AccountId;

use super::section::{Contents, Headline, SectionKind, Skills};

/// The profile of a freelancer or of an agency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whose it is.
    pub account_id: AccountId,
    /// What kind of account that is, and who finds the profile.
    pub kind: ProfileKind,
    sections: BTreeMap<SectionKind, Section>,
}

/// Whose profile it is. Only that of a freelancer has a visibility to choose: the listing of an agency is public [B36].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileKind {
    /// A freelancer's, found by whom they say.
    Freelancer(Visibility),
    /// An agency's.
    Agency,
}

/// Who finds the profile of a freelancer [F17].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Whoever is signed in.
    UsersOnly,
    /// Nobody but its owner, as it is from the beginning [B18, B41].
    Private,
}

/// How far a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionState {
    /// Nothing was saved.
    NotStarted,
    /// Something was saved that is not complete.
    Started,
    /// All is there, and said to be done.
    Complete,
}

/// A section in which something was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Section {
    /// Not complete; `before` is what was last complete.
    Started { now: Contents, before: Option<Contents> },
    /// Complete.
    Complete(Contents),
}

/// Why something cannot be done with a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A section was started and is not complete: finish it, or go back [B43, B50].
    HalfDone(SectionKind),
    /// The listing of an agency is public and stays so [B36].
    ListingIsPublic,
    /// A profile that is shown has a headline and skills.
    Incomplete,
}

impl Profile {
    /// The sections without which a profile is shown to nobody.
    const LEAST: [SectionKind; 2] = [SectionKind::Headline, SectionKind::Skills];

    /// A profile that was never begun.
    #[must_use]
    pub const fn empty(account_id: AccountId, kind: ProfileKind) -> Self {
        Self {
            account_id,
            kind,
            sections: BTreeMap::new(),
        }
    }

    /// Saves a section. It is complete if nothing is missing and it is said to be done, else it is started, and what was
    /// last complete is kept.
    pub fn save(&mut self, contents: Contents, done: bool) {
        let kind = contents.kind();
        let section = if done && contents.missing().is_empty() {
            Section::Complete(contents)
        } else {
            let before = self.shown(kind).cloned();
            Section::Started { now: contents, before }
        };
        self.sections.insert(kind, section);
    }

    /// Goes back to the last complete section [B43, B50]; tells whether there was something to discard.
    pub fn discard(&mut self, kind: SectionKind) -> bool {
        match self.sections.remove(&kind) {
            None => false,
            Some(Section::Started { before, .. }) => {
                if let Some(before) = before {
                    self.sections.insert(kind, Section::Complete(before));
                }
                true
            }
            Some(complete @ Section::Complete(_)) => {
                self.sections.insert(kind, complete);
                false
            }
        }
    }

    /// How far a section is.
    #[must_use]
    pub fn state_of(&self, kind: SectionKind) -> SectionState {
        match self.sections.get(&kind) {
            None => SectionState::NotStarted,
            Some(Section::Started { .. }) => SectionState::Started,
            Some(Section::Complete(_)) => SectionState::Complete,
        }
    }

    /// What was saved last in a section.
    #[must_use]
    pub fn saved(&self, kind: SectionKind) -> Option<&Contents> {
        match self.sections.get(&kind)? {
            Section::Started { now, .. } => Some(now),
            Section::Complete(contents) => Some(contents),
        }
    }

    /// What was saved last in a section that is not complete.
    #[must_use]
    pub fn started(&self, kind: SectionKind) -> Option<&Contents> {
        match self.sections.get(&kind)? {
            Section::Started { now, .. } => Some(now),
            Section::Complete(_) => None,
        }
    }

    /// What others see of a section: what was last complete.
    #[must_use]
    pub fn shown(&self, kind: SectionKind) -> Option<&Contents> {
        match self.sections.get(&kind)? {
            Section::Started { before, .. } => before.as_ref(),
            Section::Complete(contents) => Some(contents),
        }
    }

    /// The headline that others see.
    #[must_use]
    pub fn headline(&self) -> Option<&Headline> {
        match self.shown(SectionKind::Headline)? {
            Contents::Headline(headline) => Some(headline),
            _ => None,
        }
    }

    /// The skills that others see.
    #[must_use]
    pub fn skills(&self) -> Option<&Skills> {
        match self.shown(SectionKind::Skills)? {
            Contents::Skills(skills) => Some(skills),
            _ => None,
        }
    }

    /// How much there is to be shown, in whole per cent, rounded down.
    #[must_use]
    pub fn completeness(&self) -> u8 {
        let share = 100 / SectionKind::ALL.len();
        let shown = SectionKind::ALL.iter().filter(|kind| self.shown(**kind).is_some());
        u8::try_from(shown.count() * share).unwrap_or(100)
    }

    /// The first section that is not complete; `None` when all are.
    #[must_use]
    pub fn next_section(&self) -> Option<SectionKind> {
        let complete = |kind: &SectionKind| self.state_of(*kind) == SectionState::Complete;
        SectionKind::ALL.into_iter().find(|kind| !complete(kind))
    }

    /// Whether the step of the profile may be skipped: from the very beginning, and whenever no section is half done
    /// [B43, B44, B50, B51].
    ///
    /// # Errors
    /// The first section that is started and not complete.
    pub fn may_skip(&self) -> Result<(), Refusal> {
        let started = |kind: &SectionKind| self.state_of(*kind) == SectionState::Started;
        match SectionKind::ALL.into_iter().find(started) {
            Some(kind) => Err(Refusal::HalfDone(kind)),
            None => Ok(()),
        }
    }

    /// Says who finds the profile; tells whether that has changed [F17].
    ///
    /// # Errors
    /// If it is an agency's that is to be hidden [B36], or it is to be shown and has no headline or no skills.
    pub fn set_visibility(&mut self, visibility: Visibility) -> Result<bool, Refusal> {
        match self.kind {
            ProfileKind::Agency if visibility == Visibility::Public => Ok(false),
            ProfileKind::Agency => Err(Refusal::ListingIsPublic),
            ProfileKind::Freelancer(before) => {
                let enough = Self::LEAST.iter().all(|kind| self.shown(*kind).is_some());
                if visibility != Visibility::Private && !enough {
                    return Err(Refusal::Incomplete);
                }
                self.kind = ProfileKind::Freelancer(visibility);
                Ok(before != visibility)
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HalfDone(kind) => write!(
                f,
                "the section {kind} is started and not complete: finish it, or discard it"
            ),
            Self::ListingIsPublic => f.write_str("the listing of an agency is public and stays so"),
            Self::Incomplete => f.write_str("a profile that is shown needs a headline and skills that are complete"),
        }
    }
}

impl Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::section::Rate;

    const ALL: [Visibility; 3] = [Visibility::Public, Visibility::UsersOnly, Visibility::Private];

    fn profile(kind: ProfileKind) -> Profile {
        Profile::empty(AccountId::new(), kind)
    }

    fn headline(title: &str) -> Contents {
        Contents::Headline(Headline {
            title: title.to_owned(),
            overview: "I count.".to_owned(),
        })
    }

    fn skills(names: &[&str]) -> Contents {
        Contents::Skills(Skills::new(names.iter().map(|name| (*name).to_owned())))
    }

    // B43, B50
    #[test]
    fn a_section_is_complete_when_all_is_there_and_said_to_be_done() {
        let mut ada = profile(ProfileKind::Freelancer(Visibility::Private));
        for (contents, done, state) in [
            (headline(""), false, SectionState::Started),
            (headline(""), true, SectionState::Started),
            (headline("Clerk"), false, SectionState::Started),
            (headline("Clerk"), true, SectionState::Complete),
            (headline("Clerk of works"), false, SectionState::Started),
        ] {
            ada.save(contents.clone(), done);
            assert_eq!(ada.state_of(SectionKind::Headline), state, "{contents:?} {done}");
            assert_eq!(ada.saved(SectionKind::Headline), Some(&contents));
        }
        assert_eq!(ada.headline().map(|headline| headline.title.as_str()), Some("Clerk"));
        assert_eq!(ada.state_of(SectionKind::Skills), SectionState::NotStarted);
    }

    // B43, B50
    #[test]
    fn discarding_goes_back_to_the_last_complete_section() {
        let mut ada = profile(ProfileKind::Agency);
        let kind = SectionKind::Headline;
        assert!(!ada.discard(kind), "there is nothing");
        ada.save(headline("Clerk"), false);
        assert!(ada.discard(kind));
        assert_eq!((ada.state_of(kind), ada.saved(kind)), (SectionState::NotStarted, None));
        ada.save(headline("Clerk"), true);
        assert!(!ada.discard(kind), "it is complete");
        ada.save(headline("Cl"), false);
        ada.save(headline(""), false);
        assert!(ada.discard(kind));
        assert_eq!(ada.state_of(kind), SectionState::Complete);
        assert_eq!(ada.saved(kind), Some(&headline("Clerk")));
    }

    // B43, B44, B50, B51
    #[test]
    fn a_profile_is_skipped_from_zero_and_never_half_done() {
        let mut ada = profile(ProfileKind::Freelancer(Visibility::Private));
        assert_eq!(ada.may_skip(), Ok(()));
        ada.save(skills(&["ink"]), false);
        ada.save(headline("Clerk"), true);
        assert_eq!(ada.may_skip(), Err(Refusal::HalfDone(SectionKind::Skills)));
        assert!(
            Refusal::HalfDone(SectionKind::Skills)
                .to_string()
                .contains("section SKILLS")
        );
        let mut discarded = ada.clone();
        discarded.discard(SectionKind::Skills);
        assert_eq!(discarded.may_skip(), Ok(()));
        ada.save(skills(&["ink"]), true);
        assert_eq!(ada.may_skip(), Ok(()));
        ada.save(headline("Clerk of works"), false);
        assert_eq!(ada.may_skip(), Err(Refusal::HalfDone(SectionKind::Headline)));
    }

    #[test]
    fn completeness_counts_what_is_there_to_be_shown() {
        let mut ada = profile(ProfileKind::Agency);
        assert_eq!(
            (ada.completeness(), ada.next_section()),
            (0, Some(SectionKind::Headline))
        );
        ada.save(Contents::Rate(Rate(None)), false);
        assert_eq!(ada.completeness(), 0, "a section that is started is not there yet");
        ada.save(headline("Clerk"), true);
        assert_eq!(
            (ada.completeness(), ada.next_section()),
            (20, Some(SectionKind::Skills))
        );
        ada.save(skills(&["ink"]), true);
        assert_eq!(
            (ada.completeness(), ada.next_section()),
            (40, Some(SectionKind::Experience))
        );
        ada.save(headline("Clerk of works"), false);
        assert_eq!(
            (ada.completeness(), ada.next_section()),
            (40, Some(SectionKind::Headline))
        );
    }

    // B18, B41, F17
    #[test]
    fn a_freelancer_is_seen_when_there_is_something_to_see() {
        let private = ProfileKind::Freelancer(Visibility::Private);
        let mut ada = profile(private);
        for visibility in [Visibility::Public, Visibility::UsersOnly] {
            assert_eq!(ada.set_visibility(visibility), Err(Refusal::Incomplete));
        }
        assert_eq!(ada.set_visibility(Visibility::Private), Ok(false));
        ada.save(headline("Clerk"), true);
        ada.save(skills(&["ink"]), false);
        assert_eq!(ada.set_visibility(Visibility::Public), Err(Refusal::Incomplete));
        ada.save(skills(&["ink"]), true);
        assert_eq!(ada.kind, private, "no saving shows a profile");
        for visibility in ALL {
            assert_eq!(ada.set_visibility(visibility), Ok(true));
            assert_eq!(ada.set_visibility(visibility), Ok(false));
            assert_eq!(ada.kind, ProfileKind::Freelancer(visibility));
        }
    }

    // B35, B36
    #[test]
    fn an_agency_is_never_private() {
        let mut quay = profile(ProfileKind::Agency);
        for visibility in ALL {
            let expected = match visibility {
                Visibility::Public => Ok(false),
                Visibility::UsersOnly | Visibility::Private => Err(Refusal::ListingIsPublic),
            };
            assert_eq!(quay.set_visibility(visibility), expected);
            assert_eq!(quay.kind, ProfileKind::Agency);
        }
    }
}
